--- One question to HAProxy's stats socket, and its answer.
--
-- @module synapse.control.connection

local errno = require("posix.errno")
local grp = require("posix.grp")
local poll = require("posix.poll")
local pwd = require("posix.pwd")
local socket = require("posix.sys.socket")
local stat = require("posix.sys.stat")
local unistd = require("posix.unistd")

local connection = {}

-- Milliseconds without a byte after which nobody answers.
local PATIENCE = 30000

-- Of a socket's address.
local LONGEST_PATH = 107

local function owner_of(file)
  local user, group = pwd.getpwuid(file.st_uid), grp.getgrgid(file.st_gid)
  return string.format("user %s, group %s, mode %03o",
    user and user.pw_name or file.st_uid,
    group and group.gr_name or file.st_gid, file.st_mode & 0x1FF)
end

local function why_not(path, said, code)
  local file = stat.stat(path)
  if code == errno.EACCES or code == errno.EPERM then
    return "no rights" .. (file and " (" .. owner_of(file) .. ")" or "") ..
      "; use sudo, or a user of that group"
  elseif not file then
    return "no such socket; is HAProxy running?"
  elseif stat.S_ISSOCK(file.st_mode) == 0 then
    return "is no socket"
  elseif code == errno.ECONNREFUSED then
    return "nobody listens; is HAProxy running?"
  end
  return said
end

--- Connects to a socket.
-- @tparam string path
-- @treturn integer its descriptor
-- @treturn[2] nil
-- @treturn[2] string why not, with the path
function connection.open(path)
  if #path > LONGEST_PATH then
    return nil, string.format("%s: longer than %d bytes, so it is no socket",
      path, LONGEST_PATH)
  end
  local descriptor, said = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0)
  if not descriptor then
    return nil, "no socket: " .. said
  end
  local ok, why, code = socket.connect(descriptor,
    {family = socket.AF_UNIX, path = path})
  if ok then
    return descriptor
  end
  unistd.close(descriptor)
  return nil, path .. ": " .. why_not(path, why, code)
end

local function send_all(descriptor, text)
  while text ~= "" do
    local count, why = socket.send(descriptor, text)
    if not count then
      return nil, why
    end
    text = text:sub(count + 1)
  end
  return true
end

-- A signal may come while it waits: that is no end.
local function receive_all(descriptor)
  local parts = {}
  while true do
    local ready, why, code = poll.rpoll(descriptor, PATIENCE)
    if ready == 0 then
      return nil, "no answer: HAProxy does not turn"
    elseif not ready and code ~= errno.EINTR then
      return nil, why
    elseif ready then
      local part
      part, why, code = socket.recv(descriptor, 65536)
      if not part and code ~= errno.EINTR then
        return nil, why
      elseif part == "" then
        return table.concat(parts)
      end
      parts[#parts + 1] = part
    end
  end
end

--- Asks one question, and closes the connection.
-- @tparam integer descriptor as of `connection.open`
-- @tparam string line without a newline
-- @treturn string the answer
-- @treturn[2] nil
-- @treturn[2] string why there is none
function connection.ask(descriptor, line)
  local answer
  local ok, why = send_all(descriptor, line .. "\n")
  if ok then
    answer, why = receive_all(descriptor)
  end
  unistd.close(descriptor)
  if answer and answer:find("^%s*$") then
    return nil, "HAProxy closed the connection without an answer"
  end
  return answer, why
end

return connection
