--- Reads the JSON of a configuration.
--
-- cjson takes a key twice and counts characters. Here a key that is there twice
-- is a mistake, and a mistake has a line and a column. What parsers of YAML
-- take beside JSON, because templates and people write it, is taken here too: a
-- byte order mark, "---", comments, a comma behind the last item. nerve reads
-- its own file the same way, with the same words.
--
-- Pure.
--
-- @module synapse.config.json

local cjson = require("cjson.safe")

local json = {}

local DEPTH_MAX = 32
local SHOWN = 20

-- Decodes the escapes of one string and the digits of one number.
local literals = cjson.new()
literals.decode_invalid_numbers(false)

local CONSTANTS = {["true"] = true, ["false"] = false, null = cjson.null}

-- A "#" begins a comment where space is before it.
local function skip_space(text, at)
  while true do
    at = text:find("[^ \t\r\n]", at) or #text + 1
    local is_comment = text:sub(at, at) == "#" and
      (at == 1 or text:find("^[ \t\r\n]", at - 1))
    if not is_comment then
      return at
    end
    at = text:find("\n", at, true) or #text + 1
  end
end

-- Puts spaces over what may be before the first bracket or comment.
local function blank_start(text)
  local mark = text:match("^\239\187\191") or ""
  local start = text:match("^%-%-%-%f[ \t\r\n]", #mark + 1) or ""
  return (" "):rep(#mark + #start) .. text:sub(#mark + #start + 1)
end

local function near(text, at, what)
  local token = text:match('^"?[%w_.+-]+"?', at) or text:sub(at, at)
  return nil, what .. " near " ..
    (at > #text and "end of file" or "'" .. token:sub(1, SHOWN) .. "'"), at
end

-- Each reader returns the place behind what it read, and the value; or nil,
-- what is wrong, and where.
local read_value

local function read_literal(text, at, last)
  local decoded = literals.decode("[" .. text:sub(at, last) .. "]")
  if not decoded then
    return near(text, at, "invalid token")
  end
  return last + 1, decoded[1]
end

local function read_string(text, at)
  local from = at + 1
  while true do
    local stop = text:find('["\\%c]', from)
    if not stop then
      return near(text, #text + 1, "'\"' expected")
    elseif text:byte(stop) == 34 then
      return read_literal(text, at, stop)
    elseif text:byte(stop) ~= 92 then
      return nil, string.format("control character 0x%x in a string",
        text:byte(stop)), stop
    end
    from = stop + 2
  end
end

-- Reads elements parted by commas up to a bracket; a comma may follow the last.
-- `read_element(at)` reads one. Returns the place behind the bracket.
local function read_elements(text, at, bracket, read_element)
  at = skip_space(text, at + 1)
  while text:sub(at, at) ~= bracket do
    local after, why, wrong_at = read_element(at)
    if not after then
      return nil, why, wrong_at
    end
    at = skip_space(text, after)
    if text:sub(at, at) == "," then
      at = skip_space(text, at + 1)
    elseif text:sub(at, at) ~= bracket then
      return near(text, at, "'" .. bracket .. "' expected")
    end
  end
  return at + 1
end

local function read_list(text, at, depth)
  local list = {}
  local after, why, wrong_at = read_elements(text, at, "]", function(place)
    local behind, value, wrong_place = read_value(text, place, depth)
    list[#list + 1] = behind and value
    return behind, value, wrong_place
  end)
  if not after then
    return nil, why, wrong_at
  end
  return after, list
end

-- Reads `"key": value` into an object.
local function read_member(text, at, depth, object)
  if text:sub(at, at) ~= '"' then
    return near(text, at, "string or '}' expected")
  end
  local after, key, wrong_at = read_string(text, at)
  if not after then
    return nil, key, wrong_at
  elseif object[key] ~= nil then
    return near(text, at, "duplicate object key")
  end
  local colon = skip_space(text, after)
  if text:sub(colon, colon) ~= ":" then
    return near(text, colon, "':' expected")
  end
  local value
  after, value, wrong_at = read_value(text, skip_space(text, colon + 1), depth)
  if not after then
    return nil, value, wrong_at
  end
  object[key] = value
  return after
end

local function read_object(text, at, depth)
  local object = {}
  local after, why, wrong_at = read_elements(text, at, "}", function(place)
    return read_member(text, place, depth, object)
  end)
  if not after then
    return nil, why, wrong_at
  end
  return after, object
end

local READERS = {['"'] = read_string, ["["] = read_list, ["{"] = read_object}

function read_value(text, at, depth)
  if depth == DEPTH_MAX then
    return nil, string.format("more than %d levels", DEPTH_MAX), at
  end
  local reader = READERS[text:sub(at, at)]
  if reader then
    return reader(text, at, depth + 1)
  end
  local word = text:match("^[%w.+-]+", at) or ""
  if CONSTANTS[word] ~= nil then
    return at + #word, CONSTANTS[word]
  elseif word:find("^%-?%d") then
    return read_literal(text, at, at + #word - 1)
  end
  return near(text, at, "unexpected token")
end

local function with_place(text, message, at)
  local before = text:sub(1, at - 1)
  local _, lines = before:gsub("\n", "")
  return string.format("line %d, column %d: %s", lines + 1,
    #before:match("[^\n]*$") + 1, message)
end

--- Reads a text, a list or an object.
-- @tparam string text
-- @treturn table its value; JSON's null is `cjson.null`
-- @treturn[2] nil
-- @treturn[2] string what is wrong, with its line and column
function json.decode(text)
  text = blank_start(text)
  local at = skip_space(text, 1)
  if not text:find("^[%[{]", at) then
    local _, message = near(text, at, "'[' or '{' expected")
    return nil, with_place(text, message, at)
  end
  local after, value, wrong_at = read_value(text, at, 0)
  if not after then
    return nil, with_place(text, value, wrong_at)
  end
  after = skip_space(text, after)
  if after <= #text then
    local _, message = near(text, after, "end of file expected")
    return nil, with_place(text, message, after)
  end
  return value
end

return json
