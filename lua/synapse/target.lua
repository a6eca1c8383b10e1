--- What a slot is to be for the instance in it.
--
-- Pure.
--
-- @module synapse.target

local target = {}

-- Weight 0 always drains. Other weights are the znode's to say only where the
-- configuration lets it.
local function weight_of(one, config, initial)
  if one.weight == 0 or one.weight and config.use_nerve_weights then
    return one.weight
  end
  return initial
end

--- Returns the server wanted for an instance.
-- @tparam instance one
-- @tparam service config
-- @tparam table slot `weight`: what HAProxy's configuration gives it; `hold`:
--   the admin state that an operator gave the instance, or nil
-- @treturn server see `synapse.plan`
function target.server(one, config, slot)
  return {
    host = one.host, port = one.port,
    weight = weight_of(one, config, slot.weight),
    initial = slot.weight,
    admin = slot.hold or "ready",
  }
end

return target
