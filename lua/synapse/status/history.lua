--- What a service was like in the minutes of the last hour.
--
-- A history is a string, so that a request may read it while the main task
-- makes the next one. It has 20 bytes for each minute in which something
-- happened, and at most 61 of these.
--
-- Pure.
--
-- @module synapse.status.history

local history = {}

local MINUTE = 60
local KEPT = 60 * MINUTE
local ENTRY = "<I4I4I4I4I4"
local SIZE = string.packsize(ENTRY)
local NUMBERS = 5
local MOST = 0xffffffff

--- One minute.
-- @table entry
-- @tfield integer time    when it began, in seconds since the epoch
-- @tfield integer ready   instances at its end, and until the next entry
-- @tfield integer least   the fewest ready ones in it
-- @tfield integer changes of instances' states
-- @tfield integer errors  that HAProxy counted

--- The history of a service of which nothing is known.
history.NONE = ""

local function pack(entry)
  return ENTRY:pack(entry.time // MINUTE, math.min(entry.ready, MOST),
    math.min(entry.least, MOST), math.min(entry.changes, MOST),
    math.min(entry.errors, MOST))
end

local function unpack_at(text, place)
  local minute, ready, least, changes, errors = ENTRY:unpack(text, place)
  return {time = minute * MINUTE, ready = ready, least = least,
    changes = changes, errors = errors}
end

local function last_of(text)
  return text ~= "" and unpack_at(text, #text - SIZE + 1) or nil
end

local function time_at(text, place)
  return ("<I4"):unpack(text, place) * MINUTE
end

-- Drops what is too old, except the entry that says how the hour began. Drops
-- also what is in the future, because the clock was set back.
local function recent(text, time)
  local first, last = 1, #text
  while first + SIZE < last and time_at(text, first + SIZE) <= time - KEPT do
    first = first + SIZE
  end
  while last >= first and time_at(text, last - SIZE + 1) > time do
    last = last - SIZE
  end
  return text:sub(first, last)
end

--- Adds what is known now.
-- @tparam string text a history
-- @tparam number time seconds since the epoch
-- @tparam integer ready how many instances are ready now
-- @tparam integer changes of instances' states since the last call
-- @tparam integer errors that HAProxy counted since then
-- @treturn string the history with it
function history.add(text, time, ready, changes, errors)
  text = recent(text, time)
  local last = last_of(text)
  if last and last.ready == ready and changes == 0 and errors == 0 then
    return text
  end
  local entry = {time = time // 1, ready = ready, changes = changes,
    errors = errors, least = last and math.min(last.ready, ready) or ready}
  if last and last.time // MINUTE == time // MINUTE then
    text = text:sub(1, -SIZE - 1)
    entry.least = math.min(last.least, ready)
    entry.changes = last.changes + changes
    entry.errors = last.errors + errors
  end
  return text .. pack(entry)
end

--- Lists the minutes in which something happened.
-- @tparam string text a history
-- @tparam number time seconds since the epoch
-- @treturn {entry,...} the oldest first. The first one may be older than an
--   hour; it tells how many were ready then
function history.entries(text, time)
  local list = {}
  text = recent(text, time)
  for place = 1, #text, SIZE do
    list[#list + 1] = unpack_at(text, place)
  end
  return list
end

--- Returns a history as numbers and spaces, for a file.
-- @tparam string text a history
-- @treturn string
function history.encode(text)
  local numbers = {}
  for place = 1, #text, SIZE do
    local entry = {ENTRY:unpack(text, place)}
    table.move(entry, 1, NUMBERS, #numbers + 1, numbers)
  end
  return table.concat(numbers, " ")
end

local function numbers_of(encoded)
  local numbers = {}
  for word in encoded:gmatch("%S+") do
    local number = #word <= 10 and word:find("^%d+$") and
      math.tointeger(tonumber(word))
    if not number or number > MOST then
      return nil
    end
    numbers[#numbers + 1] = number
  end
  return #numbers % NUMBERS == 0 and #numbers / NUMBERS <= KEPT / MINUTE + 1 and
    numbers or nil
end

--- Reads what `history.encode` has written.
-- @tparam ?string encoded
-- @treturn string a history: none, where it is anything else
function history.decode(encoded)
  local numbers, parts, before = numbers_of(encoded or ""), {}, -1
  for i = 1, numbers and #numbers or 0, NUMBERS do
    if numbers[i] <= before then
      return history.NONE
    end
    before = numbers[i]
    parts[#parts + 1] = ENTRY:pack(table.unpack(numbers, i, i + NUMBERS - 1))
  end
  return table.concat(parts)
end

return history
