--- Slots beyond those that HAProxy's configuration declares.
--
-- An added slot is a slot like the others: it is filled, emptied and used
-- again, until it is deleted (see `synapse.haproxy.del_server`). A group of
-- commands makes it, and it counts once the last of them was acknowledged. If
-- an answer is lost, the next state of HAProxy shows which slots were added;
-- only the rest of their commands is sent then.
--
-- @module synapse.haproxy.add_server

local add_server = {}

local growth = {}
growth.__index = growth

--- What a slot that grows is made with, see `synapse.config.server_options`.
-- @table options
-- @tfield string text     as it is sent
-- @tfield boolean is_tls  whether it speaks TLS
-- @tfield ?string verify  "none" or "required", nil where it is not said
-- @tfield boolean has_check whether `enable health` has to follow
-- @tfield boolean has_agent whether `enable agent` has to follow
-- @tfield integer weight
-- @tfield integer maxconn 0: no limit

-- Seconds until the next try after a refusal, whatever was refused.
local FIRST_DELAY = 1
local LONGEST_DELAY = 60

-- Without the last two words a dynamic server of 2.6 keeps no idle connection.
local ADD = "add server %s/%s 127.0.0.1:1 id %d"
local KEEPS_IDLE = " pool-max-conn -1 pool-purge-delay 5s"
-- Lua of HAProxy 2.6 does not see the sessions of an added server. So an idle
-- connection must not stay if it may lead other requests to the instance that
-- left.
local KEEPS_NONE = " pool-max-conn 0"

--- Returns a growth that does not know HAProxy's servers yet.
-- @tparam table deps
--   `backend`; `pool`: the slots declared, in order; `kinds` of them, see
--   `synapse.service.placement`; `keeps_idle`: whether they may keep idle
--   connections; `options` of an added slot, or nil and `why` there are none;
--   `now()`
-- @treturn growth
function add_server.new(deps)
  local last = ""
  for _, slot in ipairs(deps.pool) do
    last = deps.kinds[slot] == "plain" and slot or last
  end
  return setmetatable({
    backend = deps.backend,
    options = deps.options,
    keeps_idle = deps.keeps_idle,
    why = deps.why or "its server_options are not known",
    prefix = last:match("^(.-)%d*$"),
    first = (math.tointeger(tonumber(last:match("%d+$"))) or 0) + 1,
    taken = {},
    next_id = 1,
    ids = {}, -- of the slots that were added, by name
    pending = {},
    half_made = {},
    slots_use_tls = false,
    now = deps.now,
    delay = nil,
    due = nil,
  }, growth)
end

-- Another server may have got the id of a slot that was deleted.
local function forget_ids(self, states)
  local owners = {}
  for name, state in pairs(states) do
    owners[state.id] = name
  end
  for name, id in pairs(self.ids) do
    self.ids[name] = (owners[id] or name) == name and id or nil
  end
end

