--- The command line of synapsectl.
--
-- Pure.
--
-- @module synapse.control.options

local duration = require("synapse.duration")
local schema = require("synapse.config.schema")

local options = {}

--- What `--help` prints.
options.USAGE = [[
usage: synapsectl [-s SOCKET | -c FILE] [--json] COMMAND

Asks the agent in HAProxy over the stats socket SOCKET, or else over one of the
haproxy.cfg FILE (-c may be given several times), or else over SYNAPSE_SOCKET,
or else over one of /etc/haproxy/haproxy.cfg and /etc/haproxy/synapse.cfg.

  status                  the sessions; each service, its state and why
  service NAME            each instance of a service
  instance ADDRESS        an instance, in each service that has it
  events [NAME]           what happened, in all services or in one
  top                     a live view; without a terminal it is printed once
  dump                    all that a bug report needs, no names or addresses
  maint ADDRESS [--reason TEXT] [--for TIME]
                          takes an instance out of traffic, in every service
  drain ADDRESS [--reason TEXT] [--for TIME]
                          gives it no new sessions
  ready ADDRESS           ends maint and drain
  freeze NAME             leaves a service as it is
  thaw NAME               lets it follow ZooKeeper again
  resync [NAME]           reads one service, or all, from ZooKeeper again
  reload                  applies what has changed in synapse.conf.json
  wait NAME --ready N [--timeout TIME]
                          waits (60s) until at least N instances are ready

TIME: 90, 500ms, 20s, 30m, 2h, 7d. Exit status: 0 done; 1 failed; 2 the command
line is wrong; 3 noted, and done as soon as HAProxy, `thaw` or (if `reload` says
so) a reload of HAProxy allows it.
]]

local function text(value)
  return value
end

local function time(value)
  return duration.read(value), duration.RIGHT
end

local function count(value)
  local number = #value <= 6 and value:find("^%d+$") and tonumber(value)
  return number and number >= 1 and math.tointeger(number) or nil,
    "a number of instances (1 or more)"
end

local REASON, FOR = {key = "reason", read = text}, {key = "span", read = time}

-- `words` that follow the command, and how many of them are required;
-- `changes`: whether the command changes something.
local COMMANDS = {
  status = {words = {}, least = 0},
  service = {words = {"NAME"}, least = 1},
  instance = {words = {"ADDRESS"}, least = 1},
  events = {words = {"NAME"}, least = 0},
  top = {words = {}, least = 0},
  dump = {words = {}, least = 0},
  maint = {words = {"ADDRESS"}, least = 1, changes = true,
    options = {["--reason"] = REASON, ["--for"] = FOR}},
  drain = {words = {"ADDRESS"}, least = 1, changes = true,
    options = {["--reason"] = REASON, ["--for"] = FOR}},
  ready = {words = {"ADDRESS"}, least = 1, changes = true},
  freeze = {words = {"NAME"}, least = 1, changes = true},
  thaw = {words = {"NAME"}, least = 1, changes = true},
  resync = {words = {"NAME"}, least = 0, changes = true},
  reload = {words = {}, least = 0, changes = true},
  wait = {words = {"NAME"}, least = 1, needs = {"ready", "--ready N"},
    options = {["--ready"] = {key = "ready", read = count},
      ["--timeout"] = {key = "timeout", read = time}}},
}

local GENERAL = {
  ["-s"] = {key = "socket", read = text},
  ["--socket"] = {key = "socket", read = text},
  ["-c"] = {key = "config", read = text, is_list = true},
  ["--config"] = {key = "config", read = text, is_list = true},
}

local FLAGS = {
  ["--json"] = "is_json", ["-h"] = "help", ["--help"] = "help",
  ["--version"] = "version",
}

-- Takes the value of an option. Returns nil, or what is wrong.
local function take(request, name, option, value)
  if not value or value == "" then
    return name .. " needs a value"
  end
  local read, right = option.read(value)
  if read == nil then
    return string.format('%s: "%s" is not %s', name, value, right)
  elseif option.is_list then
    request[option.key] = request[option.key] or {}
    table.insert(request[option.key], read)
  else
    request[option.key] = read
  end
  return nil
end

