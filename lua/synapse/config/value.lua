--- Reads JSON, and single values of it, and reports what was wrong with them.
--
-- Each reader takes the report, the value (nil where the key is left out) and
-- its place, such as "services.web.max_instances". What it returns after a
-- mistake is of no use: the configuration is refused.
--
-- airbnb's synapse expanded ERB and then read YAML. Here a file is JSON, and
-- ERB or YAML gets an error that says so, not what a JSON parser makes of it.
--
-- Pure.
--
-- @module synapse.config.value

local cjson = require("cjson.safe")
local json = require("synapse.config.json")
local schema = require("synapse.config.schema")

local value = {}

local function line_of(all, at)
  local _, lines = all:sub(1, at - 1):gsub("\n", "")
  return lines + 1
end

-- JSON's first letter is one of these, in any file that a program writes.
local function is_yaml(all)
  return all:find("%S") ~= nil and all:find("^%s*[%[{]") == nil
end

--- Reads a text.
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
  local decoded, message = json.decode(all)
  if decoded ~= nil then
    return decoded
  end
  return nil, message .. (is_yaml(all) and
    " (the file must be JSON; YAML is not read)" or "")
end

--- Collects what is found.
-- @table report
-- @tfield {string,...} errors
-- @tfield {string,...} warnings
-- @tfield {[string]=boolean} ignored the places of keys without a use here

--- Returns an empty report.
-- @treturn report
function value.report()
  return {errors = {}, warnings = {}, ignored = {}}
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
function value.shown(given)
  if type(given) == "table" then
    return next(given) == nil and "an empty list or object" or
      #given > 0 and "a list" or "an object"
  elseif type(given) == "string" then
    return '"' .. given .. '"'
  elseif type(given) == "number" then
    return string.format("%.14g", given)
  end
  return tostring(given)
end

--- Tells whether a value may be an object: JSON's `{}` and `[]` look alike.
-- @param one
-- @treturn boolean
function value.is_object(given)
  return type(given) == "table" and #given == 0
end

--- Copies an object without nulls: a key set to null is a key left out.
-- @tparam table object
-- @treturn table
function value.without_nulls(object)
  local copy = {}
  for key, given in pairs(object) do
    if given ~= cjson.null then
      copy[key] = given
    end
  end
  return copy
end

--- Returns a value, or another where it is left out; false is a value.
function value.either(given, default)
  if given == nil then
    return default
  end
  return given
end

--- Reads an object.
-- @treturn table without nulls; empty where it is left out
function value.object(report, given, place)
  if given == nil then
    return {}
  elseif not value.is_object(given) then
    value.wrong(report, place, "%s is not an object", value.shown(given))
    return {}
  end
  return value.without_nulls(given)
end

--- Reads a list.
-- @treturn table empty where it is left out
function value.list(report, given, place)
  if given == nil then
    return {}
  elseif type(given) ~= "table" or next(given) ~= nil and #given == 0 then
    value.wrong(report, place, "%s is not a list", value.shown(given))
    return {}
  end
  return given
end

--- A line of haproxy.cfg.
-- @table line
-- @tfield string text
-- @tfield string place in the configuration

