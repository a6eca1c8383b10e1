--- The commands that HAProxy refused, and when each is tried again.
--
-- One for each slot: the next refusal of the slot waits twice as long.
--
-- @module synapse.haproxy.refusals

local refusals = {}
refusals.__index = refusals

local FIRST_DELAY = 1
local LONGEST_DELAY = 60

--- Returns no refusals.
-- @tparam function now returns seconds
-- @treturn refusals
function refusals.new(now)
  return setmetatable({now = now, by_slot = {}}, refusals)
end

--- Notes a refusal.
-- @tparam string slot
-- @tparam string field of the command
-- @tparam ?string text of it
-- @treturn number seconds until it is tried again
function refusals:add(slot, field, text)
  local before = self.by_slot[slot]
  local delay = before and math.min(before.delay * 2, LONGEST_DELAY) or
    FIRST_DELAY
  self.by_slot[slot] = {
    field = field, text = text, delay = delay, due = self.now() + delay,
  }
  return delay
end

--- Forgets the refusal of a slot.
-- @tparam string slot
-- @tparam ?string field nil: whatever was refused
function refusals:forget(slot, field)
  local one = self.by_slot[slot]
  if one and (not field or one.field == field) then
    self.by_slot[slot] = nil
  end
end

--- Returns which command of a slot must not be tried yet.
-- @tparam string slot
-- @treturn ?string its field
function refusals:pending(slot)
  local one = self.by_slot[slot]
  return one and self.now() < one.due and one.field or nil
end

--- Returns the command of a slot that was refused and not done since.
-- @tparam string slot
-- @treturn ?string its text
function refusals:command(slot)
  local one = self.by_slot[slot]
  return one and one.text
end

--- Tells whether a refused command is to be tried again now.
-- @treturn boolean
function refusals:is_due()
  for _, one in pairs(self.by_slot) do
    if self.now() >= one.due then
      return true
    end
  end
  return false
end

return refusals
