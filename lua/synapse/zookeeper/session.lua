--- One session with an ensemble, and the paths that read through it.
--
-- Dispatches events: replies by the request's number, fired watches by path, a
-- new connection to all paths.
--
-- After an ensemble was lost, thousands of sessions of a fleet begin together,
-- and nearly everything is known already. So a session reads at once only what
-- is not known. It reads the rest again when it has room (`session:room`):
-- first the lists, whose watches report new instances, then the data. Where the
-- lists took long, others wait for theirs: the data waits as much longer.
--
-- @module synapse.zookeeper.session

local session = {}
session.__index = session

-- Each list is read again in every resync, all data in every sixth.
local DATA_EVERY = 6
-- The number of ticks in which all paths are examined for a resync that is due.
local RESYNC_TICKS = 50

-- A server refuses a packet above 1,048,575 bytes (jute.maxbuffer), and the
-- client then reconnects for ever. The rest is for watches that are not
-- counted: a path may have two for a while.
local WATCHED_MAX = 900000

-- A fleet that has lost its ensemble comes back spread over some seconds: one,
-- and one more for each of these numbers of lists and of znodes.
local SPREAD = 1
local LISTS = 1000
local ZNODES = 2000

-- Seconds within which everything is verified after a connection is back on the
-- same handle; and after which its data is read at the latest on a new one.
local VERIFIED_IN = 120

--- Returns an ensemble without a session.
-- @tparam table deps
--   `hosts`: for people; `auth`: nil, or the `scheme` and the `secret` that are
--   shown to it; `log`; `now()`; `wall()`: seconds since the epoch; `random()`
--   in [0, 1); `resync_interval`: seconds after which every list is read again;
--   `entered(from, to)`: called when the session's state changes
-- @treturn session
function session.new(deps)
  return setmetatable({
    deps = deps,
    hosts = deps.hosts,
    session = nil,
    paths = {},
    by_path = {},
    handlers = {},
    lists = {},       -- paths whose list is to be read
    lists_at = 0,     -- when that begins
    lists_since = nil, -- when it began
    znodes_a_list = 0, -- known, on average
    is_put_off = {},  -- by path: whether it is one of them
    awaiting = {},    -- paths that need ticks
    doubtful = {},    -- paths whose data is to be read again
    doubtful_at = 0,  -- when that begins
    resync_at = {},
    resyncs = {},
    looked_at = 0,
    state = "new",
    since = deps.wall(),
    watched_bytes = 0,
    left_behind = {}, -- bytes of the watches of paths that nobody reads
    left_bytes = 0,   -- all of these
    fired = 0,
    expiries = 0,
    connections = 0,
    was_connected = false,
  }, session)
end

--- Begins to use a session.
-- @tparam session opened of the zookeeper module
function session:open(opened)
  self.session = opened
  if self.deps.auth then
    opened:add_auth(self.deps.auth.scheme, self.deps.auth.secret)
  end
end

-- Reads set a watch; `create` makes an empty persistent znode.
local ARGUMENT = {get = true, get_children = true, exists = true, create = ""}

--- Returns the function with which a path sends requests, see `path.new`.
-- @treturn function
function session:requester()
  return function(op, path, handler)
    if not self.session then
      return false
    end
    local number = self.session[op](self.session, path, ARGUMENT[op])
    if number then
      self.handlers[number] = handler
    end
    return number ~= nil
  end
end

--- Takes room for a watch in the packet that restores all of them.
-- @tparam integer bytes
-- @treturn boolean whether there was as much
function session:take_room(bytes)
  local has_room = self.watched_bytes + bytes <= WATCHED_MAX
  if has_room then
    self.watched_bytes = self.watched_bytes + bytes
  end
  return has_room
end

--- Returns such room.
-- @tparam integer bytes
function session:give_room(bytes)
  self.watched_bytes = self.watched_bytes - bytes
end

-- Returns the bytes of a path's own watch in that packet.
local function own_bytes(path)
  return #path.path + 4
end

local function leave_behind(self, place, bytes)
  self.left_behind[place] = (self.left_behind[place] or 0) + bytes
  self.left_bytes = self.left_bytes + bytes
end

local function forget_left_behind(self, place)
  local bytes = self.left_behind[place] or 0
  self.left_behind[place] = nil
  self.left_bytes = self.left_bytes - bytes
  self:give_room(bytes)
end

--- Adds a path.
-- @tparam path path
function session:add(path)
  local place = path.path
  self.by_path[place] = self.by_path[place] or {}
  table.insert(self.by_path[place], path)
  table.insert(self.paths, path)
  forget_left_behind(self, place)
  self.watched_bytes = self.watched_bytes + own_bytes(path)
  if self.state == "connected" then
    path:connected(false)
  end
end

local function take_out(list, one)
  for i, each in ipairs(list) do
    if each == one then
      return table.remove(list, i)
    end
  end
end

--- Gives a path ticks until it has no `retry_at` any more.
-- @tparam path path
function session:await(path)
  self.awaiting[path] = true
