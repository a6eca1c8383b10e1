--- The host names among the instances of a service: whether they can be
-- served, and the last address that HAProxy found for each.
--
-- @module synapse.service.host_names

local hostname = require("synapse.instances.hostname")
local instance_list = require("synapse.instances.list")

local host_names = {}
host_names.__index = host_names

-- HAProxy does not report that it has found an address, so the agent asks. It
-- asks less often the longer a name does not resolve.
local FIRST_DELAY = 0.5
local LONGEST_DELAY = 30

--- Returns the host names of a service.
-- @tparam table deps
--   `name` and `backend` of the service; `has_slots`: whether any of its slots
--   is for host names; `addresses`: the last ones, by key; `now()`; `log`
-- @treturn names with `addresses`
function host_names.new(deps)
  return setmetatable({
    deps = deps, addresses = deps.addresses, awaited = {}, look_at = nil,
    delay = FIRST_DELAY,
    refused = nil,
    seen = {},        -- the instances that it was last asked to admit
  }, host_names)
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

-- Tells whether a list has a host name. If the list before it had none, only
-- what is new in it is looked at.
local function has_name(self, instances)
  local difference = instance_list.difference(self.seen, instances)
  self.seen = instances
  for _, instance in ipairs(difference.added) do
    if instance.is_name then
      return true
    end
  end
  for _, renewed in ipairs(difference.renewed) do
    if renewed.now.is_name then
      return true
    end
  end
  return self.refused ~= nil
end

--- Lists the instances that HAProxy can serve. Logs once that others are left
-- out.
-- @tparam {instance,...} instances
-- @treturn {instance,...} the same table where all can be
function host_names:admit(instances)
  if self.deps.has_slots or not has_name(self, instances) then
    return instances
  end
  local kept, refused = {}, nil
  for _, instance in ipairs(instances) do
    if instance.is_name then
      refused = refused or instance
    else
      kept[#kept + 1] = instance
    end
  end
  report(self, refused)
  return refused and kept or instances
end

--- Takes note of a slot that has a plan.
-- @tparam string slot
-- @tparam ?server wanted
-- @tparam server actual
function host_names:plan(slot, wanted, actual)
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
function host_names:learn(key, actual)
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
function host_names:forget(key)
  self.addresses[key] = nil
end

--- Tells whether it is time to ask HAProxy what it has found.
-- @treturn boolean
function host_names:is_due()
  return self.look_at ~= nil and self.deps.now() >= self.look_at
end

--- Takes note that HAProxy is asked.
function host_names:asked()
  self.look_at = nil
end

return host_names
