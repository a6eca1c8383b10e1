--- The program `synapsectl`: finds HAProxy, asks the agent, shows the answer.
--
-- @module synapse.control.program

local cjson = require("cjson.safe")
local config = require("synapse.config.init")
local connection = require("synapse.control.connection")
local options = require("synapse.control.options")
local plural = require("synapse.plural")
local posix_time = require("posix.time")
local show = require("synapse.control.show")
local signal = require("posix.signal")
local sockets = require("synapse.control.sockets")
local stat = require("posix.sys.stat")
local terminal = require("synapse.control.terminal")
local top = require("synapse.control.top")
local zookeeper = require("synapse.c_module")

local program = {}

local DONE, FAILED, USAGE, PENDING = 0, 1, 2, 3
local STATUS = {done = DONE, failed = FAILED, pending = PENDING}

-- Seconds between two questions: of the live view, and of `wait`.
local REFRESH, ASK_AGAIN = 1, 0.25

-- Seconds that `wait` waits without --timeout.
local WAIT = 60

-- How many events `top` prints without a terminal.
local FEW_EVENTS = 10

local EDGES = {
  read = config.read_file, list = config.list_directory,
  exists = function(path) return stat.stat(path) ~= nil end,
}

-- Connects to the first socket that can be reached. Returns its descriptor and
-- the socket, or nil and why there is none.
local function connect(request)
  local list, why = sockets.find(request, os.getenv("SYNAPSE_SOCKET"), EDGES)
  if not list then
    return nil, why
  end
  local problems = {}
  for i, socket in ipairs(list) do
    local descriptor
    descriptor, problems[i] = connection.open(socket.path)
    if descriptor then
      return descriptor, socket
    end
  end
  return nil, table.concat(problems, "; ")
end

-- Returns the agent's answer as a table and as text, or nil and why there is
-- none.
local function ask(request, line)
  local descriptor, socket = connect(request)
  if not descriptor then
    return nil, socket
  end
  local text, why = connection.ask(descriptor, line)
  if not text then
    return nil, socket.path .. ": " .. why
  elseif text:find("^Unknown command") or
    text:find("^Permission denied")
  then
    return nil, socket.path .. ": this HAProxy has no agent, or one that is " ..
      "older than this synapsectl (it does not know `" ..
      line:match("^%S+ %l+") .. "`)"
  end
  local answer = cjson.decode(text)
  if type(answer) ~= "table" then
    return nil, (text:gsub("%s+$", ""))
  end
  return answer, text
end

local function write(...)
  io.stdout:write(...)
end

local function print_json(text)
  write((text:gsub("%s+$", "")), "\n")
end

-- Shows an answer of `{result, message}` and returns the exit status.
local function finish(request, result, message)
  if request.is_json then
    print_json(cjson.encode({result = result, message = message}))
  elseif result == "done" then
    write(message, "\n")
  else
    io.stderr:write("synapsectl: ", message, "\n")
  end
  return STATUS[result]
end

local SHOWN = {
  status = show.status, service = show.service, instance = show.instance,
}

local function shows(request)
  local answer, text = ask(request, options.line(request))
  if not answer then
    return finish(request, "failed", text)
  elseif request.is_json or request.command == "dump" then
    print_json(text)
  else
    write(SHOWN[request.command](answer, terminal.about(os.getenv)))
  end
  return DONE
end