end

--- Removes a path. The client goes on restoring its watches until the handle is
-- replaced, so their room stays taken.
-- @tparam path path
function session:remove(path)
  local place = path.path
  take_out(self.by_path[place], path)
  if #self.by_path[place] == 0 then
    self.by_path[place] = nil
  end
  take_out(self.paths, path)
  self.is_put_off[path], self.resync_at[path] = nil, nil
  self.resyncs[path], self.awaiting[path] = nil, nil
  leave_behind(self, place, path:finish() + own_bytes(path))
end

-- Notes that all data of a path must be read again.
local function doubt(self, path)
  path:distrust()
  table.insert(self.doubtful, path)
end

-- Puts the read of a path's list off, and that of its data.
local function put_off(self, path)
  self.is_put_off[path] = true
  table.insert(self.lists, path)
  doubt(self, path)
end

-- Reads the lists that were put off, as far as the session has room. A path
-- that was removed meanwhile is left out.
local function read_lists(self)
  while #self.lists > 0 and self.session:room() > 0 do
    local path = table.remove(self.lists)
    if self.is_put_off[path] then
      self.is_put_off[path] = nil
      path:connected(true)
    end
  end
end

-- Reads data again that was put off, as far as the session has room, one path
-- after the other.
local function verify(self)
  for _ = 1, #self.doubtful do
    local room = self.session:room()
    if room == 0 then
      return
    end
    local path = table.remove(self.doubtful, 1)
    path:verify(room)
    if path:is_unverified() then
      table.insert(self.doubtful, path)
    end
  end
end

-- As long as the data would take at the pace of the lists, at most.
local function put_data_off(self, now)
  local within = math.min(VERIFIED_IN,
    self.znodes_a_list * (now - self.lists_since))
  self.doubtful_at =
    math.max(self.doubtful_at, now + self.deps.random() * within)
end

-- Reads what is due and was put off.
local function read_politely(self)
  if self.state ~= "connected" or not self.session then
    return
  end
  local now = self.deps.now()
  if #self.lists > 0 and now >= self.lists_at then
    self.lists_since = self.lists_since or now
    read_lists(self)
    if #self.lists == 0 then
      put_data_off(self, now)
    end
  elseif #self.doubtful > 0 and now >= self.doubtful_at then
    verify(self)
  end
end

