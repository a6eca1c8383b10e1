--- Sends the commands of all services to HAProxy, one batch in each round.
--
-- At most one batch is with HAProxy. What changes meanwhile is planned when the
-- answers have come, from what is known then. So a burst of events becomes one
-- batch, and no plan rests on a command that may still fail. How large a batch
-- may be is decided in `synapse.haproxy.commands`.
--
-- @module synapse.haproxy.sync

local commands = require("synapse.haproxy.commands")
local plural = require("synapse.plural")

local sync = {}
sync.__index = sync

local COMPARE_EVERY = 30
-- A failed check ends the retention of an instance. And when an operator
-- changes a server that is down, the number of usable servers stays the same,
-- and a reload may follow at once. So services with retained or failing
-- instances are compared more often. A tick compares at most
-- COMPARED_RETAINED_AT of them, and looks for them among SEEN_RETAINED_AT
-- services.
local COMPARE_RETAINED_EVERY = 1
local COMPARED_RETAINED_AT = 2
local SEEN_RETAINED_AT = 40
-- A tick compares at least COMPARED_AT of the services that are due, and so
-- many that all services are compared within COMPARE_TICKS ticks.
local COMPARED_AT = 10
local COMPARE_TICKS = 100
local FIRST_DELAY = 0.5
local LONGEST_DELAY = 10

--- Returns a sync in which every service is marked.
-- @tparam table deps
--   `services`: a list that its owner changes; `send(line)`: gives a line to
--   HAProxy and returns a request number, or nil and why; `now()`; `log`;
--   `is_tired()`: whether this round has lasted long enough;
--   `operated()`: called when an operator state has changed;
--   `checked()`: called when HAProxy's checks found something else;
--   `settled(service)`: called when nothing more can be done for it now;
--   `applied(service)`: called after that if HAProxy has answered commands
-- @treturn sync
function sync.new(deps)
  local self = setmetatable({
    deps = deps,
    queue = {},
    queued = {},
    watched = {},     -- services that may become due although nobody marks them
    is_watched = {},
    compare_at = {},
    to_compare = {},  -- {service,at}, the earliest first; some are out of date
    batch = nil,
    is_sent = {},     -- services with commands in the batch
    uncounted = {},   -- services with commands since `applied`
    request = nil,
    delay = FIRST_DELAY,
    rounds = 0,
    commands = 0,
    refused = 0,
    compared_at = {},
    retained_at = 0,
    is_forgotten = setmetatable({}, {__mode = "k"}),
    paused_until = 0,
    failing = false,
  }, sync)
  for i, service in ipairs(deps.services) do
    self:mark(service)
    self.compare_at[service] = deps.now()
    self.to_compare[i] = {service = service, at = deps.now()}
  end
  return self
end

--- Puts a service into the next round, unless it is forgotten.
-- @tparam service service
function sync:mark(service)
  if self.is_forgotten[service] then
    return
  end
  if not self.queued[service] then
    self.queued[service] = true
    table.insert(self.queue, service)
  end
  if not self.is_watched[service] then
    self.is_watched[service] = true
    table.insert(self.watched, service)
  end
end

--- Tells whether a service waits for a round, or for the end of one.
-- @tparam service service
-- @treturn boolean
function sync:has(service)
  return self.queued[service] == true or self.is_sent[service] == true
end

--- Forgets a service that does not wait: its slots may be another service's.
-- @tparam service service
function sync:forget(service)
  self.is_forgotten[service], self.is_watched[service] = true, nil
  self.compare_at[service], self.compared_at[service] = nil, nil
  self.uncounted[service] = nil
end

--- Tells whether commands of a service may have changed how many of its servers
-- are usable, and `applied` was not called since.
-- @tparam service service
-- @treturn boolean
function sync:is_uncounted(service)
  return self.uncounted[service] == true
end

-- Ends a round of a service for which there is nothing more to do now.
local function settle(self, service)
  local line = service:summary()
  if line then
    self.deps.log:info("%s", line)
  end
  self.deps.settled(service)
  if self.uncounted[service] then
    self.uncounted[service] = nil
    self.deps.applied(service)
  end
end

-- Adds the commands of a service, and then its question. Returns whether the
-- batch had room for all of it, and whether it had room for a part.
local function add_service(self, batch, service)
  service:look_at_moves()
  local groups = service:plan(commands.room(batch))
  for i, group in ipairs(groups) do
    if not commands.add(batch, group, service) then
      return false, i > 1
    end
  end
  local question = service:question()
  if question and not commands.add(batch, {question}, service) then
    return false, #groups > 0
  end
  if #groups == 0 and not question and not service:is_moving() then
    settle(self, service)
  end
  return true
end

