--- The status of the agent as JSON. The schema is in haproxy/STATUS.md.
--
-- Pure.
--
-- @module synapse.status.json

local cjson = require("cjson.safe")
local escape = require("synapse.escape")

local json = {}

--- The version of the schema: it grows when a field changes its meaning or
-- goes, not when one is added.
json.SCHEMA = 1

-- Not UTF-8, though `utf8.len` of Lua 5.3 takes it: surrogates, and what is
-- above the last character.
local function is_utf8(text)
  return utf8.len(text) and not text:find("\xED[\xA0-\xBF]") and
    not text:find("\xF4[\x90-\xBF]") and not text:find("[\xF5-\xFF]")
end

-- A znode may hold any bytes, JSON only UTF-8.
local function clean(text)
  if not text:find("[\x80-\xFF]") or is_utf8(text) then
    return text
  end
  return escape(text, "[\x80-\xFF]")
end

local function cleaned(value)
  if type(value) == "string" then
    return clean(value)
  elseif type(value) ~= "table" then
    return value
  end
  local copy = {}
  for key, element in pairs(value) do
    copy[cleaned(key)] = cleaned(element)
  end
  return copy
end

--- Returns an object as JSON.
-- @tparam table object with at least one field
-- @treturn string
function json.object(object)
  local text = cjson.encode(object)
  if not text:find("[\x80-\xFF]") or is_utf8(text) then
    return text
  end
  return cjson.encode(cleaned(object))
end

--- Returns a list as JSON.
-- @tparam table list
-- @tparam ?function encode of one element; `json.object` if none is given
-- @tparam ?function turn called between elements
-- @treturn string
function json.list(list, encode, turn)
  local parts = {}
  for i, element in ipairs(list) do
    if turn then
      turn()
    end
    parts[i] = (encode or json.object)(element)
  end
  return "[" .. table.concat(parts, ",") .. "]"
end

--- Returns an object with fields that are JSON already.
-- @tparam table object with at least one field
-- @tparam {{string,string},...} more name and JSON of each further field
-- @treturn string
function json.with(object, more)
  local parts = {json.object(object):sub(1, -2)}
  for _, field in ipairs(more) do
    parts[#parts + 1] = string.format('"%s":%s', field[1], field[2])
  end
  return table.concat(parts, ",") .. "}"
end

--- Returns an instance as the list shows it.
-- @tparam table instance of a view
-- @treturn string
function json.instance(instance)
  return json.object({
    instance = instance.key, state = instance.state, why = instance.why,
    slot = instance.slot, name = instance.name, weight = instance.weight,
    problem = instance.problem, operator = instance.operator,
  })
end

-- For one service that somebody looks at closely.
local function instance_in_full(instance)
  return json.object({
    instance = instance.key, state = instance.state, why = instance.why,
    slot = instance.slot, name = instance.name, weight = instance.weight,
    problem = instance.problem, znode = instance.znode, data = instance.data,
    labels = instance.labels, counters = instance.counters,
    operator = instance.operator, differences = instance.differences,
  })
end

-- All but the instances, and `more` fields.
local function service(view, ...)
  local fields = {
    {"reasons", json.list(view.reasons)},
    {"paths", json.list(view.paths)},
    {"slots", json.object({all = view.slots, used = view.used})},
    {"counts", next(view.counts) and json.object(view.counts) or "{}"},
    ...
  }
  return json.with({
    service = view.name, backend = view.backend, state = view.state,
    source = view.source, number = view.number,
    counters = view.counters,
  }, fields)
end

local function history(view)
  return {"history", json.list(view.history)}
end

--- Returns a service without its instances.
-- @tparam view view maybe with `counters`, and with `history`
-- @treturn string
function json.service_in_brief(view)
  return service(view, view.history and history(view))
end

local function instances(view, encode, turn)
  return {"instances", json.list(view.instances, encode, turn)}
end

--- Returns a service as the list shows it: states, no counters.
-- @tparam view view see `view.continue`
-- @tparam function turn called between instances
-- @treturn string
function json.service(view, turn)
  view.text = view.text or
    service(view, instances(view, json.instance, turn))
  return view.text
end

--- Returns a service with all that is known of it.
-- @tparam view view with `counters` and `history`; its instances with
--   `counters` and `data`
-- @tparam function turn called between instances
-- @treturn string
function json.service_in_full(view, turn)
  return service(view, history(view),
    instances(view, instance_in_full, turn))
end

local function rounded(seconds)
  return seconds and math.floor(seconds * 1e5 + 0.5) / 100
end

--- Returns how long changes took lately, in milliseconds.
-- @tparam histogram convergence
-- @treturn string
function json.convergence(convergence)
  local recent = {}
  for i, seconds in ipairs(convergence:recent()) do
    recent[i] = rounded(seconds)
  end
  return json.with({
    count = convergence.total, p50_ms = rounded(convergence:quantile(0.5)),
    p99_ms = rounded(convergence:quantile(0.99)),
  }, {{"recent_ms", json.list(recent)}})
end

--- Returns events.
-- @tparam {event,...} list
-- @tparam integer last the number of the newest event that there was
-- @tparam function turn called between events
-- @treturn string
function json.events(list, last, turn)
  return json.with({schema = json.SCHEMA, last = last},
    {{"events", json.list(list, nil, turn)}})
end

-- Numbers stand for names, the same ones in all of a dump.
local function new_alias(what)
  local known, last = {}, 0
  return function(name)
    if name == nil then
      return nil
    elseif not known[name] then
      last = last + 1
      known[name] = what .. "-" .. last
    end
    return known[name]
  end
end

local function service_without_names(view, alias)
  local states, listed = {}, {}
  for i, path in ipairs(view.paths) do
    states[i] = path.state
  end
  for i, instance in ipairs(view.instances) do
    listed[i] = {state = instance.state,
      instance = alias.instance(instance.key)}
  end
  return json.with({
    service = alias.service(view.name), state = view.state,
    source = view.source, slots = view.slots, used = view.used,
    drift = view.drift,
  }, {
    {"paths", json.list(states)}, {"instances", json.list(listed)},
  })
end

local function event_without_names(event, alias)
  return json.object({
    time = event.time, service = alias.service(event.service),
    instance = alias.instance(event.instance), count = event.count,
    from = event.from, to = event.to, ms = event.ms,
  })
end

local function session_without_names(session, alias)
  return json.object({
    ensemble = alias.ensemble(session.hosts), state = session.state,
    since = session.since, timeout = session.timeout,
    expiries = session.expiries, connections = session.connections,
  })
end

--- Returns what a report of a bug needs, and no name, address, label or data of
-- anybody.
-- @tparam table facts `about`: plain fields; `sessions`, `troubles`,
--   `convergence`, `views` and `events`
-- @tparam function turn called between elements
-- @treturn string
function json.dump(facts, turn)
  local alias = {service = new_alias("service"),
    instance = new_alias("instance"), ensemble = new_alias("ensemble")}
  local function list(all, encode)
    return json.list(all, function(element)
      return encode(element, alias)
    end, turn)
  end
  return json.with(facts.about, {
    {"sessions", list(facts.sessions, session_without_names)},
    {"troubles", json.list(facts.troubles)},
    {"convergence", json.convergence(facts.convergence)},
    {"services", list(facts.views, service_without_names)},
    {"events", list(facts.events, event_without_names)},
  })
end

return json
