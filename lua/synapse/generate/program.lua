--- The program `synapse-haproxy-cfg`: reads the configuration, lets HAProxy
-- check the result, writes it.
--
-- @module synapse.generate.program

local binds = require("synapse.generate.binds")
local candidates = require("synapse.generate.candidate")
local configuration = require("synapse.config.init")
local generate = require("synapse.generate.init")
local negotiate = require("synapse.generate.negotiate")
local stdlib = require("posix.stdlib")
local zookeeper = require("synapse.c_module")

local program = {}

local USAGE = [[
Usage: synapse-haproxy-cfg -c FILE [-o FILE] [-s ADDRESS]

Makes a complete haproxy.cfg of a synapse.conf.json.

  -c, --config FILE     the synapse.conf.json; otherwise SYNAPSE_CONFIG names it
  -o, --output FILE     where to write, once `haproxy -c` accepts it; an equal
                        file is left alone. Without it the text goes to
                        standard output
  -s, --status ADDRESS  where the status page listens (127.0.0.1:3214, if that
                        is free); none: there is no page. A page of yours takes
                        its place
  -h, --help            this text
      --version         the version

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

local TAKES_VALUE = {
  ["-c"] = "config", ["--config"] = "config",
  ["-o"] = "output", ["--output"] = "output",
  ["-s"] = "status", ["--status"] = "status",
}
local SHOWS = {
  ["-h"] = USAGE, ["--help"] = USAGE,
  ["--version"] = "synapse-haproxy-cfg " .. zookeeper.version .. "\n",
}

local function wrong(argument, problem)
  say("%s %s", argument, problem)
  io.stderr:write(USAGE)
  return nil, 2
end

-- Returns the options, or nil and the status to exit with.
local function read_arguments(arguments)
  local options, i = {config = os.getenv("SYNAPSE_CONFIG")}, 1
  while arguments[i] do
    local name, value = arguments[i]:match("^(%-%-%l+)=(.*)$")
    name = name or arguments[i]
    if SHOWS[name] and not value then
      io.stdout:write(SHOWS[name])
      return nil, 0
    elseif not TAKES_VALUE[name] then
      return wrong(arguments[i], "is not an option")
    elseif not value then
      i = i + 1
      value = arguments[i]
    end
    if not value or value == "" then
      return wrong(name, "needs a value")
    end
    options[TAKES_VALUE[name]] = value
    i = i + 1
  end
  if not options.config then
    return wrong("-c FILE", "is missing")
  end
  return options
end

-- Asks HAProxy until it has nothing more to say.
local function settle(negotiation, candidate)
  local said, accepted
  repeat
    candidate:write((negotiation:text()))
    said, accepted = candidate:check()
  until not negotiation:learn(said, candidate.path)
  return negotiation:verdict(), accepted, said
end

-- Where the status page listens unless an address is given.
local STATUS = "127.0.0.1:3214"

-- Returns the sections, the notes, and which frontends overlap.
local function sections_of(config, paths)
  local sections, notes = generate.sections(config, paths)
  return sections, notes, binds.overlaps(sections)
end

-- The same, but a status page that nobody asked for takes no address from
-- another frontend.
local function sections_with_page(config, paths, status)
  paths.status = status ~= "none" and (status or STATUS) or nil
  local sections, notes, overlaps = sections_of(config, paths)
  if not overlaps[1] or status then
    return sections, notes, overlaps
  end
  local why = overlaps[1] .. "; so there is no status page: --status gives " ..
    "it another address"
  paths.status = nil
  sections, notes, overlaps = sections_of(config, paths)
  notes[#notes + 1] = not overlaps[1] and why or nil
  return sections, notes, overlaps
end

-- Returns the negotiation and the notes, or nil and why there is none.
local function make(config, path, agent, status)
  local sections, notes, overlaps = sections_with_page(config,
    {config = path, agent = agent}, status)
  if #overlaps > 0 then
    return nil, overlaps
  end
  return negotiate.new(sections, "Made by synapse-haproxy-cfg of " .. path ..
    ": what is changed here is lost."), notes
end

local function finish(options, negotiation, candidate)
  if options.output then
    say("%s: %s", options.output, candidate:replace(options.output))
  else
    io.stdout:write((negotiation:text()))
  end
  return 0
end

local function judge(options, path, negotiation, candidate)
  local verdict, accepted, said = settle(negotiation, candidate)
  say_all(path, verdict.notes)
  say_all(path, verdict.errors)
  if #verdict.errors > 0 then
    return 1
  elseif not accepted then
    say("%s: HAProxy refuses what is made of it: %s", path, said)
    return 1
  end
  return finish(options, negotiation, candidate)
end

-- Removes the candidate whatever happens.
local function try(options, path, negotiation)
  local candidate, why = candidates.new(options.output)
  if not candidate then
    say("%s", why)
    return 1
  end
  local ok, status = pcall(judge, options, path, negotiation, candidate)
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
  local path = stdlib.realpath(options.config) or options.config
  local config, notes = configuration.read(path)
  say_all(path, notes)
  if not config then
    return 1
  end
  local negotiation, more = make(config, path, agent, options.status)
  say_all(path, more)
  return negotiation and try(options, path, negotiation) or 1
end

return program
