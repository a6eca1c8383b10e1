--- Reads the query of a request's URL.
--
-- Pure.
--
-- @module synapse.status.parameters

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

local function name(text)
  return text
end

--- So many services are told of with all that is known of them.
query.MOST = 50

-- What each route may be asked.
query.STATUS = {
  service = {name, most = query.MOST}, problems = {flag}, since = {cursor},
  counters = {flag}, instances = {flag},
  limit = {integer_of(1, 100000)}, offset = {integer_of(0, 100000)},
}
query.EVENTS = {since = {integer_of(0, 999999999)}, service = {name}}
query.NONE = {}

local function known(allowed)
  local names = {}
  for one in pairs(allowed) do
    names[#names + 1] = one
  end
  table.sort(names)
  return #names > 0 and table.concat(names, ", ") or "none is known here"
end

local function take(found, key, value, rule)
  if not rule.most then
    found[key] = value
    return true
  end
  found[key] = found[key] or {}
  table.insert(found[key], value)
  return #found[key] <= rule.most
end

--- Reads a query.
-- @tparam ?string text what is behind the "?"
-- @tparam table allowed `query.STATUS` and its like
-- @treturn table value by name; a list where it may be said more than once
-- @treturn[2] nil
-- @treturn[2] string what is wrong
function query.parse(text, allowed)
  local found = {}
  for part in (text or ""):gmatch("[^&]+") do
    local key, value = part:match("^([^=]*)=?(.*)$")
    key, value = decode(key), decode(value)
    local rule = allowed[key]
    if not rule then
      return nil, string.format("%s: no such parameter (%s)", key,
        known(allowed))
    end
    local read, right = rule[1](value)
    if read == nil then
      return nil, string.format('%s: "%s" is not %s', key, value, right)
    elseif not take(found, key, read, rule) then
      return nil, string.format("%s: more than %d", key, rule.most)
    end
  end
  return found
end

return query
