--- What the agent answered, as text for people.
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

--- Returns rows as lines, their columns aligned.
-- @tparam {{value,...},...} rows each with `n` columns; nil is "-"
-- @tparam integer n how many columns there are
-- @treturn {string,...}
function show.lines(rows, n)
  local widths, lines = {}, {}
  for _, row in ipairs(rows) do
    for i = 1, n do
      row[i] = show.clean(row[i])
      widths[i] = math.max(widths[i] or 0, width_of(row[i]))
    end
  end
  for k, row in ipairs(rows) do
    local cells = {}
    for i = 1, n - 1 do
      cells[i] = row[i] .. (" "):rep(widths[i] - width_of(row[i]))
    end
    cells[n] = row[n]
    lines[k] = table.concat(cells, "  ")
  end
  return lines
end

-- The first column is a state: the line has its colour there.
local function stated(rows, n, is_coloured)
  local states = {}
  for i, row in ipairs(rows) do
    states[i] = row[1]
  end
  local lines = show.lines(rows, n)
  for i, line in ipairs(lines) do
    local state = show.clean(states[i])
    lines[i] = show.colour(state, states[i], is_coloured and i > 1) ..
      line:sub(#state + 1)
  end
  return table.concat(lines, "\n") .. "\n"
end

local function integer(number)
  return string.format("%d", math.floor(number or 0))
end

--- Returns what a list shows of a service.
-- @tparam table service of the agent's JSON
-- @treturn {string,...} state, name, ready of all, slots used of all, why
function show.service_row(service)
  return {service.state, service.service,
    integer(service.counts.ready) .. "/" .. integer(service.number),
    integer(service.slots.used) .. "/" .. integer(service.slots.all),
    service.reasons[1] and table.concat(service.reasons, "; ") or nil}
end

--- What stands above these.
show.SERVICE_HEAD = {"state", "service", "ready", "slots", "why"}

--- Returns what a list shows of an instance.
-- @tparam table instance of the agent's JSON
-- @treturn {string,...} state, address, slot, weight, name, why
function show.instance_row(instance)
  return {instance.state, instance.instance, instance.slot,
    instance.weight and integer(instance.weight), instance.name,
    instance.why or instance.problem}
end

--- What stands above these.
show.INSTANCE_HEAD = {"state", "instance", "slot", "weight", "name", "why"}

local function copy(row)
  return table.move(row, 1, #row, 1, {})
end

--- Returns the status.
-- @tparam table answer of `show synapse json`
-- @tparam boolean is_coloured
-- @treturn string
function show.status(answer, is_coloured)
  local parts = {}
  for i, trouble in ipairs(answer.troubles) do
    parts[i] = show.colour(show.clean(trouble), "down", is_coloured) .. "\n"
  end
  local sessions, services = {{"session", "ensemble", "id"}},
    {copy(show.SERVICE_HEAD)}
  for i, session in ipairs(answer.ensembles) do
    sessions[i + 1] = {session.state, session.hosts, session.session}
  end
  for i, service in ipairs(answer.services) do
    services[i + 1] = show.service_row(service)
  end
  parts[#parts + 1] = stated(sessions, 3, is_coloured)
  parts[#parts + 1] = stated(services, 5, is_coloured)
  return table.concat(parts, "\n")
end

--- Returns one service.
-- @tparam table answer of `show synapse service NAME json`
-- @tparam boolean is_coloured
-- @treturn string
function show.service(answer, is_coloured)
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
    {"slots", row[4]}}, 2)
  return table.concat(facts, "\n") .. "\n\n" .. stated(rows, 6, is_coloured)
end

--- Returns an instance.
-- @tparam table answer of `show synapse instance ADDRESS json`
-- @tparam boolean is_coloured
-- @treturn string
function show.instance(answer, is_coloured)
  local rows = {{"state", "service", "slot", "weight", "name", "why"}}
  for i, place in ipairs(answer.services) do
    rows[i + 1] = show.instance_row(place.at)
    rows[i + 1][2] = place.service
  end
  return stated(rows, 6, is_coloured)
end

--- Returns what a list shows of an event.
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
-- @treturn string
function show.events(events)
  local rows = {{"time", "service", "instance", "from", "to", "why"}}
  for i, event in ipairs(events) do
    rows[i + 1] = show.event_row(event)
  end
  return table.concat(show.lines(rows, 6), "\n") .. "\n"
end

return show
