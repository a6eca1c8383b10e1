--- The word that somebody who misspelt one may have meant.
--
-- Pure.
--
-- @module synapse.config.nearest

local nearest = {}

local LETTERS_MAX = 64

-- One cell: how far the first i letters of a are from the first j of b.
local function cell(rows, a, b, i, j)
  local above, row = rows[i - 1], rows[i]
  local same = a:byte(i) == b:byte(j)
  local least = math.min(above[j] + 1, row[j - 1] + 1,
    above[j - 1] + (same and 0 or 1))
  if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and
    a:byte(i - 1) == b:byte(j)
  then
    least = math.min(least, rows[i - 2][j - 2] + 1)
  end
  return least
end

--- Returns how many letters must be added, left out, replaced, or swapped with
-- the next one, to make one word of the other.
-- @tparam string a
-- @tparam string b
-- @treturn integer at least 64 where one of them is longer than that
function nearest.distance(a, b)
  if #a > LETTERS_MAX or #b > LETTERS_MAX then
    return LETTERS_MAX
  end
  local rows = {[0] = {}}
  for j = 0, #b do
    rows[0][j] = j
  end
  for i = 1, #a do
    rows[i] = {[0] = i}
    for j = 1, #b do
      rows[i][j] = cell(rows, a, b, i, j)
    end
  end
  return rows[#a][#b]
end

--- Finds the word that is meant: at most a third of its letters are wrong, but
-- for the shortest words one.
-- @tparam string word
-- @tparam {[string]=boolean,...} sets of words, the keys of tables
-- @treturn ?string
function nearest.find(word, sets)
  local best, found = math.max(1, #word // 3) + 1, nil
  for _, words in ipairs(sets) do
    for other in pairs(words) do
      local distance = math.abs(#word - #other) <= best and
        nearest.distance(word, other) or LETTERS_MAX
      if distance < best or distance == best and found and other < found then
        best, found = distance, other
      end
    end
  end
  return found
end

return nearest
