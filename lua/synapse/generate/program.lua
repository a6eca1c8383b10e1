--- The program `synapse-haproxy-cfg`: reads, asks HAProxy, writes.
--
-- @module synapse.generate.program

local binds = require("synapse.generate.binds")
local candidates = require("synapse.generate.candidate")
local configuration = require("synapse.config.init")
local generate = require("synapse.generate.init")
local negotiate = require("synapse.generate.negotiate")
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

-- Asks HAProxy until it has nothing more to say.
local function settle(made, candidate)
  local said, accepted
  repeat
    candidate:write((made:text()))
    said, accepted = candidate:check()
  until not made:learn(said, candidate.path)
  return made:verdict(), accepted, said
end

-- Returns the negotiation and what is to be said, or nil and why there is none.
local function make(config, path, agent)
  local sections, notes = generate.sections(config,
    {config = path, agent = agent})
  local overlaps = binds.overlaps(sections)
  if #overlaps > 0 then
    return nil, overlaps
  end
  return negotiate.new(sections, "Made by synapse-haproxy-cfg of " .. path ..
    ": what is changed here is lost."), notes
end

local function finish(options, made, candidate)
  if options["-o"] then
    say("%s: %s", options["-o"], candidate:replace(options["-o"]))
  else
    io.stdout:write((made:text()))
  end
  return 0
end

local function judge(options, path, made, candidate)
  local verdict, accepted, said = settle(made, candidate)
  say_all(path, verdict.notes)
  say_all(path, verdict.errors)
  if #verdict.errors > 0 then
    return 1
  elseif not accepted then
    say("%s: HAProxy refuses what is made of it: %s", path, said)
    return 1
  end
  return finish(options, made, candidate)
end

-- Whatever happens, no candidate is left behind.
local function try(options, path, made)
  local candidate, why = candidates.new(options["-o"])
  if not candidate then
    say("%s", why)
    return 1
  end
  local ok, status = pcall(judge, options, path, made, candidate)
  candidate:close()
  if not ok then
    say("%s", status)
    return 1
  end
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
  say_all(path, notes)
  if not config then
    return 1
  end
  local made, more = make(config, path, agent)
  say_all(path, more)
  return made and try(options, path, made) or 1
end

return program
