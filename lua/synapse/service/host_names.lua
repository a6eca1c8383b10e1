--- The host names among the instances of a service: whether they can be
-- served, and the last address that HAProxy found for each.
--
-- @module synapse.service.host_names

local hostname = require("synapse.instances.hostname")

local names = {}
names.__index = names

-- HAProxy tells nobody that it has found an address: it is asked, seldom if a
-- name does not resolve for long.
local FIRST_DELAY = 0.5
local LONGEST_DELAY = 30

--- Returns what is known of names.
-- @tparam table deps
--   `name` and `backend` of the service; `has_slots`: whether any of its slots
--   is for names; `addresses`: the last ones, by key; `now()`; `log`
-- @treturn names with `addresses`
function names.new(deps)
  return setmetatable({
    deps = deps, addresses = deps.addresses, awaited = {}, look_at = nil,
    delay = FIRST_DELAY,
    refused = nil,
  }, names)
end

local function report(self, refused)
  local deps = self.deps
  if refused and not self.refused then
    deps.log:warning("%s: %s has a host name; refused, backend %s has no " ..
      "slot for it: add a line `server-template n 1-4 240.0.0.1:1 resolvers " ..
      "<section> disabled`", deps.name, refused.key, deps.backend)
  end
  self.refused = refused
end

--- Lists the instances that HAProxy can serve. Where some are left out, that is
-- said, once.
-- @tparam {instance,...} instances
-- @treturn {instance,...} the same table where all can be
function names:admit(instances)
  if self.deps.has_slots then
    return instances
  end
  local kept, refused = {}, nil
  for _, one in ipairs(instances) do
    if one.is_name then
      refused = refused or one
    else
      kept[#kept + 1] = one
    end
  end
  report(self, refused)
  return refused and kept or instances
end

--- Takes note of a slot that has a plan.
-- @tparam string slot
-- @tparam ?server wanted
-- @tparam server actual
function names:plan(slot, wanted, actual)
  self.awaited[slot] = hostname.is_awaited(wanted, actual) or nil
  if self.awaited[slot] and actual.fqdn ~= wanted.fqdn then
    self.delay = FIRST_DELAY
  end
  if self.awaited[slot] and not self.look_at then
    self.look_at = self.deps.now() + self.delay
    self.delay = math.min(self.delay * 2, LONGEST_DELAY)
  end
end

--- Takes note of what HAProxy has found.
-- @tparam string key of an instance
-- @tparam server actual
-- @treturn boolean whether that is another address than before
function names:learn(key, actual)
  if not actual.fqdn or not hostname.is_resolved(actual) or
    self.addresses[key] == actual.host
  then
    return false
  end
  self.addresses[key], self.delay = actual.host, FIRST_DELAY
  return true
end

--- Forgets an instance.
-- @tparam string key
function names:forget(key)
  self.addresses[key] = nil
end

--- Tells whether HAProxy is to be asked now what it has found.
-- @treturn boolean
function names:is_due()
  return self.look_at ~= nil and self.deps.now() >= self.look_at
end

--- Takes note that it is asked.
function names:asked()
  self.look_at = nil
end

return names
