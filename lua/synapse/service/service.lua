--- One service: which instances it wants, and which commands HAProxy needs for
-- that.
--
-- Other modules decide (wanted, placement, operator_state, plan); the service
-- connects them and keeps their results. It sends nothing: `sync` sends the
-- commands and reports what HAProxy has acknowledged. `facts` has what other
-- folders may know of a service.
--
-- @module synapse.service.service

local add_server = require("synapse.haproxy.add_server")
local commands = require("synapse.haproxy.commands")
local copy = require("synapse.copy")
local counters = require("synapse.haproxy.counters")
local del_server = require("synapse.haproxy.del_server")
local facts = require("synapse.service.facts")
local instance_list = require("synapse.instances.list")
local guard = require("synapse.service.guard")
local actual = require("synapse.haproxy.actual")
local host_names = require("synapse.service.host_names")
local news = require("synapse.service.summary")
local operator_order = require("synapse.service.operator_order")
local operator_state = require("synapse.service.operator_state")
local placement = require("synapse.service.placement")
local plan = require("synapse.haproxy.plan")
local plural = require("synapse.plural")
local wanted = require("synapse.service.wanted")

local service = {}
service.__index = service

local function empty_record()
  return {instances = {}, placed = {}, states = {}, retained = {},
    addresses = {}, departed = {}, failing = {}, since = {}, orders = {}}
end

-- The least number of seconds for which an operator state outlives its
-- instance.
local KEEP_STATE = 60

-- Why an instance that is gone from ZooKeeper may not stay, or nil.
local function objection(self, instance)
  local slot = self.placement:home(instance.key)
  return guard.objection(instance, slot and self.actual.servers[slot]) or
    self.deps.is_claimed(instance.key) and "another znode has the address" or
    nil
end

-- Tells whether an instance can take traffic. An instance without a check
-- result counts as up, as it does for HAProxy.
local function can_serve(self, instance)
  if instance.weight == 0 or self.operator.states[instance.key] then
    return false
  end
  local slot = self.placement.slot_of[instance.key]
  local server = slot and self.actual.servers[slot]
  return not (server and server.check == "fails" and
    (server.fqdn or server.host) == instance.host and
    server.port == instance.port)
end

-- Notes that the state of an instance may have changed.
local function touch(self, key)
  if key then
    self.touched[key] = true
    self.version = self.version + 1
  end
end

local function retain(self, key)
  local by = self.deps.retained_by
  by[key] = by[key] or {}
  by[key][self] = true
end

local function release(self, key)
  local by = self.deps.retained_by
  by[key][self] = nil
  by[key] = next(by[key]) and by[key] or nil
end

-- Touches the instances that were retained, and those that are now.
local function touch_retained(self)
  for key in pairs(self.retained) do
    release(self, key)
    touch(self, key)
  end
  self.retained = {}
  for key in pairs(self.wanted:retained()) do
    self.retained[key] = true
    retain(self, key)
    touch(self, key)
  end
end

