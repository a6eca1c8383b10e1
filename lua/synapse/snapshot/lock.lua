--- Which HAProxy may write the snapshot: one, and the workers that replace its
-- own.
--
-- Two HAProxies with one `state_file_path` would overwrite each other's
-- services and operator states. So the first one locks `<path>.lock`. The lock
-- has an *identity*, which the workers of one HAProxy share: a new worker finds
-- in the lock file that the process that it replaces has the lock, and uses the
-- same identity. The kernel releases the lock when the last of them ends.
--
-- Another HAProxy works without a snapshot and logs which HAProxy has it. It
-- takes the lock when that was free for a while, because the first one may only
-- be restarting.
--
-- @module synapse.snapshot.lock

local cjson = require("cjson.safe")

local snapshot_lock = {}
snapshot_lock.__index = snapshot_lock

local LOOK_EVERY = 1
local FREE_FOR = 10

-- How much of a lock file's text is shown.
local MOST_SHOWN = 200

--- The process that loads the agent.
-- @table process
-- @tfield string namespace of process ids; two containers have two
-- @tfield string start      what no other process has, and what this one still
--   has when it loads the agent again
-- @tfield {[string]=true} replaced ids of the processes that it is to replace
-- @tfield string files      of HAProxy's configuration, for people

-- HAProxy's user may write anything there.
local function read_record(file)
  local record = cjson.decode(file:read())
  record = type(record) == "table" and record or {}
  record.pid = math.type(record.pid) and string.format("%.0f", record.pid)
  return record
end

-- A master that reloads is the process that loaded the agent before. If each
-- worker loads the agent, or if there is no master, HAProxy's command line has
-- the processes that it replaces.
local function is_replaced(record, process)
  return record.namespace == process.namespace and
    type(record.identity) == "string" and
    (record.start == process.start or
      process.replaced[record.pid] == true)
end

local function holder_of(record)
  if not record.pid or type(record.files) ~= "string" then
    return "another HAProxy"
  end
  return string.format("the HAProxy with process id %s and %s", record.pid,
    record.files:sub(1, MOST_SHOWN))
end

local function write_record(self, pid)
  self.file:write(cjson.encode({
    identity = self.identity, pid = pid, start = self.process.start,
    namespace = self.process.namespace, files = self.process.files,
  }))
end

-- Returns whether nobody else has the lock. If the file system has no locks,
-- every HAProxy may write.
local function take(self)
  local is_ours, why = self.file:take(self.identity)
  if is_ours == nil then
    self.deps.log:warning("%s.lock: %s; nobody would notice another HAProxy " ..
      "that writes the snapshot", self.deps.path, why)
  end
  return is_ours ~= false
end

--- Opens the lock and takes it, if nobody else has it.
-- @tparam table deps `path` of the snapshot, for people; `now()`: seconds that
--   do not jump; `log`
-- @tparam directory directory
-- @tparam string name of the snapshot in there
-- @tparam process process
-- @treturn lock with `holder`: who has the lock, nil where this one may write
function snapshot_lock.open(deps, directory, name, process)
  local file, why = directory:lock(name .. ".lock")
  local self = setmetatable({
    deps = deps, file = file, process = process, identity = process.start,
    holder = nil, pid = nil, look_at = 0, free_since = nil,
  }, snapshot_lock)
  if not file then
    deps.log:warning("%s.lock: %s; nobody would notice another HAProxy that " ..
      "writes the snapshot", deps.path, why)
    return self
  end
  local record = read_record(file)
  if is_replaced(record, process) then
    self.identity = record.identity
  end
  if not take(self) then
    self.holder = holder_of(record)
    deps.log:error("haproxy.state_file_path: %s has %s: this HAProxy starts " ..
      "without a snapshot and keeps none until the other ends; give each " ..
      "HAProxy a file of its own", self.holder, deps.path)
  end
  return self
end

--- Writes into the lock file who has it, for the process that replaces this
-- one.
-- @tparam integer pid of this process
function snapshot_lock:sign(pid)
  self.pid = pid
  if self.file and not self.holder then
    write_record(self, pid)
  end
end

--- Tells whether this HAProxy may write the snapshot. If it may not, it tests
-- each second whether the lock is free, and takes it in the end.
-- @treturn boolean
function snapshot_lock:may_write()
  local now = self.deps.now()
  if not self.holder or now < self.look_at then
    return not self.holder
  end
  self.look_at = now + LOOK_EVERY
  if self.file:is_taken(self.identity) ~= false then
    self.free_since = nil
    self.holder = holder_of(read_record(self.file))
    return false
  end
  self.free_since = self.free_since or now
  if now - self.free_since < FREE_FOR or not take(self) then
    return false
  end
  self.holder = nil
  write_record(self, self.pid)
  self.deps.log:warning("%s: no other HAProxy has it any more; this one " ..
    "keeps its snapshot there now", self.deps.path)
  return true
end

--- Releases the lock: the worker that replaces this one has it by now.
function snapshot_lock:release()
  if self.file and not self.holder then
    self.file:release()
  end
end

return snapshot_lock
