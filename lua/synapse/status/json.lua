--- The status of the agent as JSON. The schema is in haproxy/STATUS.md.
--
-- Pure.
--
-- @module synapse.status.json

local cjson = require("cjson.safe")

local document = {}

--- The version of the schema: it grows when a field changes its meaning or
-- goes, not when one is added.
document.SCHEMA = 1

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
  return (text:gsub("[\x80-\xFF]", function(byte)
    return string.format("\\x%02x", byte:byte())
  end))
end

local function cleaned(value)
  if type(value) == "string" then
    return clean(value)
  elseif type(value) ~= "table" then
    return value
  end
  local copy = {}
  for key, one in pairs(value) do
    copy[cleaned(key)] = cleaned(one)
  end
  return copy
end

--- Returns an object as JSON.
-- @tparam table object with at least one field
-- @treturn string
function document.object(object)
  local text = cjson.encode(object)
  if not text:find("[\x80-\xFF]") or is_utf8(text) then
    return text
  end
  return cjson.encode(cleaned(object))
end

--- Returns a list as JSON.
-- @tparam table list
-- @tparam ?function encode of one element; `document.object` if none is given
-- @tparam ?function turn called between elements
-- @treturn string
function document.list(list, encode, turn)
  local parts = {}
  for i, one in ipairs(list) do
    if turn then
      turn()
    end
    parts[i] = (encode or document.object)(one)
  end
  return "[" .. table.concat(parts, ",") .. "]"
end

--- Returns an object with fields that are JSON already.
-- @tparam table object with at least one field
-- @tparam {{string,string},...} more name and JSON of each further field
-- @treturn string
function document.with(object, more)
  local parts = {document.object(object):sub(1, -2)}
  for _, field in ipairs(more) do
    parts[#parts + 1] = string.format('"%s":%s', field[1], field[2])
  end
  return table.concat(parts, ",") .. "}"
end

--- Returns an instance as the list shows it.
-- @tparam table it of a look
-- @treturn string
function document.instance(it)
  return document.object({
    instance = it.key, state = it.state, why = it.why, slot = it.slot,
    name = it.name, weight = it.weight, problem = it.problem,
  })
end

-- Where somebody looks closely.
local function instance_in_full(it)
  return document.object({
    instance = it.key, state = it.state, why = it.why, slot = it.slot,
    name = it.name, weight = it.weight, problem = it.problem,
    znode = it.znode, data = it.data, labels = it.labels,
    counters = it.counters,
  })
end

-- All but the instances, and `more` fields.
local function service(look, more)
  local one = look.service
  local fields = {
    {"reasons", document.list(look.reasons)},
    {"paths", document.list(look.paths)},
    {"slots", document.object({all = look.slots, used = look.used})},
    {"counts", next(look.counts) and document.object(look.counts) or "{}"},
    more,
  }
  return document.with({
    service = one.name, backend = one.backend, state = look.state,
    source = one.choice.source, number = look.number,
    counters = look.counters,
  }, fields)
end

--- Returns a service without its instances.
-- @tparam look look maybe with `counters`
-- @treturn string
function document.service_in_brief(look)
  return service(look)
end

local function instances(look, encode, turn)
  return {"instances", document.list(look.instances, encode, turn)}
end

--- Returns a service as the list shows it: states, no counters.
-- @tparam look look see `look.at`
-- @tparam function turn called between instances
-- @treturn string
function document.service(look, turn)
  look.text = look.text or
    service(look, instances(look, document.instance, turn))
  return look.text
end

--- Returns a service with all that is known of it.
-- @tparam look look with `counters`; its instances with `counters` and `data`
-- @tparam function turn called between instances
-- @treturn string
function document.service_in_full(look, turn)
  return service(look, instances(look, instance_in_full, turn))
end

local function rounded(seconds)
  return seconds and math.floor(seconds * 1e5 + 0.5) / 100
end

--- Returns how long changes took lately, in milliseconds.
-- @tparam histogram convergence
-- @treturn string
function document.convergence(convergence)
  local recent = {}
  for i, seconds in ipairs(convergence:recent()) do
    recent[i] = rounded(seconds)
  end
  return document.with({
    count = convergence.total, p50_ms = rounded(convergence:quantile(0.5)),
    p99_ms = rounded(convergence:quantile(0.99)),
  }, {{"recent_ms", document.list(recent)}})
end

--- Returns events.
-- @tparam {event,...} list
-- @tparam integer last the number of the newest event that there was
-- @tparam function turn called between events
-- @treturn string
function document.events(list, last, turn)
  return document.with({schema = document.SCHEMA, last = last},
    {{"events", document.list(list, nil, turn)}})
end

return document
