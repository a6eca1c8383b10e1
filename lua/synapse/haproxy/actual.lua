--- What HAProxy is known to have in the slots of one service, and what it
-- refused.
--
-- A change of one server must be fast also in a backend of a thousand. So a
-- plan looks only at the marked slots: those that may differ from what is
-- wanted.
--
-- @module synapse.haproxy.actual

local hostname = require("synapse.instances.hostname")
local plan = require("synapse.haproxy.plan")

local actual_slots = {}
actual_slots.__index = actual_slots

-- Seconds after which an address that HAProxy does not use is sent again.
local LOST_MOVE = 1

-- If more slots than this are marked, a plan goes through all slots.
local FEW = 32

-- The commands that HAProxy refused, at most one for each slot, and when each
-- is tried again. The next refusal of the same slot waits twice as long.
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
-- @tparam ?string answer what HAProxy said
-- @treturn number seconds until it is tried again
function refusals:add(slot, field, text, answer)
  local before = self.by_slot[slot]
  local delay = before and math.min(before.delay * 2, LONGEST_DELAY) or
    FIRST_DELAY
  self.by_slot[slot] = {
    field = field, text = text, answer = answer, delay = delay,
    due = self.now() + delay,
  }
  return delay
end

--- Forgets the refusal of a slot.
-- @tparam string slot
-- @tparam ?string field nil: whatever was refused
function refusals:forget(slot, field)
  local refusal = self.by_slot[slot]
  if refusal and (not field or refusal.field == field) then
    self.by_slot[slot] = nil
  end
end

--- Returns which command of a slot must not be tried yet.
-- @tparam string slot
-- @treturn ?string its field
function refusals:pending(slot)
  local refusal = self.by_slot[slot]
  return refusal and self.now() < refusal.due and refusal.field or nil
end

--- Returns the command of a slot that was refused and not done since.
-- @tparam string slot
-- @treturn ?string its text
-- @treturn ?string what HAProxy said
function refusals:command(slot)
  local refusal = self.by_slot[slot]
  if refusal then
    return refusal.text, refusal.answer
  end
  return nil
end

--- Tells whether any command was refused.
-- @treturn boolean
function refusals:is_any()
  return next(self.by_slot) ~= nil
end

--- Tells whether a refused command is to be tried again now.
-- @treturn boolean
function refusals:is_due()
  for _, refusal in pairs(self.by_slot) do
    if self.now() >= refusal.due then
      return true
    end
  end
  return false
end

--- Returns what HAProxy has: empty slots, all of them marked.
-- @tparam {string,...} pool the slots, in order
-- @tparam {[string]=declaration} declared see `synapse.service.placement`
-- @tparam function now returns seconds
-- @tparam ?boolean moves_later whether HAProxy may use an address only after it
--   has answered, see `synapse.haproxy.version`
-- @treturn actual with, by slot, `servers`: the server (`since`: when it came
--   into traffic, if that is news); `acknowledged`: the admin state that
--   HAProxy acknowledged last, or "unknown"; `had`: whether an instance has
--   left it; and `refusals`
function actual_slots.new(pool, declared, now, moves_later)
  local self = setmetatable({
    servers = {}, acknowledged = {}, refusals = refusals.new(now),
    marked = {}, moving = {}, is_keeping = false, had = {},
    numbers = {}, last = 0, -- in which order the slots were taken in
    now = now, moves_later = moves_later,
  }, actual_slots)
  for _, slot in ipairs(pool) do
    self:add(slot, declared[slot])
  end
  return self
end

--- Takes in an empty slot, and marks it.
-- @tparam string slot
-- @tparam declaration declared
function actual_slots:add(slot, declared)
  self.servers[slot] = {
    host = declared.is_for_names and hostname.NOWHERE or "127.0.0.1",
    port = 1, weight = declared.weight, initial = declared.weight,
    maxconn = declared.maxconn, admin = "maint",
  }
  self.acknowledged[slot] = "maint"
  self.last = self.last + 1
  self.numbers[slot] = self.last
  self:mark(slot)
end

--- Notes that a slot may differ from what is wanted.
-- @tparam string slot
function actual_slots:mark(slot)
  self.marked[slot] = true
end

--- Notes that an instance left a slot. Forgets its refusal, and forgets that
-- ready was acknowledged: otherwise the slot's maint would look like an
-- operator's.
-- @tparam string slot
function actual_slots:vacate(slot)
  self.refusals:forget(slot)
  self.had[slot] = true
  self.acknowledged[slot] = "unknown"
  self:mark(slot)
end

--- Forgets a slot that HAProxy does not have any more.
-- @tparam string slot
function actual_slots:drop(slot)
  self.refusals:forget(slot)
  self.marked[slot], self.moving[slot] = nil, nil
  self.servers[slot], self.acknowledged[slot], self.had[slot] = nil, nil, nil
  self.numbers[slot] = nil
end