--- Returns a service that serves what its snapshot has, else its defaults.
-- @tparam table deps
--   `config`: the service's configuration; `backend`: the name of its backend;
--   `pool`: its slots, in order; `declared`: what the configuration makes of
--   each (see `placement.kinds_of_slots`); `vacated`: those in which another
--   service had instances, or nil;
--   `record`: its part of the snapshot, or nil;
--   `sessions(slot)`: how many sessions the slot has; `id()`: the number of its
--   backend;
--   `address_is_deferred`: see `synapse.haproxy.version`; `is_at(slot, host,
--   port)`: whether HAProxy uses that address by now; `deletes_servers`: see
--   `synapse.haproxy.version`;
--   `is_claimed(key)`: whether any znode has the host:port; `retained_by`:
--   which services retain an instance, by its host:port, kept by all of them;
--   `now()`; `wall()`: seconds since 1970; `boot`: a name of this run of the
--   machine; `log`
-- @treturn service
function service.new(deps)
  local record = deps.record or empty_record()
  local by_slot = placement.kinds_of_slots(deps.declared)
  local self
  local chosen = wanted.new({
    config = deps.config, record = record, now = deps.now, log = deps.log,
    objection = function(instance) return objection(self, instance) end,
    can_serve = function(instance)
      return self and can_serve(self, instance) or not self and
        record.states[instance.key] == nil and instance.weight ~= 0
    end,
  })
  local places = placement.new(deps.pool, record.placed, chosen.serving,
    deps.sessions, by_slot, deps.config.shares_connections, deps.vacated)
  local known = actual.new(deps.pool, deps.declared, deps.now,
    deps.address_is_deferred)
  self = setmetatable({
    deps = deps,
    name = deps.config.name,
    backend = deps.backend,
    wanted = chosen,
    placement = places,
    host_names = host_names.new({
      name = deps.config.name, backend = deps.backend,
      has_slots = places:has("name"), addresses = record.addresses,
      now = deps.now, log = deps.log,
    }),
    growth = add_server.new({
      backend = deps.backend, now = deps.now, pool = deps.pool,
      kinds = by_slot,
      options = deps.config.server_options, why = deps.config.fixed,
      keeps_idle = not deps.config.shares_connections,
    }),
    removal = del_server.new({
      backend = deps.backend, now = deps.now,
      can = deps.deletes_servers,
    }),
    actual = known,
    refusals = known.refusals,
    operator = operator_state.new({
      states = record.states, departed = record.departed or {},
      orders = record.orders, same_boot = record.boot == deps.boot,
      now = deps.now, wall = deps.wall,
      keep = math.max(deps.config.guard.hold, KEEP_STATE),
    }),
    has_record = deps.record ~= nil,
    failing = record.failing,
    since_when = record.since,
    revision = 0,
    drift = 0,
    news = news.new(),
    known = false,
    asking = false,
    errors_before = {},
    is_failing = false,
    touched = {},
    retained = {},
    has_news = false,
    is_leaving = false,
    last = nil,       -- what was before it left
    is_empty = false, -- it is leaving, and nobody is in its slots
    version = 0,
  }, service)
  touch_retained(self)
  -- The record is not needed any more, and it may be large.
  deps.record, record = nil, nil
  return self
end

local function touch_all(self, difference)
  for _, list in ipairs({difference.added, difference.removed}) do
    for _, instance in ipairs(list) do
      touch(self, instance.key)
    end
  end
  for _, renewed in ipairs(difference.renewed) do
    touch(self, renewed.now.key)
  end
end

