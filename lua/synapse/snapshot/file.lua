--- Finds the snapshot's file at load, and reads it.
--
-- The directory is opened here, before HAProxy gives up its root directory and
-- its rights, and stays open for the writes of the worker.
--
-- @module synapse.snapshot.file

local snapshot = require("synapse.snapshot.format")

local storage = {}

local ENOENT = 2

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

-- A state file of the Ruby synapse, or whatever else is there, is left alone.
local function choose(self)
  local records, why = read(self, self.name)
  if why == "foreign" then
    local other = self.name .. ".myelin"
    self.log:warning("%s: is another program's, left alone; using %s.myelin",
      self.path, self.path)
    self.name, self.path = other, self.path .. ".myelin"
    records, why = read(self, other)
  end
  if why then
    self.log:warning("%s: %s", self.path, REASONS[why] or why)
  end
  return records or {}
end

-- What is older than it may be serves until ZooKeeper has answered, and then no
-- more.
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

--- Opens the place of the snapshot.
-- @tparam table deps `zookeeper`: the module; `now()`: seconds since 1970;
--   `log`
-- @tparam ?string path
-- @tparam number ttl seconds
-- @treturn table `directory` and `name` to write to, absent where there is no
--   snapshot; `path`: for people; `records` by service, maybe none
function storage.open(deps, path, ttl)
  if not path then
    deps.log:warning("no haproxy.state_file_path: HAProxy starts with empty " ..
      "backends until ZooKeeper answers")
    return {records = {}}
  end
  local place, name = path:match("^(.-)([^/]+)$")
  local directory, why =
    deps.zookeeper.open_directory(place == "" and "." or place)
  if not directory then
    deps.log:error("haproxy.state_file_path: %s; no snapshot is kept", why)
    return {records = {}}
  end
  local self = {
    directory = directory, name = name, path = path, log = deps.log,
    checksum = deps.zookeeper.checksum,
  }
  self.records = choose(self)
  judge_age(self, ttl, deps.now())
  return self
end

return storage
