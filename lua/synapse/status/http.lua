--- The agent over HTTP, for `http-request use-service lua.synapse`.
--
-- Lua has one lock, so a long answer is made in slices of 0.2 ms, and other
-- work runs in between. Only GET and HEAD are allowed, and no request changes
-- anything.
--
-- @module synapse.status.http

local json = require("synapse.status.json")
local metrics = require("synapse.status.metrics")
local query = require("synapse.status.query")
local report = require("synapse.status.report")

local http = {}

-- An answer is sent in parts of about this many bytes.
local PART = 8192
local COUNTERS_TIMEOUT = 0.5

--- The documents that the page leads to.
http.DOCUMENTS = {"haproxy/OPERATE.md", "haproxy/README.md",
  "haproxy/STATUS.md", "haproxy/TROUBLESHOOTING.md", "lua/README.md"}

local JSON = "application/json"
local TEXT = "text/plain; charset=utf-8"

-- No answer may load or run anything. Only the page has another policy.
local NOTHING = "default-src 'none'; frame-ancestors 'none'"

local function start(applet, code, headers)
  applet:set_status(code)
  applet:add_header("cache-control", "no-cache")
  applet:add_header("x-content-type-options", "nosniff")
  applet:add_header("referrer-policy", "no-referrer")
  if not headers["content-security-policy"] then
    applet:add_header("content-security-policy", NOTHING)
  end
  for name, value in pairs(headers) do
    applet:add_header(name, value)
  end
  applet:start_response()
end

