--- Reads URL-safe base64 with its padding.
--
-- Pure.
--
-- @module synapse.instances.base64

local base64 = {}

local DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ" ..
  "abcdefghijklmnopqrstuvwxyz0123456789-_"

-- The value of each digit, by its byte.
local VALUES = {}
for i = 1, #DIGITS do
  VALUES[DIGITS:byte(i)] = i - 1
end

--- Returns the bytes that a text stands for.
-- @tparam string text
-- @treturn ?string nil where it is not base64
function base64.decode(text)
  local digits = text:gsub("=?=$", "")
  if #text % 4 ~= 0 or digits:find("[^%w_-]") then
    return nil
  end
  local parts = {}
  for i = 1, #digits, 4 do
    local a, b, c, d = digits:byte(i, i + 3)
    local bits = VALUES[a] << 18 | (VALUES[b] or 0) << 12 |
      (VALUES[c] or 0) << 6 | (VALUES[d] or 0)
    parts[#parts + 1] =
      string.char(bits >> 16, bits >> 8 & 255, bits & 255)
  end
  return table.concat(parts):sub(1, #digits * 3 // 4)
end

return base64
