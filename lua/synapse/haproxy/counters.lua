--- HAProxy's own counters, for services of which somebody asks them.
--
-- The runtime API gives them, for a few backends at a time, and for no backend
-- twice within a second. A service of which nobody asks costs nothing.
--
-- @module synapse.haproxy.counters

local commands = require("synapse.haproxy.commands")

local counters = {}
counters.__index = counters

local FRESH = 0.9
-- Seconds without an answer after which the question is sent again.
local LOST = 10

-- Columns of `show stat` in HAProxy 2.6, the ones that are used.
local COLUMNS = {
  [2] = "name", [3] = "queue", [5] = "sessions", [14] = "econ",
  [15] = "eresp", [24] = "last_change", [34] = "rate", [37] = "check",
  [38] = "check_code", [44] = "http_5xx",
}
local LAST_CHECK = 57

local NAMES, PATTERN = {}, {"^"}
for column = 1, LAST_CHECK - 1 do
  local name = COLUMNS[column]
  NAMES[#NAMES + 1] = name
  PATTERN[#PATTERN + 1] = name and "([^,]*)," or "[^,]*,"
end
PATTERN = table.concat(PATTERN) .. "()"

-- Within quotes, each quote is doubled.
local function text_at(line, place)
  if line:sub(place, place) ~= '"' then
    return line:match("^[^,]*", place)
  end
  local text = line:sub(place + 1):gsub('""', "\1"):match('^[^"]*')
  return (text:gsub("\1", '"'))
end

local function number(text)
  return math.tointeger(tonumber(text)) or 0
end

local function row_of(line)
  local values = {line:match(PATTERN)}
  if #values == 0 then
    return nil
  end
  local row = {}
  for i, name in ipairs(NAMES) do
    row[name] = values[i]
  end
  local said = text_at(line, values[#values])
  return row.name, {
    sessions = number(row.sessions), queue = number(row.queue),
    requests_per_s = number(row.rate),
    errors = number(row.econ) + number(row.eresp) + number(row.http_5xx),
    last_change = number(row.last_change),
    check = row.check ~= "" and row.check or nil,
    check_code = math.tointeger(tonumber(row.check_code)),
    check_said = said ~= "" and said or nil,
  }
end

--- Reads the answer to `show stat`.
-- @tparam string text
-- @tparam function turn called between lines
-- @treturn {[string]=table} by the server's name, and "BACKEND": `sessions`
--   and `queue` now, `requests_per_s`, `errors` (no connection, a broken
--   answer, a status 5xx) since HAProxy's start, `last_change` in seconds ago,
--   and of the last check `check`, `check_code` and `check_said`
function counters.parse(text, turn)
  local rows = {}
  for line in text:gmatch("[^\n]+") do
    if line:sub(1, 1) ~= "#" then
      local name, row = row_of(line)
      if name then
        rows[name] = row
      end
    end
    turn()
  end
  return rows
end

--- Returns the command that asks for the errors of one server.
-- @tparam integer id of its backend
-- @tparam string slot
-- @tparam integer server its number
-- @treturn command with the field "errors"
function counters.query(id, slot, server)
  return {
    slot = slot, field = "errors", bytes = 300,
    text = string.format("show stat %d 4 %d", id, server),
  }
end

--- Returns counters of no service yet.
-- @tparam table deps `send(line)`: gives a line to HAProxy and returns a
--   request number, or nil; `id(service)`: number of its backend; `now()`
-- @treturn counters
function counters.new(deps)
  return setmetatable({
    deps = deps, asked = {}, answers = {}, requests = {},
  }, counters)
end

local function is_due(self, service, now)
  local answer, asked = self.answers[service], self.asked[service]
  return not (answer and now - answer.at < FRESH) and
    not (asked and now - asked < LOST)
end

--- Asks for the counters of services, unless HAProxy has just given them.
-- @tparam {service,...} services
function counters:ask(services)
  local now, due, texts = self.deps.now(), {}, {}
  for _, service in ipairs(services) do
    if is_due(self, service, now) then
      due[#due + 1] = service
      -- Backends (2) and servers (4) of one proxy.
      texts[#texts + 1] =
        string.format("show stat %d 6 -1", self.deps.id(service))
    end
  end
  local request = #due > 0 and self.deps.send(table.concat(texts, ";"))
  if request then
    self.requests[request] = due
    for _, service in ipairs(due) do
      self.asked[service] = now
    end
  end
end

--- Takes an `answer` event, if it is for us.
-- @tparam table event
function counters:take(event)
  local services = self.requests[event.request]
  if not services then
    return
  end
  self.requests[event.request] = nil
  local texts = event.error and {} or commands.answers(event.data)
  for i, service in ipairs(services) do
    -- A service that was forgotten meanwhile needs no answer any more.
    self.answers[service] = self.asked[service] and
      {at = self.deps.now(), text = texts[i] or ""}
    self.asked[service] = nil
  end
end

--- Forgets a service.
-- @tparam service service
function counters:forget(service)
  self.asked[service], self.answers[service] = nil, nil
end

--- Tells whether services are still waiting for an answer.
-- @tparam {service,...} services
-- @treturn boolean
function counters:is_waiting(services)
  for _, service in ipairs(services) do
    if self.asked[service] then
      return true
    end
  end
  return false
end

--- Returns what is known of a service. The errors of a slot count from when its
-- instance got it.
-- @tparam service service with `errors_before`, by slot
-- @tparam function turn see `counters.parse`
-- @treturn {[string]=table} see `counters.parse`; empty when nothing is known
function counters:of(service, turn)
  local answer = self.answers[service]
  if not answer then
    return {}
  elseif answer.text then
    local rows = counters.parse(answer.text, turn)
    for slot, errors in pairs(service.errors_before) do
      if rows[slot] then
        rows[slot].errors = math.max(rows[slot].errors - errors, 0)
      end
    end
    answer.rows, answer.text = rows, nil
  end
  return answer.rows
end

return counters
