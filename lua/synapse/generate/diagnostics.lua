--- Reads what `haproxy -c` prints.
--
-- Pure.
--
-- @module synapse.generate.diagnostics

local diagnostics = {}

--- One message.
-- @table diagnostic
-- @tfield string level "ALERT" or "WARNING"
-- @tfield ?integer line of the file; nil: of none
-- @tfield string text

-- Cuts "config : parsing [path:12] : " off, which may stand there twice.
local function split(text, path)
  local line
  local rest = text:gsub("^config : ", "")
  while true do
    local place, after = rest:match("^%l*%s?%[(.-)%]%s*: (.*)$")
    local at = place and place:sub(1, #path + 1) == path .. ":" and
      tonumber(place:sub(#path + 2))
    if not at then
      return line, rest
    end
    line, rest = at, after
  end
end

-- They only say that there were others.
local function is_summary(text)
  return text:find("^Error%(s%) found in configuration file") or
    text:find("^Fatal errors found in configuration") or
    text == "(null)"
end

--- Lists the messages.
-- @tparam string output
-- @tparam string path of the file that was checked
-- @treturn {diagnostic,...} in order
function diagnostics.parse(output, path)
  local found = {}
  for one in output:gmatch("[^\n]+") do
    local level, text = one:match("^%[(%u+)%]%s+%(%d+%) : (.*)$")
    local last = found[#found]
    if level == "ALERT" or level == "WARNING" then
      local line, rest = split(text, path)
      if not is_summary(rest) then
        found[#found + 1] = {level = level, line = line, text = rest}
      end
    elseif not level and last and one:find("^%s") then
      last.text = last.text .. " " .. one:match("^[%s|]*(.*)$")
    end
  end
  return found
end

local function matches(text, patterns)
  for _, pattern in ipairs(patterns) do
    if text:find(pattern) then
      return true
    end
  end
  return false
end

local UNKNOWN = {"^unknown keyword '.*' in '.*' section", "^unknown option '"}

--- Tells whether HAProxy does not know a line's keyword.
-- @tparam diagnostic diagnostic
-- @treturn boolean
function diagnostics.is_unknown(diagnostic)
  return matches(diagnostic.text, UNKNOWN)
end

local MISPLACED = {"has no %l+ capability", "is ignored in %l+s%.?$",
  "is not allowed because %l+ .* is not a %l+"}

--- Tells whether a line is of no use where it stands: its keyword is unknown,
-- or belongs in a section of another kind.
-- @tparam diagnostic diagnostic
-- @treturn boolean
function diagnostics.is_harmless(diagnostic)
  return diagnostics.is_unknown(diagnostic) or
    matches(diagnostic.text, MISPLACED)
end

return diagnostics
