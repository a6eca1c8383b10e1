--- The live view: what it shows, and what its keys do.
--
-- Pure: the terminal and HAProxy are in `synapse.control.program`.
--
-- @module synapse.control.top

local plural = require("synapse.plural")
local show = require("synapse.control.show")

local top = {}
top.__index = top

-- Lines of the events below the services.
local EVENTS = 6

local HELP = "j/k move  Enter open  Esc back  / filter  p problems  q quit"

-- What stands around the list: title, blank, head, blank, keys.
local AROUND = 5

--- Returns a view of nothing yet.
-- @treturn top
function top.new()
  return setmetatable({
    at = 1, first = 1, filter = "", is_typing = false, only_problems = false,
    opened = nil, status = nil, events = {}, problem = "asking HAProxy",
    is_over = false,
  }, top)
end

--- Takes what the agent answered.
-- @tparam ?table status of `show synapse json`; nil: there was no answer
-- @tparam {event,...}|string events of `show synapse events json`; or why
--   there was none
function top:take(status, events)
  if status then
    self.status, self.events, self.problem = status, events, nil
  else
    self.problem = events
  end
end

local function matches(text, filter)
  return filter == "" or text:lower():find(filter:lower(), 1, true) ~= nil
end

local function opened_of(self)
  for _, service in ipairs(self.status and self.status.services or {}) do
    if service.service == self.opened then
      return service
    end
  end
  return nil
end

