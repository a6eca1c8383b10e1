--- The terminal of the live view: its size, its keys, and how it is left.
--
-- @module synapse.control.terminal

local errno = require("posix.errno")
local poll = require("posix.poll")
local signal = require("posix.signal")
local termio = require("posix.termio")
local unistd = require("posix.unistd")

local terminal = {}
terminal.__index = terminal

-- The other screen, no cursor; and back.
local BEGIN, END = "\27[?1049h\27[?25l", "\27[?25h\27[?1049l"

local INPUT = 0

-- Milliseconds in which the rest of a key's sequence follows its Escape.
local REST = 50

local KEYS = {
  ["\r"] = "enter", ["\n"] = "enter", ["\27"] = "escape",
  ["\127"] = "backspace", ["\b"] = "backspace",
  ["\27[A"] = "up", ["\27[B"] = "down", ["\27OA"] = "up", ["\27OB"] = "down",
  ["\27[5~"] = "pageup", ["\27[6~"] = "pagedown", ["\27[H"] = "home",
  ["\27[F"] = "end", ["\27OH"] = "home", ["\27OF"] = "end",
  ["\27[1~"] = "home", ["\27[4~"] = "end",
}

--- Tells whether input and output are a terminal.
-- @treturn boolean
function terminal.is_there()
  return unistd.isatty(0) == 1 and unistd.isatty(1) == 1
end

--- Tells whether text may have colours.
-- @tparam function getenv
-- @treturn boolean
function terminal.is_coloured(getenv)
  return unistd.isatty(1) == 1 and not getenv("NO_COLOR") and
    getenv("TERM") ~= "dumb"
end

--- Returns how text is shown.
-- @tparam function getenv
-- @treturn {is_coloured=boolean,width=?integer} no width: there is no terminal
function terminal.about(getenv)
  local _, columns
  if terminal.is_there() then
    _, columns = terminal.size()
  end
  return {is_coloured = terminal.is_coloured(getenv), width = columns}
end

-- Keys come one by one and are not shown; Ctrl-C is still a signal.
local function raw(settings)
  local copy = {}
  for name, value in pairs(settings) do
    copy[name] = value
  end
  copy.lflag = settings.lflag & ~(termio.ICANON | termio.ECHO)
  copy.cc = {}
  for name, value in pairs(settings.cc) do
    copy.cc[name] = value
  end
  copy.cc[termio.VMIN], copy.cc[termio.VTIME] = 1, 0
  return copy
end

--- Takes the terminal. `close` gives it back, also before a signal ends the
-- program.
-- @treturn terminal with `is_ended`: a signal came
function terminal.open()
  local self = setmetatable({
    settings = termio.tcgetattr(INPUT), is_ended = false, rest = "",
  }, terminal)
  for _, name in ipairs({"SIGINT", "SIGTERM", "SIGHUP"}) do
    signal.signal(signal[name], function() self.is_ended = true end)
  end
  termio.tcsetattr(INPUT, termio.TCSANOW, raw(self.settings))
  io.stdout:write(BEGIN)
  return self
end

--- Gives the terminal back.
function terminal:close()
  io.stdout:write(END)
  io.stdout:flush()
  termio.tcsetattr(INPUT, termio.TCSANOW, self.settings)
end

--- Returns the size. It may change at any time.
-- @treturn integer lines
-- @treturn integer columns
function terminal.size()
  local pipe = io.popen("stty size 2>/dev/null")
  local said = pipe and pipe:read("a") or ""
  if pipe then
    pipe:close()
  end
  local lines, columns = said:match("^(%d+) (%d+)")
  lines, columns = tonumber(lines), tonumber(columns)
  if lines and lines > 0 and columns > 0 then
    return math.tointeger(lines), math.tointeger(columns)
  end
  return 24, 80
end

--- Shows a screen in place of the last one.
-- @tparam {string,...} lines
function terminal.draw(lines)
  io.stdout:write("\27[H", table.concat(lines, "\27[K\n"), "\27[K\27[J")
  io.stdout:flush()
end

local function wait_for(milliseconds)
  local ready, _, code = poll.rpoll(INPUT, milliseconds)
  return ready == 1, code == errno.EINTR
end

-- Takes the first key from the bytes that came.
local function first_key(self)
  local text = self.rest
  local sequence = text:match("^\27[%[O][%d;]*[%a~]") or text:match("^\27") or
    text:match("^[%z\1-\127\194-\244][\128-\191]*") or text:sub(1, 1)
  self.rest = text:sub(#sequence + 1)
  return KEYS[sequence] or sequence
end

--- Waits for a key.
-- @tparam integer milliseconds
-- @treturn ?string see `top:press`; nil: none came
function terminal:key(milliseconds)
  if self.rest == "" and wait_for(milliseconds) then
    self.rest = unistd.read(INPUT, 64) or ""
    if self.rest == "" then
      self.is_ended = true
    elseif self.rest == "\27" and wait_for(REST) then
      self.rest = self.rest .. (unistd.read(INPUT, 64) or "")
    end
  end
  return self.rest ~= "" and first_key(self) or nil
end

return terminal