-- Returns the events of one service, or all without a name.
local function of_service(events, name)
  local list = {}
  for _, event in ipairs(events) do
    list[#list + 1] = (not name or event.service == name) and event or nil
  end
  return list
end

-- cjson writes an empty list as `{}`.
local function print_events(answer, list)
  local parts = {}
  for i, event in ipairs(list) do
    parts[i] = cjson.encode(event)
  end
  print_json(string.format('{"schema":%d,"last":%d,"events":[%s]}',
    math.floor(answer.schema), math.floor(answer.last),
    table.concat(parts, ",")))
end

local function events(request)
  local answer, text = ask(request, options.line(request))
  local name = request.words[1]
  if not answer then
    return finish(request, "failed", text)
  elseif not request.is_json then
    write(show.events(of_service(answer.events, name),
      terminal.about(os.getenv).width))
  elseif not name then
    print_json(text)
  else
    print_events(answer, of_service(answer.events, name))
  end
  return DONE
end

local function changes(request)
  local answer, text = ask(request, options.line(request))
  if not answer or not STATUS[answer.result] then
    return finish(request, "failed", text)
  end
  return finish(request, answer.result, answer.message)
end

local function now()
  local time = posix_time.clock_gettime(posix_time.CLOCK_MONOTONIC)
  return time.tv_sec + time.tv_nsec / 1e9
end

local function sleep(seconds)
  posix_time.nanosleep({tv_sec = math.floor(seconds),
    tv_nsec = math.floor(seconds % 1 * 1e9)})
end

-- Returns the result and a message: "done" or "failed" once that is known,
-- otherwise "later".
local function ask_for_ready(request, has_answered)
  local name = request.words[1]
  local answer, why = ask(request, options.line(request))
  if not answer then
    return has_answered and "later" or "failed", why
  end
  local ready = math.floor(answer.counts.ready or 0)
  return ready >= request.ready and "done" or "later",
    string.format("%s has %s of %d ready", name, plural(ready, "instance"),
      request.ready)
end

-- During a reload of HAProxy there may be no answer. That is a failure only if
-- there never was one.
local function waits(request)
  local till = now() + (request.timeout or WAIT)
  local result, message = ask_for_ready(request, false)
  while result == "later" and now() < till do
    sleep(math.min(ASK_AGAIN, math.max(0, till - now())))
    result, message = ask_for_ready(request, true)
  end
  if result == "later" then
    return finish(request, "failed", string.format("%s after %g s", message,
      request.timeout or WAIT))
  end
  return finish(request, result, message)
end

local function ask_for_all(request)
  local status, why = ask(request, "show synapse json")
  if not status then
    return nil, why
  end
  local happened = ask(request, "show synapse events json")
  return status, happened and happened.events or {}
end

local function draw(view, screen)
  local lines, columns = screen.size()
  screen.draw(view:screen(lines, columns,
    terminal.is_coloured(os.getenv)))
end

local function live(request, screen)
  local view, due = top.new(), 0
  while not view.is_over and not screen.is_ended do
    if now() >= due then
      view:take(ask_for_all(request))
      due = now() + REFRESH
    end
    draw(view, screen)
    local key = screen:key(math.floor(math.max(0, due - now()) * 1000))
    if key then
      view:press(key)
    end
  end
  return DONE
end

-- Restores the terminal whatever happens.
local function tops(request)
  if not terminal.is_there() or request.is_json then
    request.command = "status"
    local status = shows(request)
    if status ~= DONE or request.is_json then
      return status
    end
    local answer = ask(request, "show synapse events json")
    local list = answer and answer.events or {}
    write("\n", show.events(table.move(list,
      math.max(1, #list - FEW_EVENTS + 1), #list, 1, {}),
      terminal.about(os.getenv).width))
    return DONE
  end
  local screen = terminal.open()
  local ok, status = xpcall(live, debug.traceback, request, screen)
  screen:close()
  if not ok then
    return finish(request, "failed", status)
  end
  return status
end

local RUNS = {
  status = shows, service = shows, instance = shows, dump = shows,
  events = events, top = tops, wait = waits,
}

local function wrong(message, is_json)
  if is_json then
    print_json(cjson.encode({result = "failed", message = message}))
  else
    io.stderr:write("synapsectl: ", message, "\n", options.USAGE)
  end
  return USAGE
end

--- Runs the program.
-- @tparam {string,...} arguments
-- @treturn integer the exit status
function program.run(arguments)
  signal.signal(signal.SIGPIPE, signal.SIG_IGN)
  local request, why, is_json = options.read(arguments)
  if not request then
    return wrong(why, is_json)
  elseif request.help then
    write(options.USAGE)
    return DONE
  elseif request.version then
    write("synapsectl ", zookeeper.version, "\n")
    return DONE
  end
  why = options.objection(request)
  if why then
    return finish(request, "failed", why)
  end
  return (RUNS[request.command] or changes)(request)
end

return program
