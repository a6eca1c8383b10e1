--- The formats of znodes: which field of the JSON means what.
--
-- A decoder takes the JSON of a znode and returns the fields that
-- `instance.check` reads. It does not check them: one place does that for all
-- formats. A correct registration that says that it does not serve is `false`.
--
-- Pure.
--
-- @module synapse.zookeeper.decode

local decode = {}

local function nerve(value)
  return {
    host = value.host, port = value.port, name = value.name,
    weight = value.weight, labels = value.labels,
    haproxy_server_options = value.haproxy_server_options,
  }
end

-- go-nerve keeps the znode of a service whose checks fail.
local function go_nerve(value)
  local fields = nerve(value)
  if value.available == false then
    fields.weight = 0
  end
  return fields
end

local function serverset(value, settings)
  local name, endpoint = settings.endpoint_name, value.serviceEndpoint
  local place = "serviceEndpoint"
  if name then
    place = "additionalEndpoints." .. name
    endpoint = type(value.additionalEndpoints) == "table" and
      value.additionalEndpoints[name]
  end
  if value.status ~= nil and value.status ~= "ALIVE" then
    return false
  elseif type(endpoint) ~= "table" then
    return nil, "has no " .. place
  end
  local shard = math.type(value.shard) and math.tointeger(value.shard)
  return {
    host = endpoint.host, port = endpoint.port,
    name = shard and tostring(shard) or nil,
  }
end

-- Spring Cloud writes its instance's state and labels into Curator's payload.
local function metadata_of(value)
  local payload = value.payload
  local metadata = type(payload) == "table" and payload.metadata
  return type(metadata) == "table" and #metadata == 0 and metadata or {}
end

-- A service that speaks only TLS has no other port.
local function curator(value)
  local has_port = type(value.port) == "number" or type(value.port) == "string"
  local metadata = metadata_of(value)
  local status = metadata.instance_status
  local is_up = type(status) ~= "string" or status:upper() == "UP"
  return {
    host = value.address, name = value.id,
    port = has_port and value.port or value.sslPort,
    weight = (value.enabled == false or not is_up) and 0 or nil,
    labels = next(metadata) and metadata or nil,
  }
end

local METHODS = {
  nerve = nerve, ["go-nerve"] = go_nerve, serverset = serverset,
  curator = curator,
}

--- The names of the decoders, for people.
decode.NAMES = '"nerve", "serverset", "go-nerve" or "curator"'

--- Tells whether a decoder has this name.
-- @param name
-- @treturn boolean
function decode.has(name)
  return METHODS[name] ~= nil
end

--- Returns a decoder.
-- @tparam table settings `method`; `endpoint_name` of a serverset, or nil;
--   `port`: takes the place of every znode's, or nil
-- @treturn function takes a value as JSON has it; returns fields, or false
--   where there is no instance, or nil and why it is refused
function decode.new(settings)
  local method = METHODS[settings.method]
  return function(value)
    if type(value) ~= "table" then
      return value
    end
    local fields, why = method(value, settings)
    if fields and settings.port then
      fields.port = settings.port
    end
    return fields, why
  end
end

return decode
