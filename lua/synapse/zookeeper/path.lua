--- The instances of one path: watches, reads, recovery.
--
-- Reads come in passes: first the list of children if it may have changed, then
-- the znodes that are not known. A pass takes effect as a whole when its last
-- read was answered. So an instance that registers again under another name is
-- never gone in between. Only a successful read removes an instance: a failed
-- read keeps what is known, and is tried again after growing delays.
--
-- @module synapse.zookeeper.path

local children = require("synapse.zookeeper.children")
local plural = require("synapse.plural")
local znodes = require("synapse.zookeeper.znodes")

local watched = {}
watched.__index = watched

-- Lists a path and the paths above it, the shortest first.
local function lineage(path)
  local list, from = {}, 2
  while from do
    from = path:find("/", from, true)
    list[#list + 1] = path:sub(1, (from or 0) - 1)
    from = from and from + 1
  end
  return list
end

-- Only the last answer counts, because a path above may exist and not be
-- readable. The watch fires when the path is made.
local function make(deps)
  local paths = lineage(deps.path)
  for i, path in ipairs(paths) do
    local asked = deps.request("create", path, function(event)
      if i == #paths and event.code ~= deps.codes.ok and
        event.code ~= deps.codes.node_exists
      then
        deps.unmade(event)
      end
    end)
    if not asked then
      return
    end
  end
end

--- Sets a watch that fires when the path is made.
-- @tparam table deps
--   `path`; `request(op, path, handler)` as of `path.new`; `codes`;
--   `create`: whether to make the path; `exists()`: called when it exists
--   already; `failed(event)`: called when the request fails;
--   `unmade(event)`: called when it cannot be made
function watched.await_created(deps)
  deps.request("exists", deps.path, function(event)
    if event.code == deps.codes.ok then
      deps.exists()
    elseif event.code ~= deps.codes.no_node then
      deps.failed(event)
    elseif deps.create then
      make(deps)
    end
  end)
end

-- The most bytes of a watched name. A name that carries the data is not
-- watched.
local MAX_NAME = 255
local FIRST_DELAY = 1
local LONGEST_DELAY = 30

local function join(path, name)
  return path == "/" and "/" .. name or path .. "/" .. name
end

local function report(self, name, problem)
  self.version = self.version + 1
  self.deps.reported(name, problem)
  if problem then
    self.deps.log:warning("%s %s", join(self.path, name), problem)
  end
end

--- Returns a path that knows the instances given and has read nothing.
-- @tparam table deps
--   `hosts`, for people; `path`; `max_instances`;
--   `like`: patterns of the names that count, see `names:keep`; nil: all do;
--   `reader`: what makes znodes, see `znodes.reader`;
--   `pause`: seconds between two reads that watches ask for, 0 for none;
--   `create_path`: whether a missing path is made; `origin`: what each
--   instance is to carry, or nil;
--   `known`: instances of the last run, each with its `znode`, a znode maybe
--   twice (two services may share a path);
--   `request(op, path, handler)`: asks ZooKeeper with a watch and returns
--   whether it could, handler gets the reply event;
--   `take_room(bytes)`: whether the session has room for a watch, which is
--   taken then, and `give_room(bytes)`; `awaits(path)`: called when it has a
--   `retry_at`, from which on it needs ticks; `codes`; `now()`;
--   `log`; `changed(since)`: called when the instances may have changed, with
--   the time of the first watch that told of it, if one did;
--   `reported(name, problem)`: called when a znode turns bad, or good again
--   (nil); `moved(gone, come)`, see `znodes.new`
-- @treturn path
function watched.new(deps)
  local self = setmetatable({
    deps = deps,
    hosts = deps.hosts,
    path = deps.path,
    stale = {},
    watched = {},   -- the znodes that its session has room for
    failed = {},
    unlisted = true,
    pass = nil,
    unverified = {},  -- names that nothing watches, from `verified` on
    verified = 0,
    gone = {},      -- from the list, but not forgotten yet
    is_cut = false, -- a listed znode was gone when it was read
    is_whole = false, -- a pass has taken effect
    is_over = false,  -- nobody reads it any more
    delay = FIRST_DELAY,
    retry_at = nil,
    paused_until = 0,
    overfull = false,
    state = "new",
    version = 0,
  }, watched)
  self.znodes = znodes.new({
    known = deps.known or {}, origin = deps.origin,
    reported = function(name, problem) report(self, name, problem) end,
    moved = deps.moved,
  })
  self.children = children.new(self.znodes.by_name)
  return self
end

-- Logs a change of the path's state, and no state twice.
local function enter(self, state, level, format, ...)
  if self.state == state then
    return
  end
  self.state, self.why = state, nil
  self.version = self.version + 1
  if level then
    local log = self.deps.log
    log[level](log, "%s: " .. format, self.path, ...)
  end
end

local function recovered(self)
  if self.state == "new" then
    enter(self, "read")
  else
    enter(self, "read", "info", "can be read again")
  end
end

local function read_at(self, time)
  self.retry_at = math.min(self.retry_at or time, time)
  self.deps.awaits(self)
end

-- After a watch has fired, reads once the pause is over. So a large change
-- costs a few reads, not one for each of its parts.
local function read_paced(self)
  if self.deps.now() < self.paused_until then
    read_at(self, self.paused_until)
  else
    self:read()
  end
end

local function retry_later(self)
  read_at(self, self.deps.now() + self.delay)
  self.delay = math.min(self.delay * 2, LONGEST_DELAY)
end

-- The session reports a lost connection, and makes the path read again.
local function failed_read(self, event, format, ...)
  if event.code ~= self.deps.codes.connection_loss then
    enter(self, "error " .. event.code, "warning", format, ...)
    self.why = event.error
  end
  retry_later(self)
end

-- Tells whether a listed name was not read because there was no connection.
local function has_unread(self)
  for _, code in pairs(self.failed) do
    if code == self.deps.codes.connection_loss then
      return true
    end
  end
  return false
end

-- Takes what the pass has read. Forgets what is gone only if everything was
-- read: an instance that registers again may be among the unread znodes.
local function take_in(self, pass)
  local gone = {}
  if not self.is_cut and not has_unread(self) then
    gone, self.gone = self.gone, {}
  end
  self.znodes:take(pass.read, gone)
end

local function finish(self)
  local pass = self.pass
  self.pass, self.is_whole = nil, true
  self.paused_until = self.deps.now() + self.deps.pause
  take_in(self, pass)
  if next(self.failed) == nil then
    self.delay = FIRST_DELAY
  end
  if not has_unread(self) then
    recovered(self)
  end
  self.deps.changed(pass.since)
  read_paced(self)
end

local function settle(self)
  if self.pass.outstanding == 0 then
    finish(self)
  end
end

-- Returns the bytes of a znode's watch in the packet that restores it.
local function watch_bytes(self, name)
  return #join(self.path, name) + 4
end

-- Returns why a znode cannot be watched, or nil.
local function unwatchable(self, name)
  if #name > MAX_NAME then
    return string.format("its name has %d bytes (at most %d); refused", #name,
      MAX_NAME)
  elseif self.watched[name] then
    return nil
  elseif not self.deps.take_room(watch_bytes(self, name)) then
    self.failed[name] = self.deps.codes.ok
    retry_later(self)
    return "its session has no room to watch it; refused"
  end
  self.watched[name] = true
  return nil
end

local function unwatch(self, name)
  if self.watched[name] then
    self.watched[name] = nil
    self.deps.give_room(watch_bytes(self, name))
  end
end

local function fetched(self, name, event)
  if self.is_over then
    return
  end
  local codes = self.deps.codes
  local pass = self.pass
  pass.outstanding = pass.outstanding - 1
  if event.code == codes.ok then
    pass.read[name] = self.deps.reader.read(name, event)
  elseif event.code == codes.no_node then
    -- The znode went after the list was made: the next list will lack it.
    self.is_cut = true
    self.gone[name] = true
    unwatch(self, name)
    self.children:forget(name)
  else
    -- The other znodes are used, and this one is read again.
    self.failed[name] = event.code
    if event.code ~= codes.connection_loss then
      pass.read[name] = znodes.refused("cannot be read: " .. event.error)
    end
    retry_later(self)
  end
  settle(self)
end

local function fetch(self, name)
  self.stale[name] = nil
  self.failed[name] = nil
  local named = self.deps.reader.named(name)
  local why = not named and unwatchable(self, name)
  if named or why then
    self.pass.read[name] = named or znodes.refused(why)
    return
  end
  local asked = self.deps.request("get", join(self.path, name),
    function(event) fetched(self, name, event) end)
  if asked then
    self.pass.outstanding = self.pass.outstanding + 1
  else
    self.failed[name] = self.deps.codes.connection_loss
    retry_later(self)
  end
end

-- Returns which names are new and which are gone.
local function compare(self, event)
  if self.deps.like then
    event.names:keep(self.deps.like)
  end
  local number, most = #event.names, self.deps.max_instances
  if number <= most then
    self.overfull = false
    return self.children:follow(event)
  end
  if not self.overfull then
    self.deps.log:error("%s: has %s, and max_instances allows %d", self.path,
      plural(number, "znode"), most)
  end
  self.overfull = true
  return self.children:admit(event, most)
end

-- Reads znodes again whose data may have changed.
local function fetch_stale(self)
  local names = {}
  for name in pairs(self.stale) do
    names[#names + 1] = name
  end
  self.stale = {}
  for _, name in ipairs(names) do
    if self.children:has(name) then
      fetch(self, name)
    end
  end
end

-- Takes the list: which znodes to read, and which are gone.
local function start_pass(self, event)
  local fresh, gone = compare(self, event)
  self.is_cut = false
  for _, name in ipairs(gone) do
    self.failed[name] = nil
    self.gone[name] = true
    unwatch(self, name)
  end
  for _, name in ipairs(fresh) do
    self.gone[name] = nil
    fetch(self, name)
  end
  fetch_stale(self)
  settle(self)
end

local function retry_failed(self)
  for name in pairs(self.failed) do
    self.stale[name] = true
  end
end

local function distrust_all(self)
  for name in pairs(self.znodes.by_name) do
    self.stale[name] = true
  end
  retry_failed(self)
end

-- Logged once, after the path was reported as missing.
local function unmade(self, event)
  if event.code ~= self.deps.codes.connection_loss then
    enter(self, "unmade", "error", "cannot be made: %s", event.error)
    self.why = event.error
  end
  retry_later(self)
end

-- Waits until the path is made. The known instances stay, because a missing
-- path says nothing about them. But they must be read again then: a path that
-- is made again counts its znodes from zero, so old names come back. Until then
-- there is nothing to verify.
local function await_path(self)
  distrust_all(self)
  self.unverified, self.verified = {}, 0
  self.retry_at = nil
  if self.state ~= "unmade" then
    local known = self.znodes:size()
    enter(self, "missing", "warning", "no such znode; %s", known == 0 and
      "no instance was known" or plural(known, "instance") ..
      (known == 1 and " is kept" or " are kept"))
  end
  -- A path that nobody reads any more is not made either.
  local function request(op, path, handler)
    return self.deps.request(op, path, function(event)
      if not self.is_over then
        handler(event)
      end
    end)
  end
  watched.await_created({
    path = self.path, request = request, codes = self.deps.codes,
    create = self.deps.create_path,
    exists = function()
      self.unlisted = true
      self:read()
    end,
    failed = function(event)
      self.unlisted = true
      failed_read(self, event, "cannot be waited for: %s", event.error)
    end,
    unmade = function(event)
      self.unlisted = true
      unmade(self, event)
    end,
  })
end

local function listed(self, event)
  if self.is_over then
    return
  end
  local codes = self.deps.codes
  if event.code == codes.ok then
    return start_pass(self, event)
  end
  self:note(self.pass.since)
  self.pass = nil
  if event.code == codes.no_node then
    return await_path(self)
  end
  self.unlisted = true
  failed_read(self, event, "cannot be read: %s; its instances are kept",
    event.error)
end

local function new_pass(self)
  local since = self.since
  self.since = nil
  return {outstanding = 0, read = {}, since = since}
end

--- Notes when a watch fired whose change no pass has read yet.
-- @tparam ?number time
function watched:note(time)
  self.since = self.since or time
end

--- Starts a pass if one is needed and none is under way.
function watched:read()
  if self.pass or self.is_over then
    return
  elseif self.unlisted then
    self.pass = new_pass(self)
    self.unlisted = false
    local asked = self.deps.request("get_children", self.path,
      function(event) listed(self, event) end)
    if not asked then
      self.unlisted = true
      self:note(self.pass.since)
      self.pass = nil
      retry_later(self)
    end
  elseif next(self.stale) ~= nil then
    self.pass = new_pass(self)
    fetch_stale(self)
    settle(self)
  end
end

--- Reads what a new connection makes necessary: only the list if the client has
-- kept its watches, everything otherwise.
-- @tparam boolean watches_live
function watched:connected(watches_live)
  self.unlisted = true
  self.retry_at = nil
  self.delay = FIRST_DELAY
  if watches_live then
    retry_failed(self)
  else
    distrust_all(self)
  end
  self:read()
end

--- Tells whether it needs a read whatever its watches say: it was never read,
-- the connection broke during a read, or it waits for its path, whose watch
-- may not be set.
-- @treturn boolean
function watched:is_behind()
  return self.state ~= "read" or self.unlisted or self.pass ~= nil or
    next(self.failed) ~= nil
end

--- Tells whether the known znodes have watches, or wait to be verified. Those
-- with which a path begins have none.
-- @treturn boolean
function watched:is_trusted()
  return self.is_whole or self:is_unverified()
end

--- Takes note that its watches are gone, or may be. What it knows stays;
-- `connected` reads the list again, and `verify` the data. What a pass has read
-- but not taken in yet is in the list as well.
function watched:distrust()
  self.unverified, self.verified = {}, 0
  for name in pairs(self.children.seen) do
    self.unverified[#self.unverified + 1] = name
  end
end

--- Tells whether `verify` has something to read.
-- @treturn boolean
function watched:is_unverified()
  return self.verified < #self.unverified
end

--- Verifies some znodes, unless it is reading already.
-- @tparam integer most how many znodes at once
-- @treturn boolean whether it read any
function watched:verify(most)
  if self.pass or self.is_over then
    return false
  end
  local last = math.min(self.verified + most, #self.unverified)
  for i = self.verified + 1, last do
    self.stale[self.unverified[i]] = true
  end
  local is_some = last > self.verified
  self.verified = last
  if is_some then
    self:read()
  end
  return is_some
end

--- Forgets a pass under way, whose replies will not come, and reads again.
function watched:restart()
  self.pass, self.gone, self.failed = nil, {}, {}
  self.unverified, self.verified = {}, 0
  self.children = children.new(self.znodes.by_name)
  self:connected(false)
end

--- Takes note of a watch of the path itself that fired.
-- @tparam ?number time at which it did
function watched:path_changed(time)
  self:note(time)
  self.unlisted = true
  read_paced(self)
end

--- Takes note of a watch of a znode below the path that fired.
-- @tparam string name
-- @tparam ?number time at which it did
function watched:data_changed(name, time)
  if self.children:has(name) then
    self:note(time)
    self.stale[name] = true
    read_paced(self)
  end
end

--- Takes note that a znode below the path was deleted. The watch of the path
-- fires as well and brings the list; should the name be in it again, it is
-- another znode.
-- @tparam string name
function watched:znode_deleted(name)
  if self.children:has(name) then
    self.stale[name] = true
  end
end

--- Tries again what failed, when it is time.
function watched:tick()
  if not self.retry_at or self.deps.now() < self.retry_at then
    return
  end
  self.retry_at = nil
  retry_failed(self)
  self:read()
end

--- Tells whether no read has succeeded and no last run left anything.
-- @treturn boolean
function watched:knows_nothing()
  return self.state == "new" and next(self.znodes.by_name) == nil
end

--- Ends the path: later answers and watches have no effect.
-- @treturn integer how many bytes the watches of its znodes take in the packet
--   that restores them; its session still has them
function watched:finish()
  local bytes = 0
  for name in pairs(self.watched) do
    bytes = bytes + watch_bytes(self, name)
  end
  self.is_over = true
  self.unverified, self.verified = {}, 0
  self.znodes:forget_all()
  return bytes
end

--- Returns how many znodes are known.
-- @treturn integer
function watched:size()
  return self.znodes:size()
end

--- Returns the beginning of a znode's data, as it was read.
-- @tparam string znode
-- @treturn ?string
function watched:data(znode)
  return self.znodes:data(znode)
end

--- Lists the znodes with a problem, and those that could not be read.
-- @treturn {{znode,problem,is_refused,data},...} sorted by znode
function watched:problems()
  return self.znodes:problems()
end

--- Lists the instances known.
-- @treturn {instance,...} see `instance_list:list`
function watched:instances()
  return self.znodes.instances:list()
end

return watched
