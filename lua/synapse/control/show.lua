--- The agent's answers as text for people.
--
-- Pure.
--
-- @module synapse.control.show

local escape = require("synapse.escape")
local plural = require("synapse.plural")

local show = {}

-- Escape sequences of a terminal, by the state that they stand for.
local RED, YELLOW, GREEN, BLUE = "\27[31m", "\27[33m", "\27[32m", "\27[36m"
local COLOURS = {
  down = RED, failed = RED, invalid = RED, expired = RED, auth_failed = RED,
  degraded = YELLOW, waiting = YELLOW, pending = YELLOW, retained = YELLOW,
  connecting = YELLOW, unknown = YELLOW,
  maint = BLUE, draining = BLUE, whole = GREEN, ready = GREEN,
  connected = GREEN,
}
local PLAIN = "\27[0m"

--- Returns a text that cannot move the cursor of a terminal.
-- @param value nil is "-"
-- @treturn string
function show.clean(value)
  local text = tostring(value == nil and "-" or value)
  return escape(text, utf8.len(text) and "%c" or nil)
end

local function width_of(text)
  return utf8.len(text) or #text
end

--- Cuts a text to a number of characters.
-- @tparam string text
-- @tparam integer width
-- @treturn string
function show.cut(text, width)
  if width_of(text) <= width then
    return text
  end
  return text:sub(1, (utf8.offset(text, width + 1) or width + 1) - 1)
end

--- Returns a text in the colour of a state.
-- @tparam string text
-- @tparam ?string state
-- @tparam boolean is_coloured
-- @treturn string
function show.colour(text, state, is_coloured)
  local colour = is_coloured and COLOURS[state]
  return colour and colour .. text .. PLAIN or text
end

-- Characters that the last column needs to stand beside the others.
local ROOM = 20

local function widths_of(rows, n)
  local widths = {}
  for _, row in ipairs(rows) do
    for i = 1, n do
      row[i] = show.clean(row[i])
      widths[i] = math.max(widths[i] or 0, width_of(row[i]))
    end
  end
  return widths
end

-- Returns how many characters are left for the last column.
local function room_of(widths, width)
  local room = width
  for i = 1, #widths - 1 do
    room = room - widths[i] - 2
  end
  return room
end

--- Removes columns from a table that is too wide for a terminal, one after the
-- other, until its last column has room.
-- @tparam {{value,...},...} rows each with `n` columns, the head first
-- @tparam integer n how many columns there are
-- @tparam ?integer width of the terminal; nil: there is none
-- @tparam {string,...} spare the heads of the columns that may go, in this
--   order
-- @treturn integer how many columns are left
function show.narrow(rows, n, width, spare)
  for _, head in ipairs(spare) do
    local widths = widths_of(rows, n)
    if not width or
      room_of(widths, width) >= math.min(ROOM, widths[n])
    then
      return n
    end
    for i = n - 1, 2, -1 do
      if rows[1][i] == head then
        for _, row in ipairs(rows) do
          table.remove(row, i)
        end
        n = n - 1
      end
    end
  end
  return n
end

