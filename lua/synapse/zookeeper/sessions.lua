--- Where the instances of all services come from.
--
-- Services of the same ensemble share a session, and services of the same path
-- share the reads. There is a second session only if the watches of one could
-- outgrow the packet that restores them.
--
-- @module synapse.zookeeper.sessions

local decode = require("synapse.zookeeper.decode")
local instance_list = require("synapse.instances.list")
local labels = require("synapse.instances.labels")
local path = require("synapse.zookeeper.path")
local session = require("synapse.zookeeper.session")
local znodes = require("synapse.zookeeper.znodes")

local sessions = {}
sessions.__index = sessions

-- ZooKeeper's client restores all watches of a handle in one packet, which a
-- server refuses above 1 MB (jute.maxbuffer). Half of it is left for names that
-- are longer than NAME, and for instances beyond the slots.
local MOST_BYTES = 512 * 1024
local NAME = 32
-- The watches of a path whose znodes are no instances may take as much.
local MOST_OF_OTHERS = 192 * 1024

-- Returns how many instances the services of a source expect to have.
local function most_expected(readers)
  local most = 0
  for _, service in ipairs(readers) do
    most = math.max(most, #service.placement.pool, #service.wanted.instances)
  end
  return most
end

-- How many bytes so many watches may take in that packet.
local function watch_bytes(source, number)
  return (number + 1) * (#source.path + NAME + 4)
end

local function new_session(self, source)
  local deps = self.deps
  local added = session.new({
    hosts = source.hosts, auth = source.auth, log = deps.log,
    now = deps.now, wall = deps.wall, random = deps.random,
    resync_interval = deps.resync_interval,
    entered = function(from, to) deps.entered(source.hosts, from, to) end,
  })
  table.insert(self.list, added)
  return added
end

-- Returns a session with room for so many watches, and where that is noted.
local function session_of(self, source, number)
  local bytes = watch_bytes(source, number)
  local last = self.last[source.ensemble]
  if not last or
    last.bytes + last.session.left_bytes + bytes > MOST_BYTES
  then
    last = {session = new_session(self, source), bytes = 0}
    self.last[source.ensemble] = last
  end
  last.bytes = last.bytes + bytes
  return last.session, {of = last, bytes = bytes}
end

-- The name of a znode means nothing in the path of another source.
local function known_znodes(readers, origin)
  local known = {}
  for _, service in ipairs(readers) do
    for _, instance in ipairs(service.wanted.instances) do
      if instance.znode and
        (instance.origin == nil or instance.origin == origin)
      then
        known[#known + 1] = instance
      end
    end
  end
  return known
end

local function most_instances(readers)
  local most = 0
  for _, service in ipairs(readers) do
    most = math.max(most, service.deps.config.max_instances)
  end
  return most
end

--- Returns the instances of a service, of all its sources.
-- @tparam service service
-- @treturn {instance,...} sorted by key, each host:port once
-- @treturn integer how many label_filters left out where they left none, else 0
function sessions:instances(service)
  local config, lists, number = service.deps.config, {}, 0
  for i, source in ipairs(config.sources) do
    local all = self.paths[source.place]:instances()
    lists[i] = labels.apply(all, source.filters)
    number = number + #all
  end
  local list = instance_list.resolve(config.resolver, lists)
  return list, #list == 0 and number or 0
end

-- Counts the znodes that have each host:port.
local function count_claims(self, gone, come)
  local claims = self.claims
  for _, instance in ipairs(come) do
    if not claims[instance.key] then
      self.new_claims = self.new_claims or {}
      self.new_claims[instance.key] = true
    end
    claims[instance.key] = (claims[instance.key] or 0) + 1
  end
  for _, instance in ipairs(gone) do
    local left = claims[instance.key] - 1
    claims[instance.key] = left > 0 and left or nil
  end
end

-- Keeps the time of the first watch that fired for a service.
local function note_change(self, service, since)
  if not self.is_changed[service] then
    self.is_changed[service] = true
    table.insert(self.changed, service)
  end
  if since and since < (self.since[service] or math.huge) then
    self.since[service] = since
  end
end

--- Takes the next service whose instances may have changed.
-- @treturn ?service nil if there is none
-- @treturn ?number when the first watch fired that told of it, if one did
function sessions:next_changed()
  local service = self.changed[self.next]
  if not service then
    self.changed, self.next = {}, 1
    return nil
  end
  local since = self.since[service]
  self.next = self.next + 1
  self.is_changed[service], self.since[service] = nil, nil
  return service, since
end

local open

-- Reads a path through a session. `deps` has what only the path's reader knows.
local function begin_path(self, through, source, deps)
  deps.hosts, deps.path, deps.pause = source.hosts, source.path, source.pause
  deps.create_path, deps.request = source.create_path, through:requester()
  deps.take_room = function(bytes) return through:take_room(bytes) end
  deps.give_room = function(bytes) through:give_room(bytes) end
  deps.awaits = function(one) through:await(one) end
  deps.codes, deps.now, deps.log =
    self.deps.codes, self.deps.now, self.deps.log
  local watched = path.new(deps)
  through:add(watched)
  if self.client and not through.session then
    open(self, through)
  end
  return watched
end

local function add_path(self, source, readers)
  local deps = self.deps
  local through, room = session_of(self, source, most_expected(readers))
  self.paths[source.place] = begin_path(self, through, source, {
    reader = znodes.reader(decode.new(source.decode)),
    origin = source.origin, known = known_znodes(readers, source.origin),
    max_instances = most_instances(readers),
    changed = function(since)
      for _, service in ipairs(readers) do
        note_change(self, service, since)
      end
    end,
    moved = function(gone, come) count_claims(self, gone, come) end,
    reported = function(znode, problem)
      for _, service in ipairs(readers) do
        deps.reported(service, znode, problem)
      end
    end,
  })
  self.through[source.place], self.room[source.place] = through, room
  self.readers[source.place] = readers
end

-- Whoever makes znodes there takes no room from the services.
local function limit_room(deps, most)
  local taken, take, give = 0, deps.take_room, deps.give_room
  deps.take_room = function(bytes)
    local has_room = taken + bytes <= most and take(bytes)
    taken = has_room and taken + bytes or taken
    return has_room
  end
  deps.give_room = function(bytes)
    taken = taken - bytes
    give(bytes)
  end
end

--- Watches a path whose znodes are no instances. It has no end.
-- @tparam source source
-- @tparam table deps `reader`, `changed`, `reported`, `max_instances` and
--   `like`, see `path.new`; `most`: how many znodes are read
-- @treturn path
function sessions:watch(source, deps)
  local through = session_of(self, source, deps.most)
  deps.moved = function() end
  local watched = begin_path(self, through, source, deps)
  limit_room(deps, MOST_OF_OTHERS)
  return watched
end

-- Lists the places that are read, in the services' order, and the services that
-- read each.
local function readers_of(services)
  local places, readers = {}, {}
  for _, service in ipairs(services) do
    for _, source in ipairs(service.deps.config.sources) do
      local place = source.place
      if not readers[place] then
        places[#places + 1] = source
        readers[place] = {}
      end
      local list = readers[place]
      list[#list + 1] = list[#list] ~= service and service or nil
    end
  end
  return places, readers
end

--- Returns sessions that have read nothing and have no session.
-- @tparam table deps
--   `services`; `reported(service, znode, problem)`: called when a znode turns
--   bad, or good again (nil); `entered(hosts, from, to)`: called when the state
--   of a session changes; `lookup`: where ensembles are; `codes`; `log`;
--   `now()`, `wall()`, `random()` and `resync_interval`, see `session.new`
-- @treturn sessions
function sessions.new(deps)
  local self = setmetatable({
    deps = deps, list = {}, last = {}, paths = {}, by_session = {},
    readers = {}, through = {}, room = {},
    claims = {}, new_claims = nil,
    changed = {}, next = 1, is_changed = {}, since = {},
  }, sessions)
  local places, readers = readers_of(deps.services)
  for _, source in ipairs(places) do
    add_path(self, source, readers[source.place])
  end
  return self
end

--- Returns the paths from which a service is read.
-- @tparam service service
-- @treturn {path,...}
function sessions:of(service)
  local list = {}
  for i, source in ipairs(service.deps.config.sources) do
    list[i] = self.paths[source.place]
  end
  return list
end

-- A session whose servers have no address yet is opened when they have one.
function open(self, through)
  local hosts = through.hosts
  local addresses = self.deps.lookup:addresses(hosts)
  if not addresses then
    return
  end
  local opened, why =
    self.client:open({hosts = addresses, timeout = self.timeout})
  if opened then
    through:open(opened)
    self.by_session[opened] = through
  else
    through.cause = why
    self.deps.log:error("no session with %s: %s; its servers stay as they " ..
      "are", hosts, why)
  end
end

--- Opens the sessions.
-- @tparam client client of the zookeeper module
-- @tparam number timeout seconds
function sessions:open(client, timeout)
  self.client, self.timeout = client, timeout
  for _, through in ipairs(self.list) do
    open(self, through)
  end
end

local function has(list, one)
  for _, each in ipairs(list) do
    if each == one then
      return true
    end
  end
  return false
end

local function enter(self, service, sources)
  for _, source in ipairs(sources) do
    local readers = self.readers[source.place]
    if not readers then
      add_path(self, source, {service})
    elseif not has(readers, service) then
      readers[#readers + 1] = service
    end
  end
end

local function close(self, through)
  for i, each in ipairs(self.list) do
    if each == through then
      table.remove(self.list, i)
      break
    end
  end
  for ensemble, last in pairs(self.last) do
    if last.session == through then
      self.last[ensemble] = nil
    end
  end
  if through.session then
    self.by_session[through.session] = nil
    through.session:close()
  end
end

local function remove_path(self, place)
  local through, room = self.through[place], self.room[place]
  room.of.bytes = room.of.bytes - room.bytes
  through:remove(self.paths[place])
  self.paths[place], self.readers[place] = nil, nil
  self.through[place], self.room[place] = nil, nil
  if #through.paths == 0 then
    close(self, through)
  end
end

local function leave(self, service, sources, kept)
  for _, source in ipairs(sources) do
    local readers = not kept[source.place] and self.readers[source.place] or {}
    for i, reader in ipairs(readers) do
      if reader == service then
        table.remove(readers, i)
        break
      end
    end
    if self.paths[source.place] and #self.readers[source.place] == 0 then
      remove_path(self, source.place)
    end
  end
end

-- A service is updated with what its sources have read, also if that was for
-- another service. A source that was not read yet reports later by itself.
local function note_read(self, service, sources)
  for _, source in ipairs(sources) do
    if not self.paths[source.place].is_whole then
      return
    end
  end
  if #sources > 0 then
    note_change(self, service)
  end
end

--- Reads a service from the sources of its present configuration. Ends the
-- sessions that nobody needs any more.
-- @tparam service service
-- @tparam {source,...} before those that it was read from until now
function sessions:follow(service, before)
  local sources, kept = service.deps.config.sources, {}
  for _, source in ipairs(sources) do
    kept[source.place] = true
  end
  enter(self, service, sources)
  leave(self, service, before, kept)
  for place in pairs(kept) do
    self.paths[place].deps.max_instances = most_instances(self.readers[place])
  end
  note_read(self, service, sources)
end

--- Uses the addresses that an ensemble has now.
-- @tparam string hosts
function sessions:use_addresses(hosts)
  for _, through in ipairs(self.list) do
    if through.hosts == hosts and through.session then
      through:use_addresses(self.deps.lookup:addresses(hosts))
    elseif through.hosts == hosts then
      open(self, through)
    end
  end
end

--- Takes an event of a session, or an overflow of the queue.
-- @tparam table event as `client:poll()` returns it
-- @treturn boolean whether it was for a session
function sessions:take(event)
  local through = self.by_session[event.session]
  if through then
    through:take(event)
  elseif event.type == "overflow" then
    for _, each in ipairs(self.list) do
      each:take(event)
    end
  end
  return through ~= nil
end

--- Takes a line of the client library.
-- @tparam string line
function sessions:note_line(line)
  for _, through in ipairs(self.list) do
    through:note_line(line, self.deps.lookup:addresses(through.hosts))
  end
end

--- Does what is due by now: delayed reads and retries.
function sessions:tick()
  for _, through in ipairs(self.list) do
    through:tick()
  end
end

--- Tells whether HAProxy's worker may start threads, as far as the sessions
-- know.
-- @treturn boolean
function sessions:has_threads()
  for _, through in ipairs(self.list) do
    if through.state == "no_threads" then
      return false
    end
  end
  return true
end

--- Tells whether any znode that is known has a host:port.
-- @tparam string key
-- @treturn boolean
function sessions:has(key)
  return self.claims[key] ~= nil
end

--- Returns which host:port have a znode that had none when this was asked last.
-- @treturn ?{[string]=true} nil: none
function sessions:take_new_claims()
  local claims = self.new_claims
  self.new_claims = nil
  return claims
end

--- Forgets what was asked and reads everything again.
function sessions:restart()
  for _, through in ipairs(self.list) do
    through:restart()
  end
end

--- Ends the sessions.
function sessions:close()
  for opened in pairs(self.by_session) do
    opened:close()
  end
  self.by_session = {}
end

return sessions
