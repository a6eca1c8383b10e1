--- Writes log lines: escaped, bounded, and never too many.
--
-- A burst of BURST lines passes, then PER_SECOND lines a second. The others are
-- dropped and counted. When there is room again, one line has their number, at
-- most once a second.
--
-- @module synapse.log

local escape = require("synapse.escape")
local plural = require("synapse.plural")

local log = {}
log.__index = log

local BURST = 200
local PER_SECOND = 20
local MAX_BYTES = 900

-- Names and data come from ZooKeeper. Their control characters must not reach a
-- terminal or split a line. A text can be a megabyte long, so only the part
-- that is shown is escaped.
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

--- Logs what the operator must know at once. Such a line is never dropped.
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
