--- What an operator has done to instances by hand: maint or drain.
--
-- An operator has taken a slot out of traffic only if the agent's last
-- *acknowledged* command made it ready. Otherwise a command of the agent was
-- lost, and the comparison sends it again.
--
-- The state belongs to the address and not to the znode. An instance in maint
-- whose znode goes and comes back, or that the guard brings back, is in maint.
--
-- An operator may also give the agent an order, with a reason and an end: see
-- `synapse.service.operator_order`. Until HAProxy has carried it out, HAProxy's
-- state of the slot does not count.
--
-- @module synapse.service.operator_state

local orders = require("synapse.service.operator_order")

local operator_state = {}
operator_state.__index = operator_state

local STATES = {maint = true, drain = true}

local function clock(self)
  return {now = self.deps.now(), wall = self.deps.wall()}
end

-- An order with an end is kept until its end.
local function keep_till(self, key)
  local order = self.orders[key]
  return math.max(self.deps.now() + self.deps.keep,
    order and order.ends or -math.huge)
end

--- Returns the states that the last run left.
-- @tparam table deps
--   `states`: "maint" or "drain" by the key of the instance; `departed`:
--   `{state, till}` by the key of an instance that is gone; `keep`: seconds
--   that the state of such an instance is kept; `orders` by key, and
--   `same_boot`: whether the machine has run since they were kept; `now()`;
--   `wall()`
-- @treturn operator_state with `states`: "maint" or "drain", and `orders`, of
--   those that have one, both by key
function operator_state.new(deps)
  local self = setmetatable({
    deps = deps, states = {}, till = {}, orders = {}, awaited = {},
  }, operator_state)
  for key, state in pairs(deps.states) do
    self.states[key] = state
  end
  local kept = deps.orders or {}
  for key, departed in pairs(deps.departed) do
    if STATES[departed.state] and not self.states[key] then
      self.states[key] = departed.state
      self.till[key] = departed.till
      kept[key] = departed.order
    end
  end
  for key, order in pairs(kept) do
    self.orders[key] = self.states[key] and
      orders.resume(order, deps.same_boot, clock(self)) or nil
  end
  for key, till in pairs(self.till) do
    self.till[key] = math.min(till, keep_till(self, key))
  end
  deps.states, deps.departed, deps.orders = nil, nil, nil
  return self
end

local function forget_old(self)
  local now = self.deps.now()
  for key, till in pairs(self.till) do
    if now >= till then
      self.states[key], self.till[key], self.orders[key] = nil, nil, nil
    end
  end
end

--- Takes note that an instance is gone: its state is kept for a while.
-- @tparam string key
function operator_state:leave(key)
  forget_old(self)
  self.awaited[key] = nil
  if self.states[key] then
    self.till[key] = keep_till(self, key)
  end
end

--- Takes note that an instance has come, maybe again.
-- @tparam string key
function operator_state:come(key)
  if self.till[key] then
    forget_old(self)
    self.till[key] = nil
  end
end

--- Takes an order.
-- @tparam string key
-- @tparam string state "maint", "drain" or "ready"
-- @tparam ?string reason
-- @tparam ?number seconds after which it ends; nil: never by itself
function operator_state:order(key, state, reason, seconds)
  local is_ready = state == "ready"
  self.states[key] = not is_ready and state or nil
  self.orders[key] = not is_ready and orders.new(reason, seconds, clock(self))
    or nil
  self.awaited[key] = not self.till[key] or nil
  self.till[key] = not is_ready and self.till[key] or nil
end

--- Ends the orders whose time is over.
-- @treturn {{key=string,from=string,is_gone=boolean},...} sorted by key; empty
--   most of the time
function operator_state:expire()
  local over, now = {}, self.deps.now()
  for key, order in pairs(self.orders) do
    if orders.is_over(order, now) then
      over[#over + 1] = {
        key = key, from = self.states[key], is_gone = self.till[key] ~= nil,
      }
    end
  end
  for _, ended in ipairs(over) do
    self:order(ended.key, "ready")
  end
  table.sort(over, function(a, b) return a.key < b.key end)
  return over
end

--- Makes the ends that people see follow a clock that was set.
-- @treturn {string,...} the keys of the instances of which something else is
--   to be told
function operator_state:follow_clock()
  local changed, now = {}, clock(self)
  for key, order in pairs(self.orders) do
    local followed = orders.follow(order, now)
    if followed ~= order then
      self.orders[key] = followed
      changed[#changed + 1] = key
    end
  end
  return changed
end

--- Tells whether an order may not be carried out yet.
-- @tparam string key
-- @treturn boolean
function operator_state:is_awaited(key)
  return self.awaited[key] == true
end

--- Returns the states of the instances that are gone.
-- @treturn {[string]={state=string,till=number,order=?order}} by key
function operator_state:departed()
  local departed = {}
  for key, till in pairs(self.till) do
    departed[key] = {
      state = self.states[key], till = till, order = self.orders[key],
    }
  end
  return departed
end

-- A drain that our own command has not brought into the slot yet looks like a
-- maint.
local function is_ours_to_do(before, acknowledged, admin)
  return before == "drain" and admin == "maint" and
    acknowledged ~= "drain" and acknowledged ~= "ready"
end

local function state_of(before, acknowledged, admin)
  if is_ours_to_do(before, acknowledged, admin) then
    return before
  elseif admin ~= "ready" and (before or acknowledged == "ready") then
    return admin
  end
  return nil
end

-- Tells whether an order is still on its way.
local function is_under_way(self, key, acknowledged, admin)
  local wanted = self.states[key] or "ready"
  if self.awaited[key] and
    (acknowledged == wanted or admin == wanted)
  then
    self.awaited[key] = nil
  end
  return self.awaited[key] == true
end

-- What an operator does by hand has neither a reason nor an end.
local function set(self, key, state)
  self.states[key], self.orders[key] = state, nil
end

--- Compares what HAProxy says with what was acknowledged.
-- @tparam {[string]=string} placed key of the instance in each slot
-- @tparam {[string]=string} acknowledged the admin state of each slot that
--   HAProxy last acknowledged, or "unknown" after a lost command
-- @tparam {[string]=server} actual by slot
-- @treturn {{key, from, to},...} what changed, sorted by key
function operator_state:observe(placed, acknowledged, actual)
  local changes = {}
  for slot, key in pairs(placed) do
    local before = self.states[key]
    local admin = actual[slot].admin
    local is_news = not is_under_way(self, key, acknowledged[slot], admin)
    local now = is_news and state_of(before, acknowledged[slot], admin)
    if is_news and now ~= before then
      set(self, key, now)
      changes[#changes + 1] = {
        key = key, from = before or "ready", to = now or "ready",
      }
    end
  end
  table.sort(changes, function(a, b) return a.key < b.key end)
  return changes
end

return operator_state
