--- The snapshot's file: where it is, how it is read at load, and when it is
-- written.
--
-- The directory is opened here, before HAProxy gives up its root directory and
-- its rights, and stays open for the writes of the worker.
--
-- The worker writes the file, not on HAProxy's threads: at most once a second,
-- one write at a time, and only if the text has changed. Changes of one moment
-- are written together, because a reload right after the first change must not
-- find only a part of them. An operator's change is written at once, because
-- the operator may reload next. What only the page's charts show may wait for
-- some seconds, and is often in an earlier write. The file is also written once
-- a minute, for programs that read its time. A failed write leaves the old
-- file; it is reported once and tried again. A stopping worker writes no more,
-- because the next one has taken over.
--
-- @module synapse.snapshot.file

local snapshot = require("synapse.snapshot.format")
local snapshot_lock = require("synapse.snapshot.lock")

local snapshot_file = {}

local keeper = {}
keeper.__index = keeper

local ENOENT = 2

local INTERVAL = 1
local COLLECT = 0.1
local RETRY = 10
local RENEW = 60
local PATIENCE = 5

local function read(self, name)
  local text, why, code =
    self.directory:read(name, snapshot.MAX_BYTES)
  if not text then
    return nil, code ~= ENOENT and why or nil
  end
  return snapshot.decode(text, self.checksum)
end

local REASONS = {
  version = "is of another version, ignored",
  damaged = "is damaged, ignored",
  foreign = "is not ours, ignored",
}

-- A file of another program, such as the Ruby synapse's state file, is left
-- alone.
local function choose(self)
  local records, why, addresses = read(self, self.name)
  if why == "foreign" then
    local other = self.name .. ".myelin"
    self.log:warning("%s: is another program's, left alone; using %s.myelin",
      self.path, self.path)
    self.name, self.path = other, self.path .. ".myelin"
    records, why, addresses = read(self, other)
  end
  if why then
    self.log:warning("%s: %s", self.path, REASONS[why] or why)
  end
  return records or {}, addresses or {}
end

-- Instances of a snapshot that is too old serve only until ZooKeeper answers.
local function judge_age(self, ttl, now)
  local changed = next(self.records) and self.directory:changed(self.name)
  if changed and now - changed > ttl then
    self.log:warning("%s: is %d s old, and state_file_ttl is %d s: used " ..
      "until ZooKeeper answers", self.path, now - changed, math.floor(ttl))
    for _, record in pairs(self.records) do
      record.is_old = true
    end
  end
end

-- Another HAProxy's instances and states are not for this one.
local function lock(self, deps)
  if deps.process then
    self.lock = snapshot_lock.open({
      path = self.path, now = deps.zookeeper.now, log = deps.log,
    }, self.directory, self.name, deps.process)
    self.records = self.lock.holder and {} or self.records
  end
end

--- Opens the place of the snapshot.
-- @tparam table deps `zookeeper`: the module; `now()`: seconds since 1970;
--   `log`; `process`: see `synapse.snapshot.lock`, nil if HAProxy only checks
--   its configuration
-- @tparam ?string path
-- @tparam number ttl seconds
-- @treturn table `directory` and `name` to write to, absent where there is no
--   snapshot; `path`: for people; `records` by service, maybe none;
--   `addresses`, see `snapshot.begin`; `lock`, absent where nothing is to be
--   locked
function snapshot_file.open(deps, path, ttl)
  if not path then
    deps.log:warning("no haproxy.state_file_path: HAProxy starts with empty " ..
      "backends until ZooKeeper answers")
    return {records = {}, addresses = {}}
  end
  local place, name = path:match("^(.-)([^/]+)$")
  local directory, why =
    deps.zookeeper.open_directory(place == "" and "." or place)
  if not directory then
    deps.log:error("haproxy.state_file_path: %s; no snapshot is kept", why)
    return {records = {}, addresses = {}}
  end
  local self = {
    directory = directory, name = name, path = path, log = deps.log,
    checksum = deps.zookeeper.checksum,
  }
  self.records, self.addresses = choose(self)
  lock(self, deps)
  judge_age(self, ttl, deps.now())
  return self
end

--- Returns a keeper that has written nothing.
-- @tparam table deps
--   `encode()`: the text to write, nil: it goes on when it is called again;
--   `write(text)`: starts to write and returns a request number, or nil and
--   why, absent where no snapshot is kept;
--   `lock`: see `synapse.snapshot.lock`, nil: nobody else writes; `path`: for
--   people; `now()`; `log`
-- @treturn keeper
function snapshot_file.keeper(deps)
  return setmetatable({
    deps = deps,
    wanted = false,
    is_encoding = false,
    known = nil,
    late_at = nil,   -- when what may wait is to be written
    written_at = deps.now(),
    writing = nil,
    request = nil,
    due = 0,
    failing = false,
    stopped = deps.write == nil,
  }, keeper)
end

--- Notes that something changed.
function keeper:changed()
  if not self.wanted then
    self.wanted = true
    self.due = math.max(self.due, self.deps.now() + COLLECT)
  end
end

--- Notes that something changed whose write must not wait.
function keeper:changed_by_hand()
  self.wanted = true
  self.due = self.failing and self.due or 0
end

--- Notes that something changed whose write may wait.
function keeper:changed_a_little()
  self.late_at = self.late_at or self.deps.now() + PATIENCE
end

local function failed(self, why)
  if not self.failing then
    self.deps.log:error("%s: cannot be written: %s; the old snapshot stays",
      self.deps.path, why)
  end
  self.failing = true
  self.wanted = true
  self.due = self.deps.now() + RETRY
end

--- Returns which HAProxy has the lock, if it is not this one.
-- @treturn ?string
function keeper:holder()
  return self.deps.lock and self.deps.lock.holder
end

local function may_write(self)
  return not self.deps.lock or self.deps.lock:may_write()
end

--- Tells whether the snapshot has all that changed, or never will have it.
-- @treturn boolean
function keeper:is_saved()
  return self.stopped or self.failing or self:holder() ~= nil or
    not self.wanted and not self.is_encoding and not self.request
end

--- Writes when something changed and it is time.
function keeper:tick()
  local now = self.deps.now()
  local is_old = self.known ~= nil and now - self.written_at >= RENEW
  local is_late = self.late_at ~= nil and now >= self.late_at
  if self.stopped or self.request then
    return
  elseif not self.is_encoding then
    if now < self.due or not (self.wanted or is_old or is_late) or
      not may_write(self)
    then
      return
    end
    self.wanted, self.late_at = false, nil
    self.due = now + INTERVAL
  end
  local text = self.deps.encode()
  self.is_encoding = text == nil
  if not text or text == self.known and not is_old then
    return
  end
  local request, why = self.deps.write(text)
  if not request then
    return failed(self, why)
  end
  self.request, self.writing = request, text
end

--- Takes a `job` event.
-- @tparam table event
function keeper:take(event)
  if event.request ~= self.request then
    return
  end
  self.request = nil
  if event.code ~= 0 then
    return failed(self, event.error)
  end
  self.known, self.written_at = self.writing, self.deps.now()
  if self.failing then
    self.deps.log:info("%s: written again", self.deps.path)
  end
  self.failing = false
end

--- Writes no more.
function keeper:stop()
  self.stopped = true
  if self.deps.lock then
    self.deps.lock:release()
  end
end

return snapshot_file
