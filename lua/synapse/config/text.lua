--- Makes a value of the text of a file.
--
-- Synapse expanded ERB and then read YAML. Here a file is JSON; what is one of
-- the others is told so, and not what a parser of JSON makes of it.
--
-- Pure.
--
-- @module synapse.config.text

local cjson = require("cjson.safe")

local text = {}

local json = cjson.new()
json.decode_invalid_numbers(false)
json.decode_max_depth(32)

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

--- Reads a text.
-- @tparam string all
-- @return its value; JSON's null is `cjson.null`
-- @treturn[2] nil
-- @treturn[2] string what is wrong, and what would be right
function text.decode(all)
  local tag = all:find("<%%.-%%>")
  if tag then
    return nil, string.format("line %d: ERB is not expanded; write what " ..
      "`%s` stands for", line_of(all, tag), all:match("[^\n]-%%>", tag) or "<%")
  end
  local value, message = json.decode(all)
  if value ~= nil then
    return value
  end
  return nil, syntax_error(all, message) .. (is_yaml(all) and
    " (the file must be JSON; YAML is not read)" or "")
end

return text
