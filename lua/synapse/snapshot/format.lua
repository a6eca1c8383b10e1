--- The last known instances, as text with a checksum.
--
-- One line of heading, then JSON:
--
--     myelin-snapshot <version> <checksum of the rest> <its length>
--
-- Whatever is read back passes the same checks as a znode, because HAProxy's
-- user can write the file, and root reads it.
--
-- Pure.
--
-- @module synapse.snapshot.format

local address = require("synapse.instances.address")
local cjson = require("cjson.safe")
local instances = require("synapse.instances.instance")
local operator_order = require("synapse.service.operator_order")

local snapshot = {}

local VERSION = 1
local HEADING = "^myelin%-snapshot (%d+) (%x+) (%d+)\n()"

--- The most that is ever read.
snapshot.MAX_BYTES = 64 * 1024 * 1024

-- What HAProxy accepts as the name of a server.
local SERVER_NAME = "^[%w_.:-]+$"

-- Instances that are encoded between two looks at the clock.
local STEP = 50

-- Bytes of the addresses of one ensemble.
local MOST_ADDRESSES = 8192

local HOLDS = {maint = true, drain = true}

local function encode_instance(record, instance, slot)
  return cjson.encode({
    host = instance.host, port = instance.port, weight = instance.weight,
    name = instance.name, haproxy_server_options = instance.options,
    labels = instance.labels, znode = instance.znode,
    sequence = instance.sequence, origin = instance.origin,
    slot = slot, address = record.addresses[instance.key],
    hold = record.states[instance.key], order = record.orders[instance.key],
    retained = record.retained[instance.key],
    check = record.failing[instance.key] and "fails" or nil,
    since = record.since[instance.key],
  })
end

-- Encodes a service without its instances.
local function encode_rest(record)
  local departed = {}
  for key, state in pairs(record.departed) do
    table.insert(departed,
      {instance = key, state = state.state, till = state.till,
        order = state.order})
  end
  return cjson.encode({
    name = record.name, path = record.path, read_as = record.read_as,
    blank = record.blank, found = record.found,
    departed = #departed > 0 and departed or nil, boot = record.boot,
  })
end

--- Begins one service's part of a snapshot.
-- @tparam record record `name`, `path`, `read_as` (see `config.service`),
--   `blank`: the blank backend that it has, see `synapse.spare`, `found`: of
--   one that was found in ZooKeeper, see `synapse.config.found`,
--   `instances`, `placed` (key by slot), `states` that operators gave (by key),
--   `retained`, until when each stays (by key), `addresses`, the last one of
--   each host name (by key), `orders` of operators (by key), and the `boot`
--   that they are of, `departed`, see `synapse.service.operator_state`,
--   `failing`, whose check fails, and `since`, when HAProxy last took each in
--   or out of traffic, in seconds since 1970 (by key)
-- @treturn table for `continue_service`
function snapshot.begin_service(record)
  local slot_of = {}
  for slot, key in pairs(record.placed) do
    slot_of[key] = slot
  end
  return {record = record, slot_of = slot_of, texts = {}}
end