-- A service for which there is no room, or no time, stays at the front of the
-- queue. A service that fits in part goes to the end, so that small services do
-- not wait until a large one is done, and so does one that is marked meanwhile.
local function collect(self)
  local batch, first = commands.batch(), 1
  local queue, is_full = self.queue, false
  while queue[first] and not is_full and
    not (first > 1 and self.deps.is_tired())
  do
    local service = queue[first]
    self.queued[service] = nil
    local is_whole, has_part = add_service(self, batch, service)
    is_full = not is_whole
    if is_whole or has_part then
      first = first + 1
    end
    if has_part and not is_whole then
      self:mark(service)
    elseif not is_whole then
      self.queued[service] = true
    end
  end
  self.queue = table.move(queue, first, #queue, 1, {})
  return batch
end

-- A service that is still queued has more to come: one line sums up all of it.
local function finish_services(self, batch)
  local seen = {}
  for _, entry in ipairs(batch) do
    local service = entry.owner
    if not seen[service] and not self.queued[service] then
      settle(self, service)
    end
    seen[service] = true
  end
end

-- The outcome is unknown: ask, and plan from the answer.
local function lose(self, batch, why)
  if not self.failing then
    self.deps.log:error("%s: nothing changes until it answers; is `stats " ..
      "socket \"${SYNAPSE_ADMIN}\" level admin` below lua-load, and has it " ..
      "connections left (`stats maxconn`)?", why)
  end
  self.failing = true
  self.paused_until = self.deps.now() + self.delay
  self.delay = math.min(self.delay * 2, LONGEST_DELAY)
  for _, entry in ipairs(batch) do
    entry.owner:lost()
    self:mark(entry.owner)
  end
end

--- Sends what the marked services need, unless a batch is under way.
function sync:round()
  if self.request or #self.queue == 0 or
    self.deps.now() < self.paused_until
  then
    return
  end
  local batch = collect(self)
  if #batch == 0 then
    return
  end
  local request, why = self.deps.send(commands.line(batch))
  if not request then
    return lose(self, batch, why)
  end
  self.request, self.batch, self.is_sent = request, batch, {}
  self.rounds = self.rounds + 1
  self.commands = self.commands + #batch
  for _, entry in ipairs(batch) do
    self.is_sent[entry.owner] = true
    self.uncounted[entry.owner] = self.uncounted[entry.owner] or
      entry.command.field ~= "state" or nil
    entry.owner:sent(entry.command)
  end
end

local function compare_later(self, service)
  local at = self.deps.now() + COMPARE_EVERY
  self.compare_at[service] = at
  table.insert(self.to_compare, {service = service, at = at})
end

local function compared(self, service, answer)
  local states, odd = commands.states(answer)
  if not states then
    service:lost()
    self:mark(service)
    self.deps.log:error("%s: `show servers state %s` answered: %s",
      service.name, service.backend, odd)
    self.paused_until = self.deps.now() + LONGEST_DELAY
    return
  end
  self.compared_at[service] = self.deps.now()
  compare_later(self, service)
  local differs, is_operated, is_checked = service:observe(states)
  if differs then
    self:mark(service)
  end
  if is_operated then
    self.deps.operated()
  elseif is_checked then
    self.deps.checked()
  end
end

local function apply(self, entry, answer)
  local service, command = entry.owner, entry.command
  if command.field == "state" then
    compared(self, service, answer)
  elseif commands.is_done(command, answer) then
    if service:done(command, answer) then
      self:mark(service)
    end
  else
    self.refused = self.refused + 1
    service:refuse(command, answer)
    self:mark(service)
  end
end

local function applied(self, batch, text)
  local answers = commands.answers(text)
  if #answers < #batch then
    return lose(self, batch, string.format(
      "runtime API: %s to %s", plural(#answers, "answer"),
      plural(#batch, "command")))
  end
  for i, entry in ipairs(batch) do
    apply(self, entry, answers[i])
  end
  if self.failing then
    self.deps.log:info("runtime API: answers again")
  end
  self.failing, self.delay = false, FIRST_DELAY
  finish_services(self, batch)
end

--- Takes an `answer` event.
-- @tparam table event
function sync:take(event)
  if event.request ~= self.request then
    return
  end
  local batch = self.batch
  self.request, self.batch, self.is_sent = nil, nil, {}
  if event.error then
    lose(self, batch, "runtime API: " .. event.error)
  else
    applied(self, batch, event.data)
  end
end

--- Forgets what was sent, and marks every service again.
function sync:restart()
  self.request, self.batch, self.is_sent = nil, nil, {}
  self.queue, self.queued = {}, {}
  for _, service in ipairs(self.deps.services) do
    service:lost()
    self:mark(service)
  end
end

--- Asks HAProxy for the state of a service in the next round.
-- @tparam service service
function sync:compare(service)
  if self.is_forgotten[service] then
    return
  end
  compare_later(self, service)
  service:ask()
  self:mark(service)
end

-- A thousand comparisons at once would delay changes. If the servers of a
-- service are not known, HAProxy is asked for them already.
local function compare_due(self)
  local now, list, first = self.deps.now(), self.to_compare, 1
  local left = math.max(COMPARED_AT,
    math.ceil(#self.deps.services / COMPARE_TICKS))
  while list[first] and list[first].at <= now and left > 0 do
    local service = list[first].service
    if service.known and list[first].at == self.compare_at[service] then
      left = left - 1
      self:compare(service)
    end
    first = first + 1
  end
  if first > 1 then
    self.to_compare = table.move(list, first, #list, 1, {})
  end
end

-- Takes the services in turn, because all of them may have such instances.
local function compare_retained(self)
  local services, left = self.deps.services, COMPARED_RETAINED_AT
  local due = self.deps.now() + COMPARE_EVERY - COMPARE_RETAINED_EVERY
  for _ = 1, math.min(#services, SEEN_RETAINED_AT) do
    self.retained_at = self.retained_at % #services + 1
    local service = services[self.retained_at]
    if (service:has_retained() or service:has_failing()) and service.known and
      due >= (self.compare_at[service] or 0)
    then
      self:compare(service)
      left = left - 1
      if left == 0 then
        return
      end
    end
  end
end

-- A service becomes due only after a round that has left something to do.
local function mark_due(self)
  local kept = {}
  for _, service in ipairs(self.watched) do
    local is_watched = self.is_watched[service]
    if is_watched and service:is_due() then
      self:mark(service)
    end
    if is_watched and (self.queued[service] or service:is_waiting()) then
      kept[#kept + 1] = service
    else
      self.is_watched[service] = nil
    end
  end
  self.watched = kept
end

--- Marks what is due by now: comparisons, and commands that were refused.
function sync:tick()
  compare_due(self)
  compare_retained(self)
  mark_due(self)
end

return sync