-- Everything must be read again, because watches may be lost. A path that knows
-- nothing yet is read at once, because traffic waits for it.
local function read_all(self)
  self.lists, self.is_put_off, self.doubtful = {}, {}, {}
  local known = 0
  for _, path in ipairs(self.paths) do
    if path:knows_nothing() then
      path:connected(false)
    else
      put_off(self, path)
      known = known + path:size()
    end
  end
  self.lists_at, self.lists_since, self.doubtful_at = 0, nil, 0
  self.znodes_a_list = known / math.max(1, #self.lists)
  return known
end

-- The same for a new handle. Each session of a fleet takes a moment of its own.
local function read_all_in_turn(self)
  local known, random = read_all(self), self.deps.random
  self.lists_at = self.deps.now() + random() * (SPREAD + #self.lists / LISTS)
  self.doubtful_at = self.lists_at + random() * known / ZNODES
end

-- On the same handle the watches fire for what has changed meanwhile. The
-- session verifies that later, without hurry.
local function read_missed(self)
  local now = self.deps.now()
  for _, path in ipairs(self.paths) do
    if path:is_behind() then
      self.is_put_off[path] = nil
      path:connected(path:is_trusted())
    elseif not self.is_put_off[path] then
      self.resync_at[path] = math.min(self.resync_at[path] or math.huge,
        now + self.deps.random() * VERIFIED_IN)
    end
  end
end

local function connected(self, event)
  self.was_connected = true
  self.connections = self.connections + 1
  self.id, self.timeout = event.client_id, event.timeout
  if not self.refusal then
    self.deps.log:info("session with %s connected, id %s, timeout %g s (%s)",
      self.hosts, event.client_id, event.timeout, event.link)
  end
  if event.link == "same_handle" then
    read_missed(self)
  else
    -- A new handle has no watch of a path that nobody reads.
    for place in pairs(self.left_behind) do
      forget_left_behind(self, place)
    end
    read_all_in_turn(self)
  end
end

local STATES = {
  connecting = {"warning", "connection lost, servers stay as they are"},
  unknown = {"warning", "no answer for a session timeout, servers stay as " ..
    "they are"},
  expired = {"warning", "session expired, opening a new one"},
  auth_failed = {"error", "credentials refused, servers stay as they are; " ..
    "again in 60 s"},
  no_threads = {"alert", "HAProxy's worker may not start threads: set " ..
    "`insecure-fork-wanted` in `global`; until then the servers stay as the " ..
    "snapshot has them"},
}

-- A server that ends each connection for the same reason is reported once,
-- until its answer changes.
local function tell_refusal(self, words)
  if words ~= self.refusal then
    self.deps.log:error("session with %s: connection ended by the server: " ..
      "%s; servers stay as they are, tried again later and later", self.hosts,
      words)
  end
  self.refusal = words
end

local function tell(self, event)
  local level, text = table.unpack(STATES[event.state])
  if event.error then
    tell_refusal(self, event.error)
  elseif event.state ~= "connecting" or self.was_connected then
    self.deps.log[level](self.deps.log, "session with %s: %s", self.hosts,
      text)
  end
end

local function session_changed(self, event)
  local again = self.state == event.state
  if not again then
    self.deps.entered(self.state, event.state)
    self.since = self.deps.wall()
  end
  self.state = event.state
  self.expiries = self.expiries + (event.state == "expired" and 1 or 0)
  if event.state == "connected" then
    self.cause, self.culprit = nil, nil
    connected(self, event)
  elseif STATES[event.state] and not again then
    tell(self, event)
  end
end

local function replied(self, event)
  local handler = self.handlers[event.request]
  self.handlers[event.request] = nil
  if self.refusal and event.code == 0 then
    self.deps.log:info("session with %s: the server takes requests again",
      self.hosts)
    self.refusal = nil
  end
  if handler then
    handler(event)
  end
  read_politely(self)
end

local CHILD_CHANGED = {data = "data_changed", deleted = "znode_deleted"}

local function watch_fired(self, event)
  self.fired = self.fired + 1
  for _, path in ipairs(self.by_path[event.path] or {}) do
    path:path_changed(event.time)
  end
  local parent, name = event.path:match("^(.*)/([^/]+)$")
  local method = CHILD_CHANGED[event.change]
  local above = method and parent and
    self.by_path[parent == "" and "/" or parent]
  for _, path in ipairs(above or {}) do
    path[method](path, name, event.time)
  end
end

local HANDLERS = {
  session = session_changed,
  reply = replied,
  watch = watch_fired,
  overflow = function(self)
    self.deps.log:warning("session with %s: more events than the queue " ..
      "holds, reading everything again", self.hosts)
    read_all(self)
    read_politely(self)
  end,
}

--- Takes an event of this session, or an overflow of the queue.
-- @tparam table event as `client:poll()` returns it
function session:take(event)
  local handler = HANDLERS[event.type]
  if handler then
    handler(self, event)
  end
end

--- Forgets the requests under way and reads everything again.
function session:restart()
  self.handlers = {}
  self.lists, self.is_put_off, self.doubtful = {}, {}, {}
  for _, path in ipairs(self.paths) do
    path:restart()
  end
end

-- A watch can be lost: if it fires while its client may not read the path (any
-- more), the server removes it and reports nothing (seen on Debian's 3.8.0,
-- which has the fix of CVE-2024-23944). So each list is read again at times,
-- each path at moments of its own. The watch of a znode's data can be lost too,
-- but there are many znodes, so these are read less often.
local function resync(self, path, now)
  local due, interval = self.resync_at[path], self.deps.resync_interval
  if not due then
    self.resync_at[path] = now + self.deps.random() * interval
  elseif now >= due and self.state == "connected" then
    self.resync_at[path] = now + interval
    self.resyncs[path] = (self.resyncs[path] or 0) + 1
    if self.resyncs[path] % DATA_EVERY == 0 and not path:is_unverified() then
      doubt(self, path)
    end
    path:path_changed()
  end
end

-- Tells whether a server, "HOST:PORT" as the client library writes it, is one
-- of these addresses.
local function is_among(server, addresses)
  local known = "," .. addresses:gsub("[%[%]]", "") .. ","
  return known:find("," .. server .. ",", 1, true) ~= nil
end

--- Connects to these addresses from now on.
-- @tparam string addresses of its servers, parted by commas
function session:use_addresses(addresses)
  self.session:set_hosts(addresses)
  if self.culprit and not is_among(self.culprit, addresses) then
    self.cause, self.culprit = nil, nil
  end
end

--- Takes a line of the client library, "HOST: MESSAGE", as the cause of a
-- missing connection. If there are several servers, only the first one counts,
-- so that the text does not change all the time.
-- @tparam string line
-- @tparam ?string addresses of its servers, parted by commas
function session:note_line(line, addresses)
  local server = line:match("^(%S+): ")
  if server and addresses and is_among(server, addresses) and
    self.state ~= "connected" and (self.culprit or server) == server
  then
    self.culprit = server
    self.cause = line
  end
end

--- Does what is due by now: delayed reads, retries, and reads against lost
-- watches.
function session:tick()
  local now = self.deps.now()
  read_politely(self)
  for path in pairs(self.awaiting) do
    path:tick()
    self.awaiting[path] = path.retry_at and true or nil
  end
  for _ = 1, math.ceil(#self.paths / RESYNC_TICKS) do
    self.looked_at = self.looked_at % #self.paths + 1
    resync(self, self.paths[self.looked_at], now)
  end
end

return session
