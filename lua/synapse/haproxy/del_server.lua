--- Deletes slots that were added and are not needed any more.
--
-- A slot is deleted after it has been empty for a while, once it has no
-- session. While its command is on its way the slot belongs to nobody, so that
-- no instance gets it: HAProxy may delete it, or keep it because a connection
-- is left. Nothing is deleted unless HAProxy deletes servers safely, see
-- `synapse.haproxy.version`.
--
-- Pure.
--
-- @module synapse.haproxy.del_server

local commands = require("synapse.haproxy.commands")

local del_server = {}

local removal = {}
removal.__index = removal

-- Seconds that a slot is empty before it is deleted, so that an instance that
-- only restarts finds it again.
local REST = 10
-- Seconds until HAProxy is asked again after it refused.
local PAUSE = 60
-- HAProxy stops all its threads for each deletion.
local MOST = 50

--- Returns a removal that has nothing to delete.
-- @tparam table deps `backend`; `can`: whether servers can be deleted; `now()`
-- @treturn removal
function del_server.new(deps)
  return setmetatable({
    backend = deps.backend, can = deps.can, now = deps.now,
    due = {},      -- when each empty slot is to be deleted
    deleting = {}, -- the kind of each slot whose command is on its way
    paused_until = 0,
  }, removal)
end

--- Notes that an added slot is empty now.
-- @tparam string slot
function removal:emptied(slot)
  if self.can then
    self.due[slot] = self.now() + REST
  end
end

--- Makes the empty slots due now.
function removal:hasten()
  for slot in pairs(self.due) do
    self.due[slot] = self.now()
  end
end

--- Tells whether HAProxy may be deleting a slot.
-- @treturn boolean
function removal:is_under_way()
  return next(self.deleting) ~= nil
end

--- Forgets a slot that HAProxy does not have any more.
-- @tparam string slot
function removal:forget(slot)
  self.due[slot] = nil
end

--- Tells whether any slot is going to be deleted.
-- @treturn boolean
function removal:is_any()
  return next(self.due) ~= nil
end

local function is_paused(self)
  return self.now() < self.paused_until
end

--- Tells whether it is time to delete a slot.
-- @treturn boolean
function removal:is_due()
  local now = self.now()
  for _, due in pairs(self.due) do
    if now >= due then
      return not is_paused(self)
    end
  end
  return false
end

local function list_due(self)
  local slots, now = {}, self.now()
  for slot, due in pairs(self.due) do
    slots[#slots + 1] = now >= due and slot or nil
  end
  table.sort(slots)
  return slots
end

--- Lists the commands that delete slots.
-- @tparam function is_used tells whether a slot has an instance
-- @tparam function is_at_rest tells whether an empty slot has nothing more to
--   do, and no session
-- @treturn {{command},...} one group for each slot, maybe none
function removal:groups(is_used, is_at_rest)
  local groups = {}
  for _, slot in ipairs(is_paused(self) and {} or list_due(self)) do
    if is_used(slot) then
      self.due[slot] = nil
    elseif not is_at_rest(slot) then
      self:emptied(slot)
    elseif #groups < MOST then
      groups[#groups + 1] = {{
        slot = slot, field = "del", deletes = true, change = {},
        text = string.format("del server %s/%s", self.backend, slot),
      }}
    end
  end
  return groups
end

--- Notes that a command is on its way.
-- @tparam string slot
-- @tparam string kind see `synapse.service.placement`
function removal:sent(slot, kind)
  self.due[slot], self.deleting[slot] = nil, kind
end

--- Notes what HAProxy said.
-- @tparam string slot
-- @tparam string answer
-- @treturn ?string the kind of the slot if it is still there
function removal:done(slot, answer)
  local kind = self.deleting[slot]
  self.deleting[slot] = nil
  return not commands.is_deleted(answer) and kind or nil
end

--- Notes a refusal.
-- @tparam string slot
-- @treturn string the kind of the slot
-- @treturn ?integer seconds until it is tried again; nil where that was known
function removal:refuse(slot)
  local kind, was_paused = self.deleting[slot], is_paused(self)
  self.deleting[slot] = nil
  self.paused_until = self.now() + PAUSE
  return kind, not was_paused and PAUSE or nil
end

--- Takes the slots whose answer was lost.
-- @treturn {[string]=string} their kinds
function removal:take_lost()
  local lost = self.deleting
  self.deleting = {}
  return lost
end

return del_server