-- Returns "did you mean" with the nearest of the names, or an empty text if
-- none is near.
local function suggestion(word, names)
  local least, meant = math.max(1, #word // 3) + 1, nil
  table.sort(names)
  for _, name in ipairs(names) do
    local distance = schema.distance(word, name)
    if distance < least then
      least, meant = distance, name
    end
  end
  return meant and string.format('; did you mean "%s"?', meant) or ""
end

local function names_in(...)
  local names = {}
  for _, all in ipairs({...}) do
    for name in pairs(all) do
      names[#names + 1] = name
    end
  end
  return names
end

local function take_word(request, word)
  if not request.command then
    if not COMMANDS[word] then
      return word .. " is not a command" .. suggestion(word,
        names_in(COMMANDS))
    end
    request.command = word
    return nil
  end
  table.insert(request.words, word)
  return #request.words > #COMMANDS[request.command].words and
    word .. " is one word too many" or nil
end

local function own_options(request)
  local command = COMMANDS[request.command or ""]
  return command and command.options or {}
end

-- Returns what is missing, or nil.
local function missing(request)
  local command = COMMANDS[request.command or ""]
  if request.help or request.version then
    return nil
  elseif not command then
    return "COMMAND is missing"
  elseif #request.words < command.least then
    return command.words[#request.words + 1] .. " is missing"
  elseif command.needs and not request[command.needs[1]] then
    return command.needs[2] .. " is missing"
  end
  request.changes = command.changes
  return nil
end

local function read_argument(request, arguments, i)
  local argument = arguments[i]
  local name, value = argument:match("^(%-%-%l+)=(.*)$")
  name = name or argument
  if FLAGS[argument] then
    request[FLAGS[argument]] = true
    return nil, i + 1
  elseif name:sub(1, 1) ~= "-" then
    return take_word(request, argument), i + 1
  end
  local option = own_options(request)[name] or GENERAL[name]
  if not option then
    return name .. (request.command and " is not an option of this command" or
      " is not an option") .. suggestion(name,
      names_in(own_options(request), GENERAL, FLAGS)), i
  elseif value then
    return take(request, name, option, value), i + 1
  end
  return take(request, name, option, arguments[i + 1]), i + 2
end

local function has(list, word)
  for _, each in ipairs(list) do
    if each == word then
      return true
    end
  end
  return false
end

--- Reads the command line.
-- @tparam {string,...} arguments
-- @treturn table `command`, the `words` that follow it, `changes`: whether it
--   changes something; from options: `socket`, `config` (a list of paths),
--   `is_json`, `reason`, `span` and `timeout` in seconds, `ready`; or `help`,
--   `version`
-- @treturn[2] nil
-- @treturn[2] string what is wrong
-- @treturn[2] boolean whether JSON was asked for
function options.read(arguments)
  local request, i, wrong = {words = {}}, 1, nil
  while arguments[i] and not wrong do
    wrong, i = read_argument(request, arguments, i)
  end
  wrong = wrong or missing(request)
  if wrong then
    return nil, wrong, has(arguments, "--json")
  end
  return request
end

local QUOTED = "[^%w_./:@%[%]+=,-]"

-- HAProxy splits words at spaces and commands at ";". "\" quotes the next
-- character, and "<<" begins a payload.
local function quote(word)
  return (word:gsub(QUOTED, function(char)
    return char:byte() < 128 and "\\" .. char or char
  end))
end

local SHOWS = {
  status = "show synapse", top = "show synapse", dump = "show synapse dump",
  service = "show synapse service", wait = "show synapse service",
  instance = "show synapse instance", events = "show synapse events",
}

-- The agent lists all events; `program` picks those of one service.
local function words_of(request)
  return request.command == "events" and {} or request.words
end

--- Returns the line that is sent to HAProxy.
-- @tparam table request see `options.read`
-- @treturn string without a newline
function options.line(request)
  local words = {SHOWS[request.command] or "synapse " .. request.command}
  for _, word in ipairs(words_of(request)) do
    words[#words + 1] = quote(word)
  end
  if request.span then
    words[#words + 1] =
      string.format("for %dms", math.floor(request.span * 1000))
  end
  if request.reason then
    words[#words + 1] = "reason " .. quote(request.reason)
  end
  words[#words + 1] = request.command ~= "dump" and "json" or nil
  return table.concat(words, " ")
end

--- Returns why HAProxy's socket cannot carry a request.
-- @tparam table request
-- @treturn ?string nil: it can
function options.objection(request)
  for _, word in ipairs({request.reason or "", table.unpack(request.words)}) do
    if word:find("%c") then
      return "a word of the command line has a control character"
    end
  end
  return nil
end

return options
