--- The lines that the agent needs in the section `global`.
--
-- Pure.
--
-- @module synapse.generate.global

local global = {}

-- HAProxy expands variables within double quotes.
local function quote(path)
  if path:find("^[%w/._@:+,-]+$") then
    return path
  end
  return '"' .. path:gsub('[\\"$]', "\\%0") .. '"'
end

-- HAProxy uses only one such file.
local STATE_FILE = "^server%-state%-file%s"

-- Each line, after a pattern of lines that make it unnecessary. `lua-load` sets
-- the variable of the socket, so it comes first.
local function needs(paths)
  return {
    {"^insecure%-fork%-wanted", "insecure-fork-wanted"},
    {"^hard%-stop%-after%s", "hard-stop-after 30m"},
    {"^setenv%s+SYNAPSE_CONFIG%s", "setenv SYNAPSE_CONFIG " ..
      quote(paths.config)},
    {"^lua%-load%s.*synapse%.lua", "lua-load " .. quote(paths.agent)},
    {"^stats%s+socket%s.*SYNAPSE_ADMIN",
      'stats socket "${SYNAPSE_ADMIN}" level admin'},
    {STATE_FILE, 'server-state-file "${SYNAPSE_SERVERS-none}"'},
    {"^stats%s+maxconn%s", "stats maxconn 100"},
  }
end

--- Tells whether a line matches a pattern.
-- @tparam {line,...} lines
-- @tparam string pattern
-- @treturn boolean
function global.has(lines, pattern)
  for _, line in ipairs(lines) do
    if line.text:find(pattern) then
      return true
    end
  end
  return false
end

--- Tells whether HAProxy uses a state file of the operator's, not the agent's.
-- @tparam {line,...} lines of the configuration
-- @treturn boolean
function global.has_other_state_file(lines)
  for _, line in ipairs(lines) do
    if line.text:find(STATE_FILE) then
      return not line.text:find("SYNAPSE_SERVERS", 1, true)
    end
  end
  return false
end

-- HAProxy 3.1 and later warns at each start unless this line says, before the
-- first Lua, how to convert booleans. If the operator loads Lua too, the
-- operator decides.
local BOOLEANS = {".if version_atleast(3.1)",
  "tune.lua.bool-sample-conversion normal", ".endif"}

--- Adds the lines that are missing.
-- @tparam {line,...} lines of the configuration; added to
-- @tparam table paths as of `generate.sections`
-- @treturn {line,...} lines
function global.lines(lines, paths)
  if not global.has(lines, "^lua%-load") then
    for _, text in ipairs(BOOLEANS) do
      lines[#lines + 1] = {text = text, place = "haproxy.global"}
    end
  end
  for _, need in ipairs(needs(paths)) do
    if not global.has(lines, need[1]) then
      lines[#lines + 1] = {text = need[2], place = "haproxy.global"}
    end
  end
  return lines
end

return global
