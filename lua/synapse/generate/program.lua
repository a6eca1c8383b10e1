--- The program `synapse-haproxy-cfg`: reads, asks HAProxy, writes.
--
-- @module synapse.generate.program

local binds = require("synapse.generate.binds")
local configuration = require("synapse.configuration")
local draft = require("synapse.generate.draft")
local generate = require("synapse.generate")
local output = require("synapse.generate.output")
local stdlib = require("posix.stdlib")

local program = {}

local USAGE = [[
Usage: synapse-haproxy-cfg -c FILE [-o FILE]

Makes a complete haproxy.cfg of a synapse.conf.json.

  -c FILE   the synapse.conf.json; otherwise SYNAPSE_CONFIG names it
  -o FILE   where to write, once `haproxy -c` accepts it; an equal file is
            left alone. Without it the text goes to standard output
  -h        this text

Exit status: 0; 1, the configuration cannot be used; 2, wrong arguments.
]]

local function say(...)
  io.stderr:write("synapse-haproxy-cfg: ", string.format(...), "\n")
end

local function say_all(path, messages)
  for _, message in ipairs(messages) do
    say("%s: %s", path, message)
  end
end

-- Returns the options, or nil and the status to exit with.
local function read_arguments(arguments)
  local options, i = {}, 1
  while arguments[i] do
    local one = arguments[i]
    if one == "-h" or one == "--help" then
      io.stdout:write(USAGE)
      return nil, 0
    elseif (one ~= "-c" and one ~= "-o") or not arguments[i + 1] then
      io.stderr:write(USAGE)
      return nil, 2
    end
    options[one] = arguments[i + 1]
    i = i + 2
  end
  options["-c"] = options["-c"] or os.getenv("SYNAPSE_CONFIG")
  if not options["-c"] then
    io.stderr:write(USAGE)
    return nil, 2
  end
  return options
end

-- Asks HAProxy until the draft is settled. Returns its verdict.
local function settle(made, candidate)
  repeat
    candidate:write((made:text()))
    local said, accepted = candidate:check()
    local changed = made:learn(said, candidate.path)
    if not changed then
      return made:verdict(), accepted, said
    end
  until false
end

local function make(config, path, agent)
  local sections, notes = generate.sections(config,
    {config = path, agent = agent})
  local overlaps = binds.overlaps(sections)
  if #overlaps > 0 then
    return nil, overlaps
  end
  return draft.new(sections, "Made by synapse-haproxy-cfg of " .. path ..
    ": what is changed here is lost."), notes
end

local function finish(options, made, candidate)
  if not options["-o"] then
    io.stdout:write((made:text()))
    return 0
  end
  local done, why = candidate:replace(options["-o"])
  if not done then
    say("%s", why)
    return 1
  end
  say("%s: %s", options["-o"], done)
  return 0
end

local function judge(options, path, made)
  local candidate, why = output.new(options["-o"])
  if not candidate then
    say("%s", why)
    return 1
  end
  local status = 1
  local verdict, accepted, said = settle(made, candidate)
  say_all(path, verdict.notes)
  say_all(path, verdict.errors)
  if accepted and #verdict.errors == 0 then
    status = finish(options, made, candidate)
  elseif #verdict.errors == 0 then
    say("%s: HAProxy refuses what is made of it: %s", path, said)
  end
  candidate:close()
  return status
end

--- Runs the program.
-- @tparam {string,...} arguments
-- @tparam string agent the path of the file for `lua-load`
-- @treturn integer the exit status
function program.run(arguments, agent)
  local options, status = read_arguments(arguments)
  if not options then
    return status
  end
  local path = stdlib.realpath(options["-c"]) or options["-c"]
  local config, notes = configuration.read(path)
  if not config then
    say_all(path, notes)
    return 1
  end
  say_all(path, notes)
  local made
  made, notes = make(config, path, agent)
  say_all(path, notes)
  return made and judge(options, path, made) or 1
end

return program
