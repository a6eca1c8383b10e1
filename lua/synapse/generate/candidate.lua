--- The new file as a candidate: HAProxy checks it, and it replaces the old file
-- if HAProxy accepts it. A failure raises an error that names the file and the
-- reason.
--
-- @module synapse.generate.candidate

local config = require("synapse.config.init")
local fcntl = require("posix.fcntl")
local stat = require("posix.sys.stat")
local stdlib = require("posix.stdlib")
local unistd = require("posix.unistd")

local candidate = {}
candidate.__index = candidate

-- The PATH of a user may lack /usr/sbin.
local CHECK = "PATH=$PATH:/usr/local/sbin:/usr/sbin haproxy -c -f '%s' 2>&1"

-- Returns the target of a symbolic link, so that the link itself stays.
local function place_of(path)
  return stdlib.realpath(path) or path
end

--- Makes a candidate beside the file that it may replace.
-- @tparam ?string path of that file; nil: there is none
-- @treturn candidate
-- @treturn[2] nil
-- @treturn[2] string why not
function candidate.new(path)
  local template = path and place_of(path) .. ".XXXXXX" or
    (os.getenv("TMPDIR") or "/tmp") .. "/synapse-haproxy-cfg.XXXXXX"
  local descriptor, name = stdlib.mkstemp(template)
  if not descriptor then
    return nil, (name:gsub("%.XXXXXX", ""))
  end
  unistd.close(descriptor)
  return setmetatable({path = name}, candidate)
end

--- Writes the candidate again.
-- @tparam string text
function candidate:write(text)
  local file = assert(io.open(self.path, "w"))
  assert(file:write(text))
  assert(file:close())
end

--- Asks HAProxy.
-- @treturn string what it prints
-- @treturn boolean whether it accepts the candidate
function candidate:check()
  local pipe = assert(io.popen(string.format(CHECK,
    (self.path:gsub("'", "'\\''")))))
  local said = pipe:read("a")
  return said, pipe:close() == true
end

local function mode_of(path)
  local existing = stat.stat(path)
  return existing and existing.st_mode & 4095 or tonumber("644", 8)
end

local function sync(path)
  local descriptor = assert(fcntl.open(path, fcntl.O_RDONLY))
  assert(unistd.fsync(descriptor))
  unistd.close(descriptor)
end

local function read(path)
  local text, why = config.read_file(path)
  return text or error(path .. ": " .. why, 0)
end

--- Replaces a file by the candidate, unless both are the same.
-- @tparam string path
-- @treturn string "written" or "unchanged"
function candidate:replace(path)
  local place = place_of(path)
  if read(self.path) == config.read_file(place) then
    return "unchanged"
  end
  stat.chmod(self.path, mode_of(place))
  sync(self.path)
  assert(os.rename(self.path, place))
  return "written"
end

--- Removes the candidate, if it is still there.
function candidate:close()
  os.remove(self.path)
end

return candidate
