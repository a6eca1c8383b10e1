--- What a slot is to be for the instance in it.
--
-- Pure.
--
-- @module synapse.haproxy.target

local target = {}

-- Weight 0 always drains. Another weight of the znode counts only where the
-- configuration says so, and then before that of its server options. A static
-- balancing algorithm takes no other than 0 and the first one.
local function weight_of(one, config, initial)
  if one.weight == 0 then
    return 0
  elseif config.has_fixed_weights then
    return initial
  elseif one.weight and config.use_nerve_weights then
    return one.weight
  end
  return one.server_weight or initial
end

-- A name is for HAProxy to resolve; until it has, the last address will do.
local function host_of(one, address)
  if one.is_name then
    return address
  end
  return one.host
end

--- Returns the server wanted for an instance.
-- @tparam instance one
-- @tparam service config
-- @tparam table slot `weight` and `maxconn`: what HAProxy's configuration gives
--   it; `hold`: the admin state that an operator gave the instance, or nil;
--   `address`: the last one of its name, or nil; `is_retained`: whether the
--   guard keeps the instance
-- @treturn server see `synapse.haproxy.plan`
function target.server(one, config, slot)
  return {
    fqdn = one.is_name and one.host or nil,
    host = host_of(one, slot.address),
    port = one.port,
    weight = weight_of(one, config, slot.weight),
    initial = slot.weight,
    maxconn = one.maxconn or slot.maxconn,
    admin = slot.hold or "ready",
    starts_down = slot.is_retained,
  }
end

return target
