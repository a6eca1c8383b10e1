--- Writes log lines: escaped, bounded, and never too many.
--
-- A burst of lines passes, then so many a second; what is dropped is counted,
-- and the count is logged once there is room again, once a second at most.
--
-- @module synapse.log

local escape = require("synapse.escape")
local plural = require("synapse.plural")

local log = {}
log.__index = log

local BURST = 200
local PER_SECOND = 20
local MAX_BYTES = 900

-- Instance names and data come from ZooKeeper: their control characters must
-- not reach a terminal or split a line. They can be a megabyte long; only the
-- part that is shown is looked at.
local function shown(text)
  text = escape(text:sub(1, MAX_BYTES + 1))
  if #text > MAX_BYTES then
    return text:sub(1, MAX_BYTES) .. "..."
  end
  return text
end

--- Returns a logger.
-- @tparam table deps `write(level, line)` and `now()` in seconds
-- @treturn log
function log.new(deps)
  return setmetatable({
    write = deps.write,
    now = deps.now,
    room = BURST,
    refilled = deps.now(),
    dropped = 0,
    dropped_ever = 0,
    told_at = deps.now(),
  }, log)
end

local function refill(self)
  local now = self.now()
  self.room = math.min(BURST, self.room + (now - self.refilled) * PER_SECOND)
  self.refilled = now
end

local function put(self, level, format, ...)
  refill(self)
  if self.room < 1 then
    self.dropped = self.dropped + 1
    self.dropped_ever = self.dropped_ever + 1
    return
  end
  self.room = self.room - 1
  if self.dropped > 0 and self.refilled >= self.told_at + 1 then
    self.told_at = self.refilled
    self.write("warning", "synapse: " .. plural(self.dropped, "log line") ..
      " dropped")
    self.dropped = 0
  end
  self.write(level, shown("synapse: " .. string.format(format, ...)))
end

--- Logs what the operator must know at once. Never dropped.
-- @tparam string format as string.format
function log:alert(format, ...)
  self.write("alert", shown("synapse: " .. string.format(format, ...)))
end

--- Logs what needs action.
-- @tparam string format as string.format
function log:error(format, ...)
  put(self, "error", format, ...)
end

--- Logs a problem that the agent handles by itself.
-- @tparam string format as string.format
function log:warning(format, ...)
  put(self, "warning", format, ...)
end

--- Logs a change of state.
-- @tparam string format as string.format
function log:info(format, ...)
  put(self, "info", format, ...)
end

return log