-- Adds the commands that a marked slot needs. A slot that needs none is as
-- wanted, and its refusal is over. Returns the number of bytes of the commands.
local function repair(self, backend, slot, slots, groups)
  local wanted, actual = slots.target_of(slot), self.servers[slot]
  slots.planned(slot, wanted, actual)
  local group, bytes = plan.slot(backend, slot, wanted, actual), 0
  if #group > 0 then
    groups[#groups + 1] = group
  elseif not self.refusals:pending(slot) then
    self.refusals:forget(slot)
    self.marked[slot] = nil
  end
  for _, command in ipairs(group) do
    bytes = bytes + #command.text
  end
  return bytes
end

-- Lists the marked slots in the order in which they were taken in; all slots if
-- many are marked, because sorting them takes longer. A slot that is about to
-- be deleted is not a slot of the pool, nor is one that HAProxy has lost.
local function slots_to_plan(self, slots)
  local list = {}
  for slot in pairs(self.marked) do
    list[#list + 1] = slots.has(slot) and slot or nil
    if #list > FEW then
      return slots.pool
    end
  end
  table.sort(list, function(a, b) return self.numbers[a] < self.numbers[b] end)
  return list
end

-- Lists the commands for the marked slots that are to be filled (`is_filled`),
-- or for those that are to be empty. Ends when the commands have more bytes
-- than there is room for. Returns how much room is left.
local function repair_all(self, backend, slots, is_filled, room)
  local groups = {}
  for _, slot in ipairs(slots_to_plan(self, slots)) do
    if self.marked[slot] and slots.is_filled(slot) == is_filled then
      room = room - repair(self, backend, slot, slots, groups)
      if room < 0 then
        break
      end
    end
  end
  return groups, room
end

-- Tells whether any slot is about to serve: its address is sent now, or is not
-- in use yet.
local function is_any_coming(self, groups, target_of)
  if next(self.moving) then
    return true
  end
  for _, group in ipairs(groups) do
    local server = target_of(group[1].slot)
    for _, command in ipairs(group) do
      if command.field == "addr" and server.admin == "ready" and
        not server.starts_down
      then
        return true
      end
    end
  end
  return false
end

local function append(list, more, number)
  return table.move(more, 1, number, #list + 1, list)
end

local function serves(actual)
  return actual.admin == "ready" and actual.check ~= "fails"
end

-- Whether a slot serves now, and a group takes it out of traffic.
local function takes_out(self, group)
  for _, command in ipairs(group) do
    if command.change.admin == "maint" then
      return serves(self.servers[command.slot])
    end
  end
  return false
end

-- Returns the groups that take a slot out of traffic, and the others.
local function part(self, groups)
  local out, others = {}, {}
  for _, group in ipairs(groups) do
    table.insert(takes_out(self, group) and out or others, group)
  end
  return out, others
end

-- Whether a slot serves that none of these groups takes out of traffic. A slot
-- for whose plan there was no room serves on, too.
local function has_lasting(self, out)
  local leaving = {}
  for _, group in ipairs(out) do
    leaving[group[1].slot] = true
  end
  for slot, actual in pairs(self.servers) do
    if serves(actual) and not leaving[slot] then
      return true
    end
  end
  return false
end

-- Returns how many of those that serve may leave now: first those whose slots
-- get another instance, then those whose slots become empty.
local function changes_now(self, slots, groups, changing, ending)
  local is_coming = is_any_coming(self, groups, slots.target_of)
  local all = #changing + #ending
  if not is_coming and not is_any_coming(self, changing, slots.target_of) or
    has_lasting(self, append({table.unpack(changing)}, ending, #ending))
  then
    return all
  elseif #ending > 0 then
    return #changing
  end
  return is_coming and 0 or (all + 1) // 2
end

--- Lists the commands that the marked slots need now.
--
-- A slot becomes ready in a later plan, after its address was acknowledged.
-- Slots to be filled come first: if one instance replaces another, a request
-- between two commands finds both, and never none. If all instances that serve
-- are replaced, some of them go on until one of the new ones serves: those
-- whose slots become empty; if there are none, those whose slots get another
-- instance, and only half of these if no other slot is about to serve.
-- @tparam string backend
-- @tparam table slots `pool`: the slots, in order; `has(slot)`: whether it is
--   one of them; `target_of(slot)`: the server that it is to be, or nil;
--   `is_filled(slot)`: whether it is to be one; `planned(slot, wanted,
--   actual)`: called with what a slot is to be, and what it is
-- @tparam number room the plan ends once the commands have more bytes
-- @treturn {{command,...},...} one group for each slot that differs
-- @treturn boolean whether all marked slots were planned
function actual_slots:repairs(backend, slots, room)
  self.is_keeping = false
  if not next(self.marked) then
    return {}, true
  end
  local filling, left = repair_all(self, backend, slots, true, room)
  local changing, groups = part(self, filling)
  if left < 0 then
    return append(groups, changing, #changing), false
  end
  local emptying
  emptying, left = repair_all(self, backend, slots, false, left)
  local ending = part(self, emptying)
  local now = changes_now(self, slots, groups, changing, ending)
  self.is_keeping = now < #changing + #ending
  append(groups, changing, math.min(now, #changing))
  if not self.is_keeping then
    append(groups, emptying, #emptying)
  end
  return groups, self.is_keeping or left >= 0
end

--- Notes that a command was sent: its outcome is unknown until the answer.
-- @tparam command command
function actual_slots:sent(command)
  if command.field == "admin" then
    self.acknowledged[command.slot] = "unknown"
  elseif command.field == "maxconn" then
    self.servers[command.slot].maxconn = nil
  end
end

--- Notes that HAProxy did what a command says.
-- @tparam command command
-- @treturn boolean whether it makes more commands necessary
function actual_slots:done(command)
  local slot = command.slot
  local actual = self.servers[slot]
  if command.change.admin or command.change.host then
    actual.check = actual.check == "none" and "none" or nil
    actual.is_rising = nil
  end
  if command.field == "addr" and self.moves_later then
    self.moving[slot] = {
      host = command.change.host, port = command.change.port,
      since = self.now(),
    }
    actual.moving = self.moving[slot]
  else
    for field, value in pairs(command.change) do
      actual[field] = value
    end
  end
  if command.field == "admin" then
    self.acknowledged[slot] = command.change.admin
    actual.since = command.change.admin == "ready" and self.now() or nil
  end
  self.refusals:forget(slot, command.field)
  return command.field == "addr" or self.is_keeping or self:is_moving()
end

--- Tells whether a slot may not yet have the address that it was given.
-- @treturn boolean
function actual_slots:is_moving()
  return next(self.moving) ~= nil
end

local function is_lost(self, place)
  return self.now() - place.since > LOST_MOVE
end

--- Takes note of the slots that have the address that they were given. If
-- HAProxy resolves a name, it may have gone on to another address before
-- anybody saw this one. Then only an answer of HAProxy tells.
-- @tparam function is_at tells, of a slot, a host and a port; nil where that
--   cannot be seen
-- @treturn boolean whether HAProxy must be asked for the address of a slot
function actual_slots:look_at_moves(is_at)
  local is_unknown = false
  for slot, place in pairs(self.moving) do
    local is_there, actual = is_at(slot, place.host, place.port),
      self.servers[slot]
    is_unknown = is_unknown or is_there == nil or
      not is_there and is_lost(self, place)
    if is_there then
      actual.host, actual.port = place.host, place.port
      actual.moving, self.moving[slot] = nil, nil
      self:mark(slot)
    end
  end
  return is_unknown
end

--- Notes that HAProxy refused a command.
-- @tparam command command
-- @tparam string answer what it said
-- @treturn integer seconds until it is tried again
function actual_slots:refuse(command, answer)
  return self.refusals:add(command.slot, command.field, command.text, answer)
end

--- Tells whether a slot is out of traffic and needs no command.
-- @tparam string slot
-- @treturn boolean
function actual_slots:is_at_rest(slot)
  return self.servers[slot].admin == "maint" and not self.marked[slot] and
    not self.moving[slot]
end

--- Notes that a slot was filled before HAProxy began to serve.
-- @tparam string slot
-- @tparam server server
function actual_slots:filled(slot, server)
  self.servers[slot] = {
    host = server.host, port = server.port, weight = server.weight,
    initial = server.initial, maxconn = server.maxconn, admin = server.admin,
    check = server.check, since = server.since,
  }
  self.acknowledged[slot] = server.admin
end

-- The fields of a server that a plan depends on.
local PLANNED = {"host", "port", "fqdn", "weight", "initial", "admin"}

-- Tells whether a slot may need another plan. If HAProxy resolves a name, the
-- slot may wait for the address that HAProxy has by now.
local function is_news(before, state, place)
  if place or state.fqdn then
    return true
  end
  for _, field in ipairs(PLANNED) do
    if before[field] ~= state[field] then
      return true
    end
  end
  return false
end

--- Takes what HAProxy says of a slot, and marks the slot if that is news.
-- HAProxy does not say the maxconn.
-- @tparam string slot
-- @tparam server state
-- @treturn boolean whether its check found something else than before
-- @treturn boolean whether the slot has the address that it was given, or
--   should have it by now
function actual_slots:take(slot, state)
  local before = self.servers[slot]
  state.maxconn = before.maxconn
  state.since = state.warming and self.now() - state.warming or nil
  local place = self.moving[slot]
  local is_over = place ~= nil and (is_lost(self, place) or
    place.host == state.host and place.port == state.port)
  if is_over then
    self.moving[slot] = nil
  end
  state.moving = self.moving[slot]
  self.servers[slot] = state
  if state.admin == "ready" then
    self.acknowledged[slot] = "ready"
  end
  if is_news(before, state, place) then
    self:mark(slot)
  end
  return before.check ~= state.check, is_over
end

return actual_slots
