--- The agent over HTTP, for `http-request use-service lua.synapse`.
--
-- Lua has one lock, so a long answer is made in slices of half a millisecond,
-- between which other work has its turn. Only GET and HEAD, and nothing that is
-- asked changes anything.
--
-- @module synapse.http

local document = require("synapse.document")
local query = require("synapse.query")
local report = require("synapse.report")

local http = {}

local SLICE = 0.0005
-- An answer goes out in parts of about this many bytes.
local PART = 8192

local JSON = "application/json"
local TEXT = "text/plain; charset=utf-8"

-- Nothing of an answer may load or run anything.
local NOTHING = "default-src 'none'; frame-ancestors 'none'"

local function start(applet, code, headers)
  applet:set_status(code)
  applet:add_header("cache-control", "no-cache")
  applet:add_header("x-content-type-options", "nosniff")
  applet:add_header("referrer-policy", "no-referrer")
  applet:add_header("content-security-policy", NOTHING)
  for name, value in pairs(headers) do
    applet:add_header(name, value)
  end
  applet:start_response()
end

local function answer(applet, code, headers, text)
  headers["content-length"] = tostring(#text)
  start(applet, code, headers)
  if applet.method ~= "HEAD" and code ~= 304 then
    applet:send(text)
  end
end

local function say(applet, code, text)
  answer(applet, code, {["content-type"] = TEXT}, text .. "\n")
end

-- Returns whether the client has the text already.
local function is_known(applet, tag)
  local asked = applet.headers["if-none-match"]
  return asked ~= nil and asked[0]:find(tag, 1, true) ~= nil
end

local function not_modified(applet, tag)
  start(applet, 304, {etag = tag})
end

-- Returns a function that gives other work its turn when it is time.
local function new_turn(deps)
  local began = deps.now()
  return function()
    if deps.now() - began > SLICE then
      core.msleep(1)
      began = deps.now()
    end
  end
end

-- Sends what `each` puts, in parts.
local function stream(applet, kind, tag, each)
  start(applet, 200, {["content-type"] = kind, etag = tag})
  if applet.method == "HEAD" then
    return
  end
  local parts, bytes = {}, 0
  each(function(text)
    parts[#parts + 1], bytes = text, bytes + #text
    if bytes > PART then
      applet:send(table.concat(parts))
      parts, bytes = {}, 0
    end
  end)
  applet:send(table.concat(parts))
end

local function send_services(turn, head, looks, encode, put)
  put(head:sub(1, -2) .. ',"services":[')
  for i, look in ipairs(looks) do
    turn()
    put((i > 1 and ",\n" or "\n") .. encode(look))
  end
  put("]}\n")
end

local function status_json(deps, applet, asked)
  local agent, turn = deps.agent(), new_turn(deps)
  local made = report.status(agent, asked, turn)
  local tag = string.format('W/"%s"', deps.checksum(made.head .. applet.qs))
  if is_known(applet, tag) then
    return not_modified(applet, tag)
  end
  local head = made.head:sub(1, -2) ..
    string.format(',"time":%.3f}', deps.wall())
  stream(applet, JSON, tag, function(put)
    send_services(turn, head, made.looks, document.service, put)
  end)
end

local function events_json(deps, applet, asked)
  local events = deps.agent().account.events
  local list = report.events(events, asked)
  answer(applet, 200, {["content-type"] = JSON},
    document.events(list, events.last) .. "\n")
end

local function ready(deps, applet)
  local unread = report.unread(deps.agent(), new_turn(deps))
  if #unread == 0 then
    return say(applet, 200, "ready")
  end
  say(applet, 503, "not read yet, neither from ZooKeeper nor from a " ..
    "snapshot:\n" .. table.concat(unread, "\n"))
end

local function healthz(deps, applet)
  local seconds = deps.now() - deps.agent().turned_at
  if seconds > report.DEAD_AFTER then
    return say(applet, 503,
      string.format("the agent has not turned for %d s", seconds))
  end
  say(applet, 200, "ok")
end

local ROUTES = {
  ["/status.json"] = {status_json, query.STATUS},
  ["/events.json"] = {events_json, query.EVENTS},
  ["/ready"] = {ready, query.NONE},
  ["/healthz"] = {healthz, query.NONE},
}

local function serve(deps, applet)
  local route = ROUTES[applet.path]
  if not route then
    return say(applet, 404, "not here: /status.json /events.json /ready " ..
      "/healthz")
  elseif applet.method ~= "GET" and applet.method ~= "HEAD" then
    return answer(applet, 405, {["content-type"] = TEXT, allow = "GET, HEAD"},
      "only GET and HEAD\n")
  end
  local asked, wrong = query.parse(applet.qs, route[2])
  if not asked then
    return say(applet, 400, wrong)
  end
  route[1](deps, applet, asked)
end

--- Registers the service. While HAProxy loads.
-- @tparam table deps
--   `agent()`; `now()`; `wall()`; `checksum(text)`; `guarded(what, step, ...)`:
--   runs a step that may fail
function http.register(deps)
  core.register_service("synapse", "http", function(applet)
    deps.guarded("a request", serve, deps, applet)
  end)
end

return http
