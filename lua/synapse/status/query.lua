--- What a request asks for: the parameters of its URL, and the services that
-- they select.
--
-- @module synapse.status.query

local query = {}

local function decode(text)
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(digits)
    return string.char(tonumber(digits, 16))
  end))
end

local function integer_of(low, high)
  return function(text)
    local number = text:find("^%d%d?%d?%d?%d?%d?%d?%d?%d?$") and
      math.tointeger(tonumber(text))
    if number and number >= low and number <= high then
      return number
    end
    return nil, string.format("an integer from %d to %d", low, high)
  end
end

local function flag(text)
  if text == "1" or text == "0" then
    return text == "1"
  end
  return nil, "0 or 1"
end

local function cursor(text)
  if text:find("^%x+%.%d+$") and #text < 40 then
    return text
  end
  return nil, "a `cursor` of an answer before"
end

local function any(text)
  return text
end

--- How many services are shown in full, at most.
query.MOST = 50

-- The parameters of each route.
query.STATUS = {
  service = {any, most = query.MOST}, problems = {flag}, since = {cursor},
  counters = {flag}, instances = {flag}, history = {flag},
  limit = {integer_of(1, 100000)}, offset = {integer_of(0, 100000)},
}
query.EVENTS = {since = {integer_of(0, 999999999)}, service = {any}}
query.NONE = {}

local function names_of(allowed)
  local names = {}
  for name in pairs(allowed) do
    names[#names + 1] = name
  end
  table.sort(names)
  return #names > 0 and table.concat(names, ", ") or "none is known here"
end

local function take(asked, key, value, rule)
  if not rule.most then
    asked[key] = value
    return true
  end
  asked[key] = asked[key] or {}
  table.insert(asked[key], value)
  return #asked[key] <= rule.most
end

--- Reads a query.
-- @tparam ?string text what follows the "?"
-- @tparam table allowed `query.STATUS` and its like
-- @treturn table value by name; a list if the parameter may occur more than
--   once
-- @treturn[2] nil
-- @treturn[2] string what is wrong
function query.parse(text, allowed)
  local asked = {}
  for part in (text or ""):gmatch("[^&]+") do
    local key, value = part:match("^([^=]*)=?(.*)$")
    key, value = decode(key), decode(value)
    local rule = allowed[key]
    if not rule then
      return nil, string.format("%s: no such parameter (%s)", key,
        names_of(allowed))
    end
    local read, right = rule[1](value)
    if read == nil then
      return nil, string.format('%s: "%s" is not %s', key, value, right)
    elseif not take(asked, key, read, rule) then
      return nil, string.format("%s: more than %d", key, rule.most)
    end
  end
  return asked
end

-- A client knows the views up to its cursor. A cursor of another worker does
-- not count.
local function known_until(journal, since)
  local boot, number = (since or ""):match("^(%x+)%.(%d+)$")
  return boot == journal.boot and math.tointeger(tonumber(number)) or nil
end

local function named(journal, names)
  local list, seen = {}, {}
  for _, name in ipairs(names) do
    if journal.views[name] and not seen[name] then
      seen[name] = true
      list[#list + 1] = name
    end
  end
  table.sort(list)
  return list
end

-- Looks through as few services as possible: an open page asks each second, and
-- almost nothing has changed.
local function candidates(journal, asked, known)
  if asked.service then
    return named(journal, asked.service)
  end
  local few = known and journal:newer(known)
  if few then
    table.sort(few)
  end
  return few or journal.names
end

local function page_of(list, asked)
  local first = (asked.offset or 0) + 1
  local last = math.min(#list, (asked.limit or #list) + first - 1)
  return table.move(list, first, last, 1, {})
end

--- Lists the views that are asked for.
-- @tparam journal journal that has looked at all services
-- @tparam table asked see `query.STATUS`
-- @tparam function turn gives other work its turn when it is time
-- @treturn {view,...} those on the page that is asked for, by name
-- @treturn integer how many match, on all pages
-- @treturn boolean whether they are only those that the client does not know
function query.of(journal, asked, turn)
  local list, known = {}, known_until(journal, asked.since)
  for _, name in ipairs(candidates(journal, asked, known)) do
    turn()
    local view = journal.views[name]
    if view and (not known or view.cursor > known) and
      (not asked.problems or view.state ~= "whole")
    then
      list[#list + 1] = view
    end
  end
  return page_of(list, asked), #list, known ~= nil
end

return query