-- Returns the lines of a text, which end after a space or a comma.
local function wrap(text, width)
  local lines = {}
  while width_of(text) > width do
    local part = show.cut(text, width)
    local last = text:sub(#part + 1, #part + 1) == " " and #part or
      #(part:match("^.*[ ,]") or part)
    lines[#lines + 1] = text:sub(1, last):gsub(" +$", "")
    text = text:sub(last + 1):gsub("^ +", "")
  end
  lines[#lines + 1] = text
  return lines
end

-- Returns the last column of a row, in lines of its own if it is too long.
local function last_cell(text, room, width)
  if width_of(text) <= room then
    return text
  end
  local is_below = room < ROOM
  local indent = is_below and 4 or width - room
  local lines = wrap(text, is_below and math.max(1, width - indent) or room)
  return (is_below and "\n" .. (" "):rep(indent) or "") ..
    table.concat(lines, "\n" .. (" "):rep(indent))
end

--- Returns rows as lines, their columns aligned.
-- @tparam {{value,...},...} rows each with `n` columns; nil is "-"
-- @tparam integer n how many columns there are
-- @tparam ?integer width of the terminal: if the last column is too long, the
--   row has several lines; nil: there is no terminal
-- @treturn {string,...}
function show.lines(rows, n, width)
  local widths, lines = widths_of(rows, n), {}
  local room = width and room_of(widths, width) or math.huge
  for k, row in ipairs(rows) do
    local cells = {}
    for i = 1, n - 1 do
      cells[i] = row[i] .. (" "):rep(widths[i] - width_of(row[i]))
    end
    cells[n] = last_cell(row[n], room, width)
    lines[k] = table.concat(cells, "  "):gsub(" +\n", "\n")
  end
  return lines
end

-- The first column is a state, which is shown in its colour.
local function stated(rows, n, terminal, spare)
  local states = {}
  for i, row in ipairs(rows) do
    states[i] = row[1]
  end
  n = show.narrow(rows, n, terminal.width, spare)
  local lines = show.lines(rows, n, terminal.width)
  for i, line in ipairs(lines) do
    local state = show.clean(states[i])
    lines[i] = show.colour(state, states[i], terminal.is_coloured and i > 1) ..
      line:sub(#state + 1)
  end
  return table.concat(lines, "\n") .. "\n"
end

local function integer(number)
  return string.format("%d", math.floor(number or 0))
end

--- Returns the row of a service.
-- @tparam table service of the agent's JSON
-- @treturn {string,...} state, name, ready of all, slots used of all, why
function show.service_row(service)
  return {service.state, service.service,
    integer(service.counts.ready) .. "/" .. integer(service.number),
    integer(service.slots.used) .. "/" .. integer(service.slots.all),
    service.reasons[1] and table.concat(service.reasons, "; ") or nil}
end

--- The heads of these columns.
show.SERVICE_HEAD = {"state", "service", "ready", "slots", "why"}

--- The columns that a narrow terminal lacks first.
show.SERVICE_SPARE = {"slots"}

--- Returns the row of an instance.
-- @tparam table instance of the agent's JSON
-- @treturn {string,...} state, address, slot, weight, name, why
function show.instance_row(instance)
  return {instance.state, instance.instance, instance.slot,
    instance.weight and integer(instance.weight), instance.name,
    instance.why or instance.problem}
end

--- The heads of these columns.
show.INSTANCE_HEAD = {"state", "instance", "slot", "weight", "name", "why"}

--- The columns that a narrow terminal lacks first.
show.INSTANCE_SPARE = {"name", "slot", "weight"}

local function copy(row)
  return table.move(row, 1, #row, 1, {})
end

--- Returns the status.
-- @tparam table answer of `show synapse json`
-- @tparam {is_coloured=boolean,width=?integer} terminal if it has a width,
--   columns are left out and long texts have several lines
-- @treturn string
function show.status(answer, terminal)
  local parts = {}
  for i, trouble in ipairs(answer.troubles) do
    parts[i] = show.colour(show.clean(trouble), "down", terminal.is_coloured) ..
      "\n"
  end
  local sessions, services = {{"session", "id", "ensemble"}},
    {copy(show.SERVICE_HEAD)}
  for i, session in ipairs(answer.ensembles) do
    sessions[i + 1] = {session.state, session.session, session.hosts}
  end
  for i, service in ipairs(answer.services) do
    services[i + 1] = show.service_row(service)
  end
  parts[#parts + 1] = stated(sessions, 3, terminal, {})
  parts[#parts + 1] = stated(services, 5, terminal, show.SERVICE_SPARE)
  return table.concat(parts, "\n")
end

--- Returns one service.
-- @tparam table answer of `show synapse service NAME json`
-- @tparam table terminal as for `status`
-- @treturn string
function show.service(answer, terminal)
  local paths, rows = {}, {copy(show.INSTANCE_HEAD)}
  for i, path in ipairs(answer.paths) do
    paths[i] = path.path .. " (" .. path.state .. ")"
  end
  for i, instance in ipairs(answer.instances) do
    rows[i + 1] = show.instance_row(instance)
  end
  local row = show.service_row(answer)
  local facts = show.lines({{"service", answer.service}, {"state", row[1]},
    {"why", row[5]}, {"backend", answer.backend},
    {"paths", paths[1] and table.concat(paths, ", ") or nil},
    {"slots", row[4]}}, 2, terminal.width)
  return table.concat(facts, "\n") .. "\n\n" ..
    stated(rows, 6, terminal, show.INSTANCE_SPARE)
end

--- Returns an instance.
-- @tparam table answer of `show synapse instance ADDRESS json`
-- @tparam table terminal as for `status`
-- @treturn string
function show.instance(answer, terminal)
  local rows = {{"state", "service", "slot", "weight", "name", "why"}}
  for i, place in ipairs(answer.services) do
    rows[i + 1] = show.instance_row(place.at)
    rows[i + 1][2] = place.service
  end
  return stated(rows, 6, terminal, show.INSTANCE_SPARE)
end

--- Returns the row of an event.
-- @tparam table event of the agent's JSON
-- @treturn {string,...} time, service, instance, from, to, why
function show.event_row(event)
  return {os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(event.time)),
    event.service,
    event.instance or event.count and plural(math.floor(event.count),
      "instance") or nil,
    event.from, event.to, event.why}
end

--- Returns events.
-- @tparam {event,...} events
-- @tparam ?integer width of the terminal
-- @treturn string
function show.events(events, width)
  local rows = {{"time", "service", "instance", "from", "to", "why"}}
  for i, event in ipairs(events) do
    rows[i + 1] = show.event_row(event)
  end
  local n = show.narrow(rows, 6, width, {"from"})
  for i = 2, n < 6 and #rows or 0 do
    -- The year, and letters.
    rows[i][1] = rows[i][1]:sub(6, 19):gsub("T", " ")
  end
  return table.concat(show.lines(rows, n, width), "\n") .. "\n"
end

return show
