--- Reads what a znode says of its server, `haproxy_server_options`.
--
-- airbnb's synapse wrote these words into haproxy.cfg as they were. Here a slot
-- is there already, and of what a server can be HAProxy changes little at run
-- time. So a few words are understood, and the others are named.
--
-- Pure.
--
-- @module synapse.instances.wishes

local wishes = {}

-- HAProxy's greatest weight, and a bound of our own.
local MAX_WEIGHT, MAX_MAXCONN = 256, 1000000

--- What is wanted of a server.
-- @table wishes
-- @tfield ?integer weight  0 to 256
-- @tfield ?integer maxconn 1 to 1,000,000
-- @tfield ?boolean backup

local function integer(word)
  return word and word:find("^%d+$") and math.tointeger(tonumber(word)) or nil
end

--- Bounds a weight.
-- @tparam integer number 0 or more
-- @tparam string what names it, for the problem
-- @tparam {string,...} problems gets one where it is too great
-- @treturn integer
function wishes.bounded_weight(number, what, problems)
  if number <= MAX_WEIGHT then
    return number
  end
  problems[#problems + 1] = string.format("%s %d is above %d, used as %d",
    what, number, MAX_WEIGHT, MAX_WEIGHT)
  return MAX_WEIGHT
end

local NUMBERS = {
  weight = function(number, problems)
    return wishes.bounded_weight(number, "haproxy_server_options: weight",
      problems)
  end,
  maxconn = function(number)
    return number >= 1 and number <= MAX_MAXCONN and number or nil
  end,
}

-- Returns what stands at a place, and how many words that takes; nil where
-- nothing is understood.
local function read_at(words, i, problems)
  local word, number = words[i], integer(words[i + 1])
  if word == "backup" then
    return true, 1
  end
  local value = NUMBERS[word] and number and NUMBERS[word](number, problems)
  return value, value and 2 or 1
end

--- Reads the words.
-- @tparam string text
-- @tparam {string,...} problems gets what is bounded
-- @treturn wishes
-- @treturn ?string the words that are not understood
function wishes.parse(text, problems)
  local found, left, words, i = {}, {}, {}, 1
  for word in text:gmatch("%S+") do
    words[#words + 1] = word
  end
  while words[i] do
    local value, taken = read_at(words, i, problems)
    if value then
      found[words[i]] = value
    else
      left[#left + 1] = words[i]
    end
    i = i + taken
  end
  return found, #left > 0 and table.concat(left, " ") or nil
end

return wishes