--- Learns names and ids from the state that HAProxy shows.
-- @tparam {[string]=server} states all servers of the backend
-- @tparam {string,...} pool its slots
function growth:learn(states, pool)
  local pending = self.pending
  self.taken, self.half_made, self.pending = {}, {}, {}
  for name, state in pairs(states) do
    self.taken[name] = true
    self.next_id = math.max(self.next_id, state.id + 1)
    if pending[name] then
      self.pending[name] = pending[name]
      self.half_made[#self.half_made + 1] = name
    end
  end
  table.sort(self.half_made)
  forget_ids(self, states)
  for _, slot in ipairs(pool) do
    self.slots_use_tls = self.slots_use_tls or states[slot].is_tls
  end
end

local function is_refused(self)
  return self.due ~= nil and self.now() < self.due
end

--- Returns why no slot is added, or nil.
-- @treturn ?string
function growth:obstacle()
  local options = self.options
  if not options then
    return self.why
  elseif self.slots_use_tls and
    not (options.is_tls and options.verify == "required")
  then
    return "its slots use TLS, and server_options has no `ssl verify required`"
  elseif options.is_tls and not self.slots_use_tls then
    return "server_options has `ssl`, and its slots do not use TLS"
  elseif is_refused(self) then
    return self.refusal
  end
  return nil
end

local function group_of(one, add)
  local slot, place, texts = one.slot, one.backend .. "/" .. one.slot, {add}
  if one.options.has_check then
    texts[#texts + 1] = "enable health " .. place
  end
  if one.options.has_agent then
    texts[#texts + 1] = "enable agent " .. place
  end
  texts[#texts + 1] = "set server " .. place .. " state maint"
  local group = {}
  for i, text in ipairs(texts) do
    group[i] = {
      slot = slot, kind = one.kind, grows = true, text = text, id = one.id,
      field = text == add and "add" or "enable", completes = i == #texts,
    }
  end
  return group
end

--- Lists the commands that make an empty slot.
-- @tparam table one `backend`, `slot`, `kind` ("plain" or "backup"), `id`,
--   `options` and `keeps_idle`, see `add_server.new`
-- @treturn {command,...}
function add_server.commands(one)
  local add = string.format(ADD, one.backend, one.slot, one.id)
  add = add .. (one.keeps_idle and KEEPS_IDLE or "")
  if one.options.text ~= "" then
    add = add .. " " .. one.options.text
  end
  add = add .. (one.keeps_idle and "" or KEEPS_NONE)
  return group_of(one, one.kind == "backup" and add .. " backup" or add)
end

local function to_make(self, slot, kind, id)
  return {backend = self.backend, slot = slot, kind = kind, id = id,
    options = self.options, keeps_idle = self.keeps_idle}
end

-- Completes slots that were begun first. Returns the kinds that are still
-- missing.
local function finish_begun(self, wanted, groups)
  local left, begun = {}, table.move(self.half_made, 1, #self.half_made, 1, {})
  for _, kind in ipairs(wanted) do
    local place
    for i, slot in ipairs(begun) do
      place = place or self.pending[slot] == kind and i
    end
    if place then
      groups[#groups + 1] = group_of(
        to_make(self, table.remove(begun, place), kind))
    else
      left[#left + 1] = kind
    end
  end
  return left
end

--- Lists the commands that make slots.
-- @tparam {string,...} wanted the kind of each that is needed: "plain" or
--   "backup"
-- @treturn {{command,...},...} one group for each slot, maybe none
function growth:groups(wanted)
  local groups = {}
  if self:obstacle() then
    return groups
  end
  local number, id = self.first, self.next_id
  for _, kind in ipairs(finish_begun(self, wanted, groups)) do
    while self.taken[self.prefix .. number] do
      number = number + 1
    end
    local slot = self.prefix .. number
    groups[#groups + 1] = add_server.commands(
      to_make(self, slot, kind, self.ids[slot] or id))
    number, id = number + 1, self.ids[slot] and id or id + 1
  end
  return groups
end

--- Notes that a command is on its way.
-- @tparam command command
function growth:sent(command)
  self.pending[command.slot] = command.kind
end

--- Notes that HAProxy did what a command says.
-- @tparam command command
-- @treturn boolean whether the slot is ready for use
function growth:done(command)
  local slot = command.slot
  if command.field == "add" then
    self.taken[slot], self.ids[slot] = true, command.id
    self.next_id = math.max(self.next_id, command.id + 1)
  elseif command.completes then
    self.pending[slot] = nil
    for i, name in ipairs(self.half_made) do
      if name == slot then
        table.remove(self.half_made, i)
      end
    end
  end
  return command.completes
end

--- Notes that a slot was deleted. One that is added under its name again has
-- its id: consistent hashing goes by ids.
-- @tparam string slot
function growth:deleted(slot)
  self.taken[slot] = nil
end

--- Notes a refusal.
-- @tparam string why what HAProxy did, and what it said
-- @treturn ?integer seconds until it is tried again; nil where that was known
function growth:refuse(why)
  if is_refused(self) then
    return nil
  end
  self.delay = self.delay and math.min(self.delay * 2, LONGEST_DELAY) or
    FIRST_DELAY
  self.due, self.refusal = self.now() + self.delay, why
  return self.delay
end

--- Notes that an answer was lost. HAProxy may fail to answer just these
-- commands, so others get their turn before these are sent again.
function growth:lost()
  if next(self.pending) ~= nil then
    self:refuse("HAProxy did not answer when a slot was added")
  end
end

--- Tells whether it is time to try again what was refused.
-- @treturn boolean
function growth:is_due()
  return self.due ~= nil and self.now() >= self.due
end

--- Notes that all instances have slots.
function growth:rest()
  self.delay, self.due = nil, nil
end

return add_server