-- Lists what can be moved through: services, or the instances of one.
local function items_of(self)
  local items, service = {}, self.opened and opened_of(self)
  if self.opened then
    for _, instance in ipairs(service and service.instances or {}) do
      items[#items + 1] = matches(instance.instance, self.filter) and instance
        or nil
    end
    return items
  end
  for _, each in ipairs(self.status and self.status.services or {}) do
    if matches(each.service, self.filter) and
      not (self.only_problems and each.state == "whole")
    then
      items[#items + 1] = each
    end
  end
  return items
end

local function type_key(self, key)
  if key == "enter" or key == "escape" then
    self.is_typing = false
    self.filter = key == "enter" and self.filter or ""
  elseif key == "backspace" then
    self.filter = self.filter:sub(1, -2)
  elseif #key == 1 and not key:find("%c") then
    self.filter = self.filter .. key
  end
  self.at = 1
end

local MOVES = {
  j = 1, down = 1, k = -1, up = -1, pagedown = 10, pageup = -10,
  g = -math.huge, home = -math.huge, G = math.huge, ["end"] = math.huge,
}

local function open(self)
  local item = items_of(self)[self.at]
  if item and not self.opened then
    self.opened, self.before, self.filter, self.at = item.service,
      {at = self.at, filter = self.filter}, "", 1
  end
end

local function back(self)
  if self.opened then
    self.opened, self.at, self.filter = nil, self.before.at, self.before.filter
  else
    self.filter, self.only_problems, self.at = "", false, 1
  end
end

--- Takes a key.
-- @tparam string key a character, or "up", "down", "pageup", "pagedown",
--   "home", "end", "enter", "escape" or "backspace"
function top:press(key)
  if self.is_typing then
    return type_key(self, key)
  elseif MOVES[key] then
    local last = math.max(1, #items_of(self))
    self.at = math.floor(math.max(1, math.min(last, self.at + MOVES[key])))
  elseif key == "/" then
    self.is_typing, self.filter = true, ""
  elseif key == "p" then
    self.only_problems, self.at = not self.only_problems, 1
  elseif key == "enter" then
    open(self)
  elseif key == "escape" then
    back(self)
  elseif key == "q" then
    self.is_over = true
  end
end

local function title_of(self)
  if not self.status then
    return "synapse"
  end
  local agent, totals = self.status.agent, self.status.totals
  return string.format("synapse %s on %s: %s, %d whole, " ..
    "%d degraded, %d down", show.clean(agent.version), show.clean(agent.node),
    plural(math.floor(totals.services), "service"), math.floor(totals.whole),
    math.floor(totals.degraded), math.floor(totals.down))
end

-- What is wrong first, and what narrows the list.
local function notes_of(self)
  local notes = {}
  if self.problem then
    notes[1] = {self.problem, "down"}
  end
  for _, trouble in ipairs(self.status and self.status.troubles or {}) do
    notes[#notes + 1] = {trouble, "down"}
  end
  local narrowed = {}
  narrowed[1] = self.opened and "service " .. self.opened or nil
  if self.opened and self.status and not opened_of(self) then
    notes[#notes + 1] = {"service " .. self.opened .. " is gone", "down"}
  end
  if self.filter ~= "" or self.is_typing then
    table.insert(narrowed, "filter: " .. self.filter ..
      (self.is_typing and "_" or ""))
  end
  if self.only_problems then
    table.insert(narrowed, "only problems")
  end
  if #narrowed > 0 then
    notes[#notes + 1] = {table.concat(narrowed, ", ")}
  end
  return notes
end

local function rows_of(self, items, first, last, width)
  local row_of = self.opened and show.instance_row or show.service_row
  local head = self.opened and show.INSTANCE_HEAD or show.SERVICE_HEAD
  local rows = {table.move(head, 1, #head, 1, {})}
  for i = first, last do
    rows[#rows + 1] = row_of(items[i])
  end
  return rows, show.narrow(rows, #head, width,
    self.opened and show.INSTANCE_SPARE or show.SERVICE_SPARE)
end

-- Moves the window so that the chosen line is in it.
local function window(self, number, height)
  self.at = math.max(1, math.min(self.at, number))
  self.first = math.max(1, math.min(self.first, self.at,
    math.max(1, number - height + 1)))
  self.first = math.max(self.first, self.at - height + 1)
  return self.first, math.min(number, self.first + height - 1)
end

local function list_lines(self, height, width, is_coloured)
  local items = items_of(self)
  local first, last = window(self, #items, height)
  local rows, columns = rows_of(self, items, first, last, width - 2)
  local lines = {}
  for i, line in ipairs(show.lines(rows, columns)) do
    local item = items[first + i - 2]
    local mark = i > 1 and first + i - 2 == self.at and "> " or "  "
    local state = i > 1 and show.clean(item.state) or ""
    line = show.cut(line, width - 2)
    lines[i] = mark .. show.colour(line:sub(1, #state), state, is_coloured) ..
      line:sub(#state + 1)
  end
  return lines
end

local function event_lines(self, width)
  local rows, all = {{"time", "service", "instance", "from", "to", "why"}}, {}
  for _, event in ipairs(self.events) do
    if not self.opened or event.service == self.opened then
      all[#all + 1] = event
    end
  end
  for i = #all, math.max(1, #all - EVENTS + 1), -1 do
    local row = show.event_row(all[i])
    row[1] = row[1]:sub(12, 19)
    rows[#rows + 1] = row
  end
  local n = show.narrow(rows, 6, width,
    self.opened and {"service", "from"} or {"from"})
  table.remove(rows, 1)
  local lines = show.lines(rows, n)
  for i, line in ipairs(lines) do
    lines[i] = show.cut(line, width)
  end
  return lines
end

--- Returns the screen.
-- @tparam integer height in lines
-- @tparam integer width in columns
-- @tparam boolean is_coloured
-- @treturn {string,...} at most so many lines, each of at most so many columns
function top:screen(height, width, is_coloured)
  local lines = {show.cut(title_of(self), width)}
  for _, note in ipairs(notes_of(self)) do
    lines[#lines + 1] = show.colour(show.cut(show.clean(note[1]), width),
      note[2], is_coloured)
  end
  local events = height > 16 and event_lines(self, width) or {}
  local room = height - #lines - #events - AROUND + 1
  lines[#lines + 1] = ""
  local list = list_lines(self, math.max(1, room), width, is_coloured)
  table.move(list, 1, #list, #lines + 1, lines)
  while #lines < height - #events - 2 do
    lines[#lines + 1] = ""
  end
  lines[#lines + 1] = ""
  table.move(events, 1, #events, #lines + 1, lines)
  lines[#lines + 1] = show.cut(HELP, width)
  return table.move(lines, math.max(1, #lines - height + 1), #lines, 1, {})
end

return top
