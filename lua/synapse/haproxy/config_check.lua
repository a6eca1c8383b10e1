--- Reads from haproxy.cfg which backends have slots, for `haproxy -c` alone.
--
-- `haproxy -c` ends before Lua may look at HAProxy's backends, and a service
-- without a backend should be found there, not at the restart. So this reads
-- the text, and where it cannot be sure (conditions, variables, quotes) it
-- says nothing: the start itself looks at the real backends.
--
-- Pure.
--
-- @module synapse.haproxy.config_check

local preview = {}

local SECTIONS = {}
for word in ([[global defaults frontend backend listen peers resolvers
  userlist cache ring program mailers http-errors fcgi-app
  log-forward]]):gmatch("%S+")
do
  SECTIONS[word] = true
end

-- Where these stand a word may not be what it looks like.
local UNSURE = "[$\"'\\]"

local function begin_section(found, kind, name)
  if kind ~= "backend" and kind ~= "listen" then
    return true, nil
  elseif not name or name:find(UNSURE) then
    return false
  end
  found[name] = found[name] or {slots = 0, sure = true}
  return true, found[name]
end

local function read_server(backend, line)
  local address = line:match("^%s*server%-template%s+%S+%s+%S+%s+(%S+)") or
    line:match("^%s*server%s+%S+%s+(%S+)")
  if not address then
    return
  elseif address:find(UNSURE) then
    backend.sure = false
  elseif address == "127.0.0.1:1" or address == "240.0.0.1:1" then
    backend.slots = backend.slots + 1
  end
end

--- Lists the backends of a configuration.
-- @tparam {string,...} texts of its files, in order
-- @treturn {[string]={slots=integer,sure=boolean}} by name: how many lines
--   declare slots, and whether there can be no other
-- @treturn[2] nil when the text alone does not tell
function preview.backends(texts)
  local found, current, sure = {}, nil, true
  for _, text in ipairs(texts) do
    for line in text:gmatch("[^\n]+") do
      local word, name = line:match("^%s*([%w.-]+)%s*([^%s#]*)")
      if word and word:find("^%.") then
        return nil
      elseif word and SECTIONS[word] then
        sure, current = begin_section(found, word, name)
      elseif word and current then
        read_server(current, line)
      end
      if not sure then
        return nil
      end
    end
  end
  return found
end

-- Options that take a value which is not a file of the configuration.
local VALUE = {}
for word in ("-C -S -x -n -m -N -L -p -G"):gmatch("%S+") do
  VALUE[word] = true
end

--- Finds the files of the configuration.
-- @tparam {string,...} arguments of HAProxy's command line
-- @treturn {string,...} paths
-- @treturn boolean whether this is but a check of them
-- @treturn[2] nil when the arguments do not tell
function preview.files(arguments)
  local files, checks, i = {}, false, 2
  while arguments[i] do
    local one = arguments[i]
    if one == "--" then
      table.move(arguments, i + 1, #arguments, #files + 1, files)
      break
    elseif one == "-f" then
      i = i + 1
      files[#files + 1] = arguments[i]
    elseif one == "-C" then
      return nil
    elseif VALUE[one] then
      i = i + 1
    elseif one == "-c" then
      checks = true
    end
    i = i + 1
  end
  return files, checks
end

return preview