local function answer(applet, code, headers, text)
  headers["content-length"] = tostring(#text)
  start(applet, code, headers)
  if applet.method ~= "HEAD" then
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

-- Sends what `each` puts, in parts.
local function stream(applet, headers, each)
  start(applet, 200, headers)
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

local function page(deps, applet)
  local page_file = deps.page(function(text)
    return applet.c:base64(applet.c:sha2(text, 256))
  end)
  -- With a 304 a browser applies that answer's policy to the page that it has.
  local headers = {
    etag = page_file.tag, ["content-security-policy"] = page_file.policy,
  }
  if is_known(applet, page_file.tag) then
    return start(applet, 304, headers)
  end
  headers["content-type"] = "text/html; charset=utf-8"
  answer(applet, 200, headers, page_file.text)
end

local function document(deps, applet)
  answer(applet, 200, {["content-type"] = TEXT}, deps.documents[applet.path])
end

local function timed(deps, head)
  return head:sub(1, -2) .. string.format(',"time":%.3f}', deps.wall())
end

-- Sends a head with `services` put into it, each as `encode` gives it.
local function send_services(visit, head, views, encode, put)
  put(head:sub(1, -2) .. ',"services":[')
  for i, view in ipairs(views) do
    visit.turn()
    put((i > 1 and ",\n" or "\n") .. encode(view, visit.turn))
  end
  put("]}\n")
end

-- Asks for HAProxy's counters first. If the answer takes too long, the last
-- ones are used.
local function fetch(agent, views, visit)
  local names = {}
  for i, view in ipairs(views) do
    names[i] = view.name
  end
  local order = agent:order("count_sessions", names)
  visit.await(function() return agent:is_counted(order, names) end,
    COUNTERS_TIMEOUT)
end

-- Returns the function that encodes a service with its counters, in brief or in
-- full.
local function with_counters(agent, asked, views, visit)
  if asked.instances == false then
    return function(view)
      return json.service_in_brief(
        report.in_brief(agent, view, asked.history))
    end
  end
  fetch(agent, views, visit)
  return function(view, turn)
    return json.service_in_full(report.in_full(agent, view, turn), turn)
  end
end

-- Returns what is wrong with a question, or nil.
local function objection(asked)
  if asked.history and not asked.counters then
    return "history: only with counters=1"
  elseif asked.counters and not asked.service and
    (asked.limit or math.huge) > query.MOST
  then
    return string.format("counters: only with service, or with limit up to " ..
      "%d", query.MOST)
  end
  return nil
end

local function encoder(agent, asked, views, visit)
  if asked.counters then
    return with_counters(agent, asked, views, visit)
  end
  return asked.instances == false and json.service_in_brief or
    json.service
end

local function status_json(deps, applet, asked, visit)
  local wrong = objection(asked)
  if wrong then
    return say(applet, 400, wrong)
  end
  local agent, headers = deps.agent(), {["content-type"] = JSON}
  local status = report.status(agent, asked, visit)
  if not asked.counters then
    headers.etag = string.format('W/"%s"',
      deps.checksum(status.head .. applet.qs))
    if is_known(applet, headers.etag) then
      return start(applet, 304, {etag = headers.etag})
    end
  end
  local encode = encoder(agent, asked, status.views, visit)
  local head = timed(deps, status.head)
  stream(applet, headers, function(put)
    send_services(visit, head, status.views, encode, put)
  end)
end

local function events_json(deps, applet, asked, visit)
  local list, last = report.events(deps.agent(), asked, visit)
  answer(applet, 200, {["content-type"] = JSON},
    json.events(list, last, visit.turn) .. "\n")
end

local function metrics_text(deps, applet, _, visit)
  local agent = deps.agent()
  local views = report.views(agent, visit)
  stream(applet, {["content-type"] = "text/plain; version=0.0.4"},
    function(put)
      metrics.put(agent, views, function(text)
        visit.turn()
        put(text)
      end)
    end)
end

local function ready(deps, applet, _, visit)
  local unread = report.unread(deps.agent(), visit)
  if #unread == 0 then
    return say(applet, 200, "ready")
  end
  say(applet, 503, "not read yet, neither from ZooKeeper nor from a " ..
    "snapshot:\n" .. table.concat(unread, "\n"))
end

local function healthz(deps, applet)
  local death = report.death(deps.agent())
  say(applet, death and 503 or 200, death or "ok")
end

local ROUTES = {
  ["/"] = {page, query.NONE},
  ["/status.json"] = {status_json, query.STATUS},
  ["/events.json"] = {events_json, query.EVENTS},
  ["/metrics"] = {metrics_text, query.NONE},
  ["/ready"] = {ready, query.NONE},
  ["/healthz"] = {healthz, query.NONE},
}
local DOCUMENT = {document, query.NONE}

local function serve(deps, applet)
  local route = ROUTES[applet.path] or
    deps.documents[applet.path] and DOCUMENT
  if not route then
    return say(applet, 404, "not here: / /status.json /events.json " ..
      "/metrics /ready /healthz")
  elseif applet.method ~= "GET" and applet.method ~= "HEAD" then
    return answer(applet, 405, {["content-type"] = TEXT, allow = "GET, HEAD"},
      "only GET and HEAD\n")
  end
  local asked, wrong = query.parse(applet.qs, route[2])
  if not asked then
    return say(applet, 400, wrong)
  end
  route[1](deps, applet, asked, deps.visit(applet))
end

--- Returns the service, for `core.register_service`.
-- @tparam table deps
--   `agent()`; `visit(applet)`, see `runtime.visit`; `wall()`;
--   `checksum(text)`; `page(hash)`, see `http.page`; `documents`: the text of
--   each of `http.DOCUMENTS` that there is, by its path here;
--   `guarded(what, step, ...)`: runs a step that may fail
-- @treturn function takes the applet of a request
function http.service(deps)
  return function(applet)
    deps.guarded("a request", serve, deps, applet)
  end
end

local POLICY = "default-src 'none'; connect-src 'self'; img-src data:; " ..
  "style-src 'sha256-%s'; script-src 'sha256-%s'; base-uri 'none'; " ..
  "form-action 'none'; frame-ancestors 'none'; " ..
  "require-trusted-types-for 'script'"

--- Returns a function that gives the status page. Its policy names the page's
-- own style and script by their hashes, so that nothing else runs, whatever a
-- znode puts into the page.
-- @tparam string text HTML with one `<style>` and one `<script>`
-- @treturn function takes `hash(text)`, SHA-256 in base64, and returns
--   `{text, tag, policy}`
function http.page(text)
  local style = text:match("<style>(.-)</style>")
  local script = text:match("<script>(.-)</script>")
  local page_file
  return function(hash)
    page_file = page_file or {
      text = text, tag = '"' .. hash(text) .. '"',
      policy = POLICY:format(hash(style), hash(script)),
    }
    return page_file
  end
end

return http