--- Encodes some of the instances of a service's part.
-- @tparam table part
-- @tparam function is_tired asked now and then: whether it is enough for now
-- @treturn ?string the part, nil before it is complete
function snapshot.continue_service(part, is_tired)
  local record, texts = part.record, part.texts
  while #texts < #record.instances do
    local instance = record.instances[#texts + 1]
    texts[#texts + 1] =
      encode_instance(record, instance, part.slot_of[instance.key])
    if #texts % STEP == 0 and is_tired() then
      return nil
    end
  end
  return '{"instances":[' .. table.concat(texts, ",") .. "]," ..
    encode_rest(record):sub(2)
end

-- Always in the same order, so that the same addresses give the same text.
local function encode_addresses(addresses)
  local names = {}
  for hosts in pairs(addresses or {}) do
    names[#names + 1] = hosts
  end
  table.sort(names)
  for i, hosts in ipairs(names) do
    names[i] = cjson.encode(hosts) .. ":" .. cjson.encode(addresses[hosts])
  end
  return "{" .. table.concat(names, ",") .. "}"
end

local function append(whole, text)
  whole.texts[#whole.texts + 1] = text
  whole.length = whole.length + #text
  whole.sum = whole.checksum(text, whole.sum)
end

--- Begins a snapshot without services.
-- @tparam function checksum of a text, or of one that follows another
-- @tparam ?{[string]=string} addresses the last known ones of the hosts that
--   the configuration names, by these
-- @treturn table
function snapshot.begin(checksum, addresses)
  local whole = {texts = {""}, length = 0, checksum = checksum, number = 0}
  append(whole, '{"addresses":' .. encode_addresses(addresses) ..
    ',\n"services":[')
  return whole
end

--- Adds a service's part to a snapshot that was begun.
-- @tparam table whole
-- @tparam string part
-- @tparam ?string history of the service, numbers and spaces: it changes more
--   often than the part
function snapshot.add(whole, part, history)
  append(whole, whole.number > 0 and ",\n" or "")
  append(whole, history and
    string.format('{"history":"%s",%s', history, part:sub(2)) or part)
  whole.number = whole.number + 1
end

--- Ends a snapshot.
-- @tparam table whole
-- @treturn string its text
function snapshot.finish(whole)
  append(whole, "]}\n")
  whole.texts[1] = string.format("myelin-snapshot %d %s %d\n", VERSION,
    whole.sum, whole.length)
  return table.concat(whole.texts)
end

local function string_or_nil(value, max)
  return type(value) == "string" and #value <= max and value or nil
end

-- No clock ever reaches a NaN.
local function finite_or_nil(value)
  return type(value) == "number" and value - value == 0 and value or nil
end

-- Returns an operator's order, or nil if the value is none.
local function decode_order(fields)
  local since = type(fields) == "table" and finite_or_nil(fields.since)
  local reason = since and string_or_nil(fields.reason,
    operator_order.MAX_REASON)
  if not since or reason and operator_order.objection(reason) then
    return nil
  end
  return {
    reason = reason, since = since, till = finite_or_nil(fields.till),
    ends = finite_or_nil(fields.ends),
  }
end

local function decode_instance(record, fields)
  local instance = instances.check(fields)
  if not instance then
    return
  end
  local sequence = fields.sequence
  instance.znode = string_or_nil(fields.znode, 100000)
  instance.origin = string_or_nil(fields.origin, 100000)
  instance.sequence = type(sequence) == "number" and math.tointeger(sequence) or
    nil
  table.insert(record.instances, instance)
  if string_or_nil(fields.slot, 255) then
    record.placed[fields.slot] = instance.key
  end
  record.states[instance.key] = HOLDS[fields.hold] and fields.hold or nil
  record.orders[instance.key] = decode_order(fields.order)
  record.retained[instance.key] = finite_or_nil(fields.retained)
  record.failing[instance.key] = fields.check == "fails" or nil
  record.since[instance.key] = finite_or_nil(fields.since)
  record.addresses[instance.key] = instance.is_name and
    type(fields.address) == "string" and address.canonical(fields.address) or
    nil
end

local function decode_departed(record, list)
  for _, fields in ipairs(type(list) == "table" and list or {}) do
    if type(fields) == "table" and string_or_nil(fields.instance, 300) and
      HOLDS[fields.state] and finite_or_nil(fields.till)
    then
      record.departed[fields.instance] =
        {state = fields.state, till = fields.till,
          order = decode_order(fields.order)}
    end
  end
end

-- Of a service that was found in ZooKeeper.
local function decode_found(fields)
  if type(fields) ~= "table" then
    return nil
  end
  if fields.port == false then
    return {port = false}
  end
  local port = math.type(fields.port) and math.tointeger(fields.port)
  return {port = port and port >= 1 and port <= 65535 and port or nil}
end

local function decode_service(fields)
  if type(fields) ~= "table" or type(fields.name) ~= "string" or
    type(fields.path) ~= "string" or type(fields.instances) ~= "table"
  then
    return nil
  end
  local record = {
    name = fields.name, path = fields.path,
    read_as = string_or_nil(fields.read_as, 100000),
    blank = string_or_nil(fields.blank, 255),
    found = decode_found(fields.found),
    instances = {}, placed = {}, states = {}, retained = {}, addresses = {},
    departed = {}, failing = {}, since = {}, orders = {},
    boot = string_or_nil(fields.boot, 100),
    history = string_or_nil(fields.history, 10000),
  }
  for _, element in ipairs(fields.instances) do
    decode_instance(record, element)
  end
  decode_departed(record, fields.departed)
  return record
end

-- Tells whether a text is "address:port,...".
local function are_addresses(text)
  if type(text) ~= "string" or #text > MOST_ADDRESSES then
    return false
  end
  for server in (text .. ","):gmatch("([^,]*),") do
    local host, port = server:match("^%[?(.-)%]?:(%d%d?%d?%d?%d?)$")
    if not host or not address.canonical(host) or tonumber(port) > 65535 then
      return false
    end
  end
  return true
end

local function decode_addresses(value)
  local addresses = {}
  for hosts, text in pairs(type(value) == "table" and value or {}) do
    if type(hosts) == "string" and are_addresses(text) then
      addresses[hosts] = text
    end
  end
  return addresses
end

--- Reads a snapshot.
-- @tparam string text
-- @tparam function checksum
-- @treturn {[string]=record} by the service's name
-- @treturn nil
-- @treturn {[string]=string} addresses, as they were written
-- @treturn[2] nil
-- @treturn[2] string "foreign": not ours, to be left alone; "version": of
--   another version; "damaged"
function snapshot.decode(text, checksum)
  local version, sum, length, start = text:match(HEADING)
  if not version then
    return nil, text == "" and "damaged" or "foreign"
  elseif version ~= tostring(VERSION) then
    return nil, "version"
  end
  local body = text:sub(start)
  local value = #body == tonumber(length) and sum == checksum(body) and
    cjson.decode(body)
  if type(value) ~= "table" or type(value.services) ~= "table" then
    return nil, "damaged"
  end
  local records = {}
  for _, fields in ipairs(value.services) do
    local record = decode_service(fields)
    if record then
      records[record.name] = record
    end
  end
  return records, nil, decode_addresses(value.addresses)
end

--- Returns the record of a service as it is configured now. If its znodes are
-- now read in another way, the record counts as old: its addresses may be
-- wrong.
-- @tparam {[string]=record} records
-- @tparam service config
-- @treturn ?record
function snapshot.record_of(records, config)
  local record = records[config.name]
  if not record or record.path ~= config.path then
    return nil
  end
  record.is_old = record.is_old or record.read_as ~= config.read_as
  return record
end

--- Lists the servers that a record has in slots, without those with host names.
-- @tparam record record
-- @treturn {{slot,key,host,port,admin,since},...} `since`: when it came into
--   traffic, 0 where that is long ago
function snapshot.servers(record)
  local servers, by_key = {}, {}
  for _, instance in ipairs(record.instances) do
    by_key[instance.key] = instance
  end
  for slot, key in pairs(record.placed) do
    local instance = by_key[key]
    if not instance.is_name and slot:find(SERVER_NAME) then
      servers[#servers + 1] = {
        slot = slot, key = key, host = instance.host, port = instance.port,
        admin = record.states[key] or "ready",
        since = math.tointeger(record.since[key] or 0) or 0,
      }
    end
  end
  return servers
end

return snapshot
