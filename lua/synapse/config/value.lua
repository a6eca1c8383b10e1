--- Reads JSON, and single values of it, and reports what was wrong with them.
--
-- Each reader takes the report, the value (nil where the key is left out) and
-- its place, such as "services.web.max_instances". What it returns after a
-- mistake is of no use: the configuration is refused.
--
-- Synapse expanded ERB and then read YAML. Here a file is JSON; what is one of
-- the others is told so, and not what a parser of JSON makes of it.
--
-- Pure.
--
-- @module synapse.config.value

local cjson = require("cjson.safe")
local schema = require("synapse.config.schema")

local value = {}

local decoder = cjson.new()
decoder.decode_invalid_numbers(false)
decoder.decode_max_depth(32)

local function line_of(all, at)
  local _, lines = all:sub(1, at - 1):gsub("\n", "")
  return lines + 1
end

-- cjson counts characters; people count lines.
local function syntax_error(all, message)
  local what, at = message:match("^(.*) at character (%d+)$")
  if not at then
    return message
  end
  local before = all:sub(1, tonumber(at) - 1)
  return string.format("line %d, column %d: %s", line_of(all, tonumber(at)),
    #before:match("[^\n]*$") + 1, what)
end

-- JSON's first letter is one of these, in any file that a program writes.
local function is_yaml(all)
  return all:find("%S") ~= nil and all:find("^%s*[%[{]") == nil
end

--- Reads a value.
-- @tparam string all
-- @return its value; JSON's null is `cjson.null`
-- @treturn[2] nil
-- @treturn[2] string what is wrong, and what would be right
function value.decode(all)
  local tag = all:find("<%%.-%%>")
  if tag then
    return nil, string.format("line %d: ERB is not expanded; write what " ..
      "`%s` stands for", line_of(all, tag), all:match("[^\n]-%%>", tag) or "<%")
  end
  local made, message = decoder.decode(all)
  if made ~= nil then
    return made
  end
  return nil, syntax_error(all, message) .. (is_yaml(all) and
    " (the file must be JSON; YAML is not read)" or "")
end

--- Collects what is found.
-- @table report
-- @tfield {string,...} errors
-- @tfield {string,...} warnings
-- @tfield {[string]=boolean} not_needed the places of keys without a use here

--- Returns an empty report.
-- @treturn report
function value.report()
  return {errors = {}, warnings = {}, not_needed = {}}
end

--- Reports a mistake.
-- @tparam report report
-- @tparam string place
-- @tparam string format of what is wrong, and what would be right
function value.wrong(report, place, format, ...)
  table.insert(report.errors, place .. ": " .. string.format(format, ...))
end

--- Reports what serves, but may not be what was meant.
-- @tparam report report
-- @tparam string place
-- @tparam string format
function value.warn(report, place, format, ...)
  table.insert(report.warnings, place .. ": " .. string.format(format, ...))
end

--- Returns a value as an error shows it.
-- @param one
-- @treturn string
function value.shown(one)
  if type(one) == "table" then
    return next(one) == nil and "an empty list or object" or
      #one > 0 and "a list" or "an object"
  elseif type(one) == "string" then
    return '"' .. one .. '"'
  elseif type(one) == "number" then
    return string.format("%.14g", one)
  end
  return tostring(one)
end

--- Tells whether a value may be an object: JSON's `{}` and `[]` look alike.
-- @param one
-- @treturn boolean
function value.is_object(one)
  return type(one) == "table" and #one == 0
end

--- Copies an object without nulls: a key set to null is a key left out.
-- @tparam table object
-- @treturn table
function value.without_nulls(object)
  local copy = {}
  for key, one in pairs(object) do
    if one ~= cjson.null then
      copy[key] = one
    end
  end
  return copy
end

--- Returns a value, or another where it is left out; false is a value.
function value.either(one, other)
  if one == nil then
    return other
  end
  return one
end

--- Reads an object.
-- @treturn table without nulls; empty where it is left out
function value.object(report, one, place)
  if one == nil then
    return {}
  elseif not value.is_object(one) then
    value.wrong(report, place, "%s is not an object", value.shown(one))
    return {}
  end
  return value.without_nulls(one)
end

--- Reads a list.
-- @treturn table empty where it is left out
function value.list(report, one, place)
  if one == nil then
    return {}
  elseif type(one) ~= "table" or next(one) ~= nil and #one == 0 then
    value.wrong(report, place, "%s is not a list", value.shown(one))
    return {}
  end
  return one
end

--- A line of haproxy.cfg.
-- @table line
-- @tfield string text
-- @tfield string place in the configuration

local function add_lines(lines, text, place)
  for one in text:gmatch("[^\r\n]+") do
    local stripped = one:match("^%s*(.*)$")
    if stripped ~= "" then
      lines[#lines + 1] = {text = stripped, place = place}
    end
  end
end

--- Reads a list of lines of haproxy.cfg.
-- @treturn {line,...} empty where it is left out
function value.lines(report, one, place)
  local lines = {}
  for i, text in ipairs(value.list(report, one, place)) do
    local where = string.format("%s[%d]", place, i - 1)
    if type(text) == "string" then
      add_lines(lines, text, where)
    else
      value.wrong(report, where, "%s is not a line of haproxy.cfg",
        value.shown(text))
    end
  end
  return lines
end

local function unknown(report, place, key, fates)
  local meant = schema.nearest(key, {fates.used, fates.differs})
  value.warn(report, place, "unknown key, ignored%s",
    meant and '; did you mean "' .. meant .. '"?' or "")
end

--- Reports the keys of an object that are unknown, refused, or not needed.
-- @tparam report report
-- @tparam table object without nulls
-- @tparam string place of the object, "" for the whole file
-- @tparam table fates one of the tables of `synapse.config.schema`
function value.keys(report, object, place, fates)
  local sorted = schema.sort(object, fates)
  local prefix = place == "" and "" or place .. "."
  for _, key in ipairs(sorted.unknown) do
    unknown(report, prefix .. key, key, fates)
  end
  for _, refused in ipairs(sorted.refused) do
    value.wrong(report, prefix .. refused[1], "%s", refused[2])
  end
  for _, key in ipairs(sorted.not_needed) do
    local generic = fates.place == "" and "" or fates.place .. "."
    report.not_needed[generic .. key] = true
  end
end

--- Reads a boolean.
-- @treturn ?boolean
function value.boolean(report, one, place, default)
  if one == nil then
    return default
  elseif type(one) ~= "boolean" then
    value.wrong(report, place, "%s is neither true nor false",
      value.shown(one))
  end
  return one
end

--- Reads a number.
-- @tparam table range `low` and `high`; `integer`; `default`
-- @treturn ?number
function value.number(report, one, place, range)
  if one == nil then
    return range.default
  end
  local number = type(one) == "number" and one
  if number and range.integer then
    number = math.tointeger(number)
  end
  if not number or number < range.low or number > range.high then
    value.wrong(report, place, "%s is not %s from %.14g to %.14g",
      value.shown(one), range.integer and "an integer" or "a number",
      range.low, range.high)
  end
  return number
end

--- Reads a string that must be there.
-- @tparam string pattern that it matches
-- @tparam string what    it is, for people
-- @treturn ?string
function value.string(report, one, place, pattern, what)
  if type(one) == "string" and one:find(pattern) then
    return one
  elseif one == nil then
    value.wrong(report, place, "is missing; it must be %s", what)
  else
    value.wrong(report, place, "%s is not %s", value.shown(one), what)
  end
  return nil
end

--- Reads one word of a few, which must be there.
-- @tparam function has tells whether a string is one of them
-- @tparam string what  they are, for people
-- @treturn ?string
function value.word(report, one, place, has, what)
  local word = value.string(report, one, place, "", what)
  if word and not has(word) then
    value.wrong(report, place, "%s is not %s", value.shown(word), what)
    return nil
  end
  return word
end

return value