-- An instance that asks to be a backup and cannot be one serves like the
-- others.
local function report_objections(self, difference)
  local list = table.move(difference.added, 1, #difference.added, 1, {})
  for _, renewed in ipairs(difference.renewed) do
    list[#list + 1] = renewed.now
  end
  for _, instance in ipairs(list) do
    local why = placement.backup_objection(instance,
      self.placement:has("backup"))
    if why then
      self.deps.log:warning("%s: instance %s: `backup` is not applied: %s",
        self.name, instance.key, why)
    end
  end
end

-- Notes that an instance left a slot.
local function vacate(self, slot)
  self.actual:vacate(slot)
  if self.placement.is_added[slot] then
    self.removal:emptied(slot)
  end
end

local function replace(self, difference)
  touch_all(self, difference)
  report_objections(self, difference)
  local left, touched = self.placement:change(difference)
  for _, instance in ipairs(difference.removed) do
    self.operator:leave(instance.key)
    self.host_names:forget(instance.key)
  end
  for _, instance in ipairs(difference.added) do
    self.operator:come(instance.key)
  end
  for _, slot in ipairs(left) do
    vacate(self, slot)
  end
  for _, slot in ipairs(touched) do
    self.actual:mark(slot)
  end
end

local function hosts_of(config)
  local list = {}
  for i, source in ipairs(config.sources) do
    list[i] = source.hosts
  end
  return table.concat(list, "\n")
end

local function is_elsewhere(before, config)
  return before.path ~= config.path or before.read_as ~= config.read_as or
    hosts_of(before) ~= hosts_of(config)
end

-- The instances with which another configuration begins. If that reads another
-- place, or in another way, they serve until it has instances of its own.
local function handed_over(before, config)
  local is_moved = is_elsewhere(before.deps.config, config)
  return {
    instances = before.all, retained = before:retained(),
    is_old = before.is_old or is_moved, is_moved = is_moved or before.is_moved,
  }
end

local function follow(self, difference, is_guarded)
  if instance_list.is_unchanged(difference) and not is_guarded then
    return false
  end
  news.add(self.news, difference)
  replace(self, difference)
  if is_guarded then
    touch_retained(self)
  end
  self.revision = self.revision + 1
  return true
end

--- Takes the instances that ZooKeeper has now.
-- @tparam {instance,...} instances
-- @tparam ?number since when the watch fired, in `now`'s time
-- @tparam ?integer left_out how many instances label_filters left out, if they
--   left none
-- @treturn boolean whether anything is to be done
function service:update(instances, since, left_out)
  if self.frozen_at then
    self.put_off = {instances, left_out}
    return false
  end
  local before = self.wanted.source
  self.revision = self.revision + (self.wanted.is_old and 1 or 0)
  local is_changed = follow(self,
    self.wanted:take(self.host_names:admit(instances), left_out or 0))
  if self.wanted.source ~= before or self.wanted.policy:is_needed() then
    self.version = self.version + 1
  end
  if is_changed then
    self.since = self.since or since
  end
  return is_changed
end

-- Starts again with a configuration and the instances of a record.
local function start_with(self, config, record)
  local before = self.wanted.serving
  self.deps.config = config
  self.wanted = wanted.new({
    config = config, record = record, now = self.deps.now, log = self.deps.log,
    objection = function(instance) return objection(self, instance) end,
    can_serve = function(instance) return can_serve(self, instance) end,
  })
  self.operator.deps.keep = math.max(config.guard.hold, KEEP_STATE)
  self.put_off = nil
  self.version = self.version + 1
  follow(self, instance_list.difference(before, self.wanted.serving), true)
  -- The weight of each instance may have changed.
  for slot in pairs(self.placement.placed) do
    self.actual:mark(slot)
  end
end

--- Goes on with another configuration of the same backend. No slot is emptied
-- before ZooKeeper has answered for the new configuration.
-- @tparam service config
function service:configure(config)
  start_with(self, config, handed_over(self.wanted, config))
end

-- Keeps the tables that change while the slots are emptied as they are now.
local function last_record(self)
  local record = facts.record_of(self)
  for _, field in ipairs({"placed", "states", "addresses", "orders"}) do
    record[field] = copy(record[field])
  end
  for key in pairs(record.departed) do
    record.states[key], record.orders[key] = nil, nil
  end
  return record
end

--- Empties the slots of a service that is no longer configured, even if it is
-- frozen.
function service:leave()
  local config = copy(self.deps.config)
  config.sources, config.default_servers, config.named_servers = {}, {}, {}
  config.use_previous_backends, config.leader_election = false, false
  config.prefer, config.subset = {}, nil
  if self.frozen_at then
    self.deps.log:warning("%s: frozen, and leaves: its configuration says so",
      self.name)
    self.frozen_at = nil
  end
  self.is_leaving = true
  self.last = {wanted = self.wanted, record = last_record(self)}
  start_with(self, config, {instances = {}, retained = {}})
end

--- Returns the record with which a service begins that replaces this one: one
-- with its name, or with its backend and its path. Call it after `leave`.
-- @tparam service config of the other
-- @tparam string backend of the other
-- @treturn ?record nil: the other service does not replace this one
function service:inheritance(config, backend)
  local last, before = self.last, self.last.wanted.deps.config
  local keeps_slots = self.backend == backend
  if before.name ~= config.name and
    (not keeps_slots or is_elsewhere(before, config))
  then
    return nil
  end
  local record = copy(last.record)
  for field, value in pairs(handed_over(last.wanted, config)) do
    record[field] = value
  end
  record.placed = keeps_slots and record.placed or {}
  return record
end

--- Tells whether HAProxy has acknowledged that all of its slots are empty.
-- Added slots that can be deleted are deleted before.
-- @treturn boolean
function service:has_left()
  if not self.is_leaving or not self.known or self.asking then
    return false
  end
  for _, slot in ipairs(self.placement.pool) do
    if self.actual.servers[slot].admin ~= "maint" then
      return false
    end
  end
  if not self.is_empty then
    self.is_empty = true
    self.removal:hasten()
  end
  return not self.removal:is_under_way() and not self.removal:is_due()
end

--- Returns its declared slots, for another service. Added slots have the
-- options of this service, so no other service gets them.
-- @treturn table `pool`, `declared` and `vacated`, as `service.new` takes them
function service:slots()
  local places, pool, declared = self.placement, {}, {}
  for _, slot in ipairs(places.pool) do
    if not places.is_added[slot] then
      pool[#pool + 1] = slot
      declared[slot] = copy(self.deps.declared[slot])
    end
  end
  return {pool = pool, declared = declared, vacated = copy(places.vacated)}
end

--- Tells whether it has retained instances, see `synapse.service.guard`.
-- @treturn boolean
function service:has_retained()
  return self.wanted:has_retained()
end

--- Tells whether time or HAProxy's checks may have ended a retention.
-- @treturn boolean
function service:is_review_due()
  return self.wanted:has_retained() and not self.frozen_at and
    (self.has_news or self.deps.now() >= self.wanted:review_at())
end

--- Reviews its retained instances, see `synapse.service.guard`.
-- @treturn boolean whether anything is to be done
function service:review()
  self.has_news = false
  return not self.frozen_at and not self.wanted:awaits_first_read() and
    follow(self, self.wanted:review())
end

local MISPLACED = {addr = true, fqdn = true, health = true}
local FIELDS = {weight = "weight", maxconn = "maxconn", admin = "admin"}

-- If HAProxy refused the address of an instance, its slot must not serve with
-- the address from before. And if HAProxy refused to set a server down, it must
-- not serve before its check passes.
local function is_filled(self, slot)
  return self.placement:at(slot) ~= nil and
    not MISPLACED[self.refusals:pending(slot)]
end

--- Returns the server that a slot should be. A field that HAProxy refused stays
-- as it is.
-- @tparam string slot
-- @treturn ?server nil: the slot should be empty
function service:target_of(slot)
  if not is_filled(self, slot) then
    return nil
  end
  local instance, refused = self.placement:at(slot), self.refusals:pending(slot)
  local declared = self.deps.declared[slot]
  local server = plan.server(instance, self.deps.config, {
    weight = declared.weight, maxconn = declared.maxconn,
    operator_state = self.operator.states[instance.key],
    is_retained = self.wanted:retained()[instance.key] ~= nil,
    address = self.host_names.addresses[instance.key],
  })
  local field = FIELDS[refused]
  if field then
    server[field] = self.actual.servers[slot][field]
  end
  return server
end

--- Returns the server that each filled slot should be when HAProxy starts.
-- @treturn {[string]=server} with `check`, "fails" if it did, and `since`,
--   see `actual.new`
function service:target()
  local servers, deps = {}, self.deps
  for slot, key in pairs(self.placement.placed) do
    local server, since = self:target_of(slot), self.since_when[key]
    server.check = self.failing[key] and "fails" or nil
    server.since = since and deps.now() + since - deps.wall()
    servers[slot] = server
  end
  return servers
end

local function repairs(self, room)
  return self.actual:repairs(self.backend, {
    pool = self.placement.pool,
    has = function(slot) return self.placement:has_slot(slot) end,
    target_of = function(slot) return self:target_of(slot) end,
    is_filled = function(slot) return is_filled(self, slot) end,
    planned = function(...) self.host_names:plan(...) end,
  }, room)
end

-- Adds slots for waiting instances, if slots may be added. Slots are deleted
-- only if no instance waits.
local function size_pool(self, groups)
  local waiting = self.placement:growable()
  local more = self.growth:groups(waiting)
  if #waiting == 0 then
    self.growth:rest()
    more = self.removal:groups(
      function(slot) return self.placement.placed[slot] ~= nil end,
      function(slot)
        return self.actual:is_at_rest(slot) and self.deps.sessions(slot) == 0
      end)
  end
  table.move(more, 1, #more, #groups + 1, groups)
end

-- If slots must rest, an instance waits until one has rested.
local function use_rested(self)
  local _, has_rested = self.placement:resting()
  for _, slot in ipairs(has_rested and self.placement:enter_rested() or {}) do
    self.actual:mark(slot)
    touch(self, self.placement.placed[slot])
    self.revision = self.revision + 1
  end
end

-- HAProxy keeps counting the errors of a slot when it gets another instance.
local function count_errors(self, groups)
  for _, group in ipairs(groups) do
    local slot, takes_over = group[1].slot, false
    local server = self.actual.servers[slot]
    for _, command in ipairs(group) do
      takes_over = takes_over or command.field == "addr"
    end
    if takes_over and self.actual.had[slot] and server.id then
      table.insert(group, 1, counters.query(self.deps.id(), slot, server.id))
    end
  end
end

--- Takes note of the slots that use the address that they were given. Call it
-- before `plan`.
function service:look_at_moves()
  if self.known and self.actual:is_moving() and
    self.actual:look_at_moves(self.deps.is_at)
  then
    self.asking = true
  end
end

--- Lists the groups of commands that bring HAProxy's servers to what is
-- wanted. It decides and asks nothing, see `question`.
-- @tparam number room how many bytes of commands can be sent; a plan that has
--   more ends there
-- @treturn {{command,...},...} empty when all is as wanted, while the service
--   is frozen, and while the state of the servers is not known
function service:plan(room)
  if not self.known or self.frozen_at then
    return {}
  end
  use_rested(self)
  local groups, is_whole = repairs(self, room)
  count_errors(self, groups)
  if is_whole then
    size_pool(self, groups)
  end
  return groups
end

--- Returns the command that asks HAProxy for the state of the servers, if that
-- is due. Call it after `plan`, and only if the whole plan is sent.
-- @treturn ?command
function service:question()
  if self.known and not self.asking and not self.host_names:is_due() then
    return nil
  end
  return commands.query(self.backend, #self.placement.pool)
end

--- Makes the next round ask HAProxy for the state of the servers.
function service:ask()
  self.asking = true
end

--- Notes that a command is on its way.
-- @tparam command command
function service:sent(command)
  if command.grows then
    self.growth:sent(command)
  elseif command.deletes then
    self.removal:sent(command.slot, self.placement:remove(command.slot))
  elseif command.field == "state" then
    self.host_names:asked()
  else
    self.actual:sent(command)
  end
end

-- Gives an added slot to an instance, if one still needs it.
local function use_added(self, slot, kind)
  local left = self.placement:grow(slot, kind)
  if left then
    vacate(self, left)
  end
  if self.placement.placed[slot] then
    touch(self, self.placement.placed[slot])
    self.actual:mark(slot)
  else
    self.removal:emptied(slot)
  end
  self.version = self.version + 1
  self.revision = self.revision + 1
end

-- Adds a slot of HAProxy that was made with our options.
local function adopt(self, slot, kind)
  local options = self.growth.options
  local declared = {weight = options.weight, maxconn = options.maxconn}
  self.deps.declared[slot] = declared
  self.actual:add(slot, declared)
  use_added(self, slot, kind)
  self.news.grown = self.news.grown + 1
end

-- Forgets a slot that was deleted.
local function disown(self, slot)
  self.growth:deleted(slot)
  self.actual:drop(slot)
  self.deps.declared[slot], self.errors_before[slot] = nil, nil
  self.news.deleted = self.news.deleted + 1
  self.version = self.version + 1
end

-- HAProxy does not delete a slot while it has a connection.
local function take_deletion(self, slot, answer)
  local kind = self.removal:done(slot, answer)
  if not kind then
    disown(self, slot)
    return false
  end
  use_added(self, slot, kind)
  return self.placement.placed[slot] ~= nil
end

local function take_errors(self, slot, answer)
  local row = counters.parse(answer, function() end)[slot]
  self.errors_before[slot] = row and row.errors
end

--- Notes that HAProxy did what a command says.
-- @tparam command command
-- @tparam ?string answer
-- @treturn boolean whether it makes more commands necessary
function service:done(command, answer)
  local slot = command.slot
  if command.field == "errors" then
    take_errors(self, slot, answer)
    return false
  end
  if command.grows then
    self.news.done = self.news.done + 1
    local is_ready = self.growth:done(command)
    if is_ready then
      adopt(self, slot, command.kind)
    end
    return is_ready
  elseif command.deletes then
    self.news.done = self.news.done + 1
    return take_deletion(self, slot, answer)
  end
  touch(self, self.placement.placed[slot])
  self.news.done = self.news.done + 1
  return self.actual:done(command)
end

-- The name may be taken, so HAProxy is asked for all of its servers again.
local function refuse_growth(self, command, answer)
  self.version = self.version + 1
  local delay = self.growth:refuse(string.format(
    "HAProxy refused to add a slot, `%s`: %s", command.text, answer))
  if delay then
    self.deps.log:error("%s: no slot can be added: `%s` refused: %s; again " ..
      "in %d s", self.name, command.text, answer, delay)
    self:ask()
  end
end

-- The slot may be gone, so HAProxy is asked for all of its servers again.
local function refuse_deletion(self, command, answer)
  local kind, delay = self.removal:refuse(command.slot)
  use_added(self, command.slot, kind)
  if delay then
    self.deps.log:error("%s: no slot can be deleted: `%s` refused: %s; " ..
      "again in %d s", self.name, command.text, answer, delay)
    self:ask()
  end
end

--- Notes that HAProxy refused a command. It is tried again, later and later.
-- @tparam command command
-- @tparam string answer
function service:refuse(command, answer)
  local slot = command.slot
  if command.grows then
    return refuse_growth(self, command, answer)
  elseif command.deletes then
    return refuse_deletion(self, command, answer)
  end
  touch(self, self.placement.placed[slot])
  local delay = self.actual:refuse(command, answer)
  self.deps.log:error("%s: %s/%s (%s): `%s` refused: %s; again in %d s",
    self.name, self.backend, slot, self.placement.placed[slot] or "empty",
    command.text, answer, delay)
end

--- Notes that the outcome of commands that were sent is unknown.
function service:lost()
  self.known = false
  self.version = self.version + 1
  self.growth:lost()
end

--- Gives the instances their slots again after an error in the agent's own
-- code, which may have left some without. `sync:restart` follows, and calls
-- `lost`.
function service:recover()
  self.placement:restart(self.wanted.serving)
  for _, slot in ipairs(self.placement.pool) do
    self.actual:mark(slot)
    if not self.placement.placed[slot] then
      vacate(self, slot)
    end
  end
  for key in pairs(self.placement.by_key) do
    touch(self, key)
  end
  self.revision = self.revision + 1
end

--- Tells whether the check of any instance failed when HAProxy was last asked.
-- @treturn boolean
function service:has_failing()
  return self.is_failing
end

--- Tells whether HAProxy does not yet use an address that it was given.
-- @treturn boolean
function service:is_moving()
  return self.actual:is_moving()
end

--- Tells whether it may become due without an event. Whatever `is_due` tests
-- must be here too.
-- @treturn boolean
function service:is_waiting()
  return self.refusals:is_any() or self.host_names.look_at ~= nil or
    self.actual:is_moving() or #self.placement.waiting > 0 or
    self.growth.due ~= nil or self.removal:is_any()
end

--- Tells whether it needs a round now: a refused command, a host name, a moving
-- or rested slot, a slot to add or to delete.
-- @treturn boolean
function service:is_due()
  return self.refusals:is_due() or self.host_names:is_due() or
    self.actual:is_moving() or select(2, self.placement:resting()) or
    self.growth:is_due() and #self.placement:growable() > 0 or
    self.removal:is_due() and #self.placement:growable() == 0
end

-- A slot with the address that HAProxy should restore may have it from its
-- line. Then it is not a slot any more.
local function loss(self, slot, state)
  if not state then
    return "is gone from HAProxy"
  end
  return self.deps.declared[slot].is_restored and not state.is_slot and
    "has an address of its own in HAProxy's configuration" or nil
end

-- The answers to some deletions were lost: HAProxy's states show which were
-- done.
local function settle_lost(self, states)
  for slot, kind in pairs(self.removal:take_lost()) do
    if states[slot] then
      use_added(self, slot, kind)
    else
      disown(self, slot)
    end
  end
end

-- A slot that HAProxy does not have any more cannot be filled.
local function drop_missing(self, states)
  local pool = {}
  for _, slot in ipairs(self.placement.pool) do
    local why = loss(self, slot, states[slot])
    if why then
      self.deps.log:error("%s: %s/%s %s, not used any more", self.name,
        self.backend, slot, why)
      self.actual:drop(slot)
      self.removal:forget(slot)
    else
      pool[#pool + 1] = slot
    end
  end
  if #pool < #self.placement.pool then
    self.placement:shrink(pool)
    self.revision = self.revision + 1
  end
end

--- Leaves the service as it is until `thaw`, whatever ZooKeeper says. Changes
-- that HAProxy does not have yet wait too.
function service:freeze()
  self.frozen_at = self.frozen_at or self.deps.now()
  self.version = self.version + 1
end

--- Ends `freeze` and does what was missed.
-- @treturn boolean whether anything is to be done
function service:thaw()
  local missed = self.put_off
  self.frozen_at, self.put_off = nil, nil
  self.version = self.version + 1
  if missed then
    return self:update(missed[1], nil, missed[2])
  end
  return self:review()
end

-- These are no drift: a name that HAProxy has resolved, an address that it uses
-- by now, and any difference while the states were unknown (the next plan
-- handles it).
local function report_drift(self, was_known, arrived)
  local awaited, drifted = self.host_names.awaited, {}
  self.host_names.awaited = {}
  if self.frozen_at then
    return false
  elseif not was_known then
    return true
  end
  local groups = repairs(self, math.huge)
  for _, group in ipairs(groups) do
    local slot = group[1].slot
    local is_ordered =
      self.operator:is_awaited(self.placement.placed[slot] or "")
    drifted[#drifted + 1] = not awaited[slot] and not arrived[slot] and
      not is_ordered and group or nil
  end
  if #drifted > 0 then
    self.drift = self.drift + #drifted
    self.deps.log:warning("%s: %s not as last set (first: %s), set again",
      self.name, plural(#drifted, "slot"), drifted[1][1].text)
  end
  return #groups > 0 or #self.placement.waiting > 0
end

local function report_operator_states(self, changes)
  for _, change in ipairs(changes) do
    touch(self, change.key)
    self.actual:mark(self.placement.slot_of[change.key])
    self.revision = self.revision + 1
    self.deps.log:warning("%s: instance %s %s -> %s by an operator", self.name,
      change.key, change.from, change.to)
  end
end

-- Returns whether HAProxy has found another address for the name in a slot.
local function learn_address(self, slot)
  local key = self.placement.placed[slot]
  local is_new = key and self.host_names:learn(key, self.actual.servers[slot])
  if is_new then
    touch(self, key)
    self.revision = self.revision + 1
  end
  return is_new
end

-- Results of HAProxy's checks and operators may change which instances serve.
local function apply_policy(self)
  return self.wanted.policy:is_needed() and self:review()
end

-- Makes the next plan carry out an operator's order. What HAProxy has
-- acknowledged so far does not count. HAProxy is asked too, because somebody
-- may have changed the server by hand since.
local function carry_out(self, key)
  local slot = self.placement.slot_of[key]
  touch(self, key)
  self.revision = self.revision + 1
  if slot then
    self.actual.acknowledged[slot] = "unknown"
    self.actual:mark(slot)
    self:ask()
  end
end

--- Takes an operator's order.
-- @tparam string key of the instance
-- @tparam string state "maint", "drain" or "ready"
-- @tparam ?string reason
-- @tparam ?number seconds after which it ends; nil: never by itself
-- @treturn boolean false: the service has no such instance
function service:operate(key, state, reason, seconds)
  local known = facts.of_instance(self, key)
  if not known then
    return false
  end
  self.operator:order(key, state, reason, seconds)
  carry_out(self, key)
  apply_policy(self)
  self.deps.log:warning("%s: instance %s %s -> %s by an operator%s", self.name,
    key, known.operator_state or "ready", state,
    operator_order.words(self.operator.orders[key]))
  return true
end

--- Tells whether HAProxy has carried out an operator's order. An instance
-- without a slot needs nothing of HAProxy: it has the state as soon as it gets
-- a slot.
-- @tparam string key of the instance
-- @treturn boolean
function service:is_operated(key)
  local slot = self.placement.slot_of[key]
  return not slot or not self.operator:is_awaited(key) or
    self.actual.acknowledged[slot] == (self.operator.states[key] or "ready")
end

--- Tells whether an operator has ordered anything.
-- @treturn boolean
function service:has_orders()
  return next(self.operator.orders) ~= nil
end

--- Ends the orders of operators whose time is over.
-- @treturn boolean whether anything is to be done
function service:end_orders()
  local over = self.operator:expire()
  for _, ended in ipairs(over) do
    if not ended.is_gone then
      carry_out(self, ended.key)
      self.deps.log:warning("%s: instance %s %s -> ready: the operator's " ..
        "time is over", self.name, ended.key, ended.from)
    end
  end
  for _, key in ipairs(self.operator:follow_clock()) do
    touch(self, key)
    self.revision = self.revision + 1
  end
  if #over > 0 then
    apply_policy(self)
  end
  return #over > 0
end

--- Takes what HAProxy says of the backend's servers.
-- @tparam {[string]=server} states
-- @treturn boolean whether commands are needed
-- @treturn boolean whether an operator state changed, or a name's address:
--   the snapshot needs that at once
-- @treturn boolean whether a check found something else: the snapshot needs
--   that too
function service:observe(states)
  local was_known = self.known
  settle_lost(self, states)
  drop_missing(self, states)
  self.known, self.asking, self.has_news = true, false, true
  local is_resolved, is_checked
  local arrived = {}
  self.is_failing = false
  local changes = self.operator:observe(self.placement.placed,
    self.actual.acknowledged, states)
  for _, slot in ipairs(self.placement.pool) do
    local has_changed
    has_changed, arrived[slot] = self.actual:take(slot, states[slot])
    if has_changed then
      touch(self, self.placement.placed[slot])
      is_checked = is_checked or self.placement.placed[slot] ~= nil
    end
    self.is_failing = self.is_failing or states[slot].check == "fails" and
      self.placement.placed[slot] ~= nil
    is_resolved = learn_address(self, slot) or is_resolved
  end
  self.growth:learn(states, self.placement.pool)
  report_operator_states(self, changes)
  self.revision = self.revision + (is_checked and 1 or 0)
  local differs = report_drift(self, was_known, arrived)
  if is_checked or #changes > 0 then
    differs = apply_policy(self) or differs
  end
  return differs, is_resolved or #changes > 0, is_checked
end

--- Notes that a slot was filled before HAProxy began to serve.
-- @tparam string slot
-- @tparam server server
function service:filled(slot, server)
  self.actual:filled(slot, server)
end

--- Returns why an instance gets no slot, or nil.
-- @tparam string key
-- @treturn ?string
function service:obstacle(key)
  local instance = self.placement.by_key[key]
  if instance and instance.is_name then
    return "no slot for host names is free, and none can be added"
  end
  local why = self.growth:obstacle()
  if why and self.placement:resting() then
    return "the free ones rest until the sessions of its last instance are " ..
      "gone, because `http-reuse` shares connections; and none is added: " ..
      why
  end
  return why
end

--- Returns what is known of the service now, see `facts.of_service`.
-- @treturn service_facts
function service:view()
  return facts.of_service(self)
end

--- Returns what is known of one of its instances now, see `facts.of_instance`.
-- @tparam string key
-- @treturn ?instance_facts
function service:view_of(key)
  return facts.of_instance(self, key)
end

--- Lists its instances, including those that the policy leaves out.
-- @treturn {instance,...} sorted by key; a table that never changes
function service:instances()
  return self.wanted.all
end

--- Lists the instances that should serve, each in a slot or waiting for one.
-- @treturn {instance,...} sorted by key; a table that never changes
function service:serving()
  return self.wanted.serving
end

--- Returns the log line that sums up what was done since the last one, or nil.
-- @treturn ?string
function service:summary()
  local text = news.line(self.news, self.name, self.placement,
    self:obstacle(self.placement.waiting[1]))
  self.news = news.new()
  return text
end

--- Returns the instances whose state may have changed since the last call.
-- @treturn {[string]=true} their keys
-- @treturn ?number when the first watch fired of those that caused it, if any
function service:take_touched()
  local touched, since = self.touched, self.since
  self.touched, self.since = {}, nil
  return touched, since
end

--- Returns what the snapshot keeps of the service. It changes with `revision`.
-- If the service leaves, that is what it was before: if it comes back, a reload
-- finds it.
-- @treturn record see `snapshot.begin_service`
function service:record()
  return self.last and self.last.record or facts.record_of(self)
end

return service
