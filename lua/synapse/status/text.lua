--- Tables for people: columns that are aligned.
--
-- Pure.
--
-- @module synapse.status.text

local text = {}

-- What came from a znode may not move a terminal's cursor.
local function shown(value)
  return (tostring(value == nil and "-" or value):gsub("[^\32-\126]",
    function(byte) return string.format("\\x%02x", byte:byte()) end))
end

--- Returns rows as lines, their columns aligned.
-- @tparam {{value,...},...} rows each of the same length; a value may be false
--   in place of nil
-- @tparam function turn called between rows
-- @treturn string
function text.table(rows, turn)
  local widths, cells, lines = {}, {}, {}
  for n, row in ipairs(rows) do
    turn()
    cells[n] = {}
    for i, value in ipairs(row) do
      cells[n][i] = shown(value or nil)
      widths[i] = math.max(widths[i] or 0, #cells[n][i])
    end
  end
  for n, row in ipairs(cells) do
    turn()
    for i = 1, #row - 1 do
      row[i] = row[i] .. (" "):rep(widths[i] - #row[i])
    end
    lines[n] = table.concat(row, "  ") .. "\n"
  end
  return table.concat(lines)
end

return text
