--- What an operator has done to instances by hand: maint or drain.
--
-- A slot out of traffic is the operator's doing only where our last
-- *acknowledged* command made it ready. Otherwise a command of ours was lost,
-- and the comparison sends it again.
--
-- The state belongs to the address and not to the znode. An instance in maint
-- whose znode goes and comes back, or that the guard brings back, is in maint.
--
-- @module synapse.service.operator_state

local operator_state = {}
operator_state.__index = operator_state

local STATES = {maint = true, drain = true}

--- Returns the states that the last run left.
-- @tparam table deps
--   `states`: "maint" or "drain" by the key of the instance; `departed`:
--   `{state, till}` by the key of an instance that is gone; `keep`: seconds
--   that the state of such an instance is kept; `now()`
-- @treturn operator_state with `states`: "maint" or "drain", by key
function operator_state.new(deps)
  local self = setmetatable({
    deps = deps, states = {}, till = {},
  }, operator_state)
  for key, state in pairs(deps.states) do
    self.states[key] = state
  end
  local most = deps.now() + deps.keep
  for key, departed in pairs(deps.departed) do
    if STATES[departed.state] and not self.states[key] then
      self.states[key] = departed.state
      self.till[key] = math.min(departed.till, most)
    end
  end
  deps.states, deps.departed = nil, nil
  return self
end

local function forget_old(self)
  local now = self.deps.now()
  for key, till in pairs(self.till) do
    if now >= till then
      self.states[key], self.till[key] = nil, nil
    end
  end
end

--- Takes note that an instance is gone: its state is kept for a while.
-- @tparam string key
function operator_state:leave(key)
  forget_old(self)
  if self.states[key] then
    self.till[key] = self.deps.now() + self.deps.keep
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

--- Returns the states of the instances that are gone.
-- @treturn {[string]={state=string,till=number}} by key
function operator_state:departed()
  local departed = {}
  for key, till in pairs(self.till) do
    departed[key] = {state = self.states[key], till = till}
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
    local now = state_of(before, acknowledged[slot], actual[slot].admin)
    if now ~= before then
      self.states[key] = now
      changes[#changes + 1] = {
        key = key, from = before or "ready", to = now or "ready",
      }
    end
  end
  table.sort(changes, function(a, b) return a.key < b.key end)
  return changes
end

return operator_state
