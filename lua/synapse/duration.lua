--- Lengths of time as people write them: 90, 500ms, 20s, 30m, 2h, 7d.
--
-- Pure.
--
-- @module synapse.duration

local duration = {}

local UNITS = {
  ms = 0.001, s = 1, m = 60, h = 3600, d = 86400, [""] = 1,
}

local LONGEST = 366 * 86400

--- What is right, for the error about a text that is no length of time.
duration.RIGHT = "a time such as 20s, 30m, 2h or 7d (at most 366d)"

--- Reads a length of time.
-- @tparam string text
-- @treturn ?number seconds, more than 0; nil when it is none
function duration.read(text)
  local digits, unit = text:match("^(%d+)(%l*)$")
  local seconds = digits and #digits <= 12 and UNITS[unit] and
    tonumber(digits) * UNITS[unit]
  return seconds and seconds > 0 and seconds <= LONGEST and seconds or nil
end

return duration