local function add_lines(lines, text, place)
  for given in text:gmatch("[^\r\n]+") do
    local stripped = given:match("^%s*(.*)$")
    if stripped ~= "" then
      lines[#lines + 1] = {text = stripped, place = place}
    end
  end
end

--- Reads a list of lines of haproxy.cfg.
-- @treturn {line,...} empty where it is left out
function value.lines(report, given, place)
  local lines = {}
  for i, text in ipairs(value.list(report, given, place)) do
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

local function unknown(report, place, key, of)
  local meant = schema.nearest(key, of)
  value.warn(report, place, "unknown key, ignored%s",
    meant and '; did you mean "' .. meant .. '"?' or "")
end

local function inside(place, key)
  return place == "" and key or place .. "." .. key
end

--- Reports the keys of an object that are unknown, rejected, or ignored.
-- @tparam report report
-- @tparam table object without nulls
-- @tparam string place of the object, "" for the whole file
-- @tparam section of  its keys, from `synapse.config.schema`
function value.keys(report, object, place, of)
  local sorted = schema.sort(object, of)
  for _, key in ipairs(sorted.unknown) do
    unknown(report, inside(place, key), key, of)
  end
  for _, rejected in ipairs(sorted.rejected) do
    value.wrong(report, inside(place, rejected[1]), "%s", rejected[2])
  end
  for _, key in ipairs(sorted.ignored) do
    report.ignored[inside(of.place, key)] = true
  end
end

--- Reads a boolean.
-- @treturn ?boolean
function value.boolean(report, given, place, default)
  if given == nil then
    return default
  elseif type(given) ~= "boolean" then
    value.wrong(report, place, "%s is neither true nor false",
      value.shown(given))
  end
  return given
end

--- Returns a number, which may stand in a string: Puppet, Chef and Ansible
-- often write "3" for 3, and airbnb's programs take it.
-- @param one
-- @treturn ?number nil if it is none
function value.as_number(given)
  if type(given) == "string" and (given:find("^%-?%d+$") or
    given:find("^%-?%d*%.%d+$"))
  then
    return tonumber(given)
  end
  return type(given) == "number" and given or nil
end

--- Reads a number, which may stand in a string.
-- @tparam table range `low` and `high`; `integer`; `default`
-- @treturn ?number
function value.number(report, given, place, range)
  if given == nil then
    return range.default
  end
  local number = value.as_number(given)
  if number and range.integer then
    number = math.tointeger(number)
  end
  if not number or number < range.low or number > range.high then
    value.wrong(report, place, "%s is not %s from %.14g to %.14g",
      value.shown(given), range.integer and "an integer" or "a number",
      range.low, range.high)
  end
  return number
end

--- Reads a string that must be there.
-- @tparam string pattern that it matches
-- @tparam string what    it is, for people
-- @treturn ?string
function value.string(report, given, place, pattern, what)
  if type(given) == "string" and given:find(pattern) then
    return given
  elseif given == nil then
    value.wrong(report, place, "is missing; it must be %s", what)
  else
    value.wrong(report, place, "%s is not %s", value.shown(given), what)
  end
  return nil
end

--- Reads one word of a few, which must be there.
-- @tparam function has tells whether a string is one of them
-- @tparam string what  they are, for people
-- @treturn ?string
function value.word(report, given, place, has, what)
  local word = value.string(report, given, place, "", what)
  if word and not has(word) then
    value.wrong(report, place, "%s is not %s", value.shown(word), what)
    return nil
  end
  return word
end

local function one_of(words)
  return function(word)
    for _, each in ipairs(words) do
      if each == word:lower() then
        return true
      end
    end
    return false
  end
end

local function list_words(words)
  local quoted = {}
  for i, word in ipairs(words) do
    quoted[i] = '"' .. word .. '"'
  end
  local last = table.remove(quoted)
  return table.concat(quoted, ", ") .. " or " .. last
end

local function read_number(report, given, place, row, default)
  if given == nil and row.required then
    value.wrong(report, place, "is missing; it must be %s", row.what)
    return nil
  end
  return value.number(report, given, place, {low = row.low, high = row.high,
    integer = row.type == "integer", default = default})
end

local function read_string(report, given, place, row, default)
  given = value.either(given, default)
  if given == nil and not row.required then
    return nil
  end
  return value.string(report, given, place, row.pattern, row.what)
end

-- A number or a boolean is what JSON writes for it.
local function as_text(given)
  if type(given) == "number" then
    return string.format("%.14g", given)
  end
  return type(given) == "boolean" and tostring(given) or given
end

-- The types of `schema` that are read alike wherever they are.
local READERS = {
  number = read_number, seconds = read_number, integer = read_number,
  boolean = function(report, given, place, _, default)
    return value.boolean(report, given, place, default)
  end,
  string = read_string,
  text = function(report, given, place, row, default)
    return read_string(report, as_text(given), place, row, default)
  end,
  -- airbnb's synapse reads these words in any case.
  word = function(report, given, place, row, default)
    local rejected = row.rejected and row.rejected[tostring(given):lower()]
    if rejected then
      value.wrong(report, place, "%s is not supported; %s", value.shown(given),
        rejected)
      return nil
    end
    local word = value.word(report, value.either(given, default), place,
      one_of(row.words), list_words(row.words))
    return word and word:lower()
  end,
  lines = function(report, given, place)
    return value.lines(report, given, place)
  end,
}

--- Reads an object by its keys of `synapse.config.schema`.
-- @tparam report report
-- @param given its value
-- @tparam string place of the object, "" for the whole file
-- @tparam section of  its keys
-- @tparam ?table defaults what holds for keys that are left out, if it is not
--   the schema that says so
-- @treturn table the values of the keys whose type is read alike wherever it is
-- @treturn table the object, without nulls, for the other keys
function value.section(report, given, place, of, defaults)
  local object = value.object(report, given, place == "" and "the file" or
    place)
  value.keys(report, object, place, of)
  local fields = {}
  for _, row in ipairs(of.rows) do
    local read = READERS[row.type]
    for key in read and row.key:gmatch("%S+") or function() end do
      fields[key] = read(report, object[key], inside(place, key), row,
        value.either((defaults or {})[key], row.default))
    end
  end
  return fields, object
end

return value
