--- How long something took: counts by upper bound, and the last durations.
--
-- Pure.
--
-- @module synapse.status.histogram

local histogram = {}
histogram.__index = histogram

local RECENT = 200

--- Returns a histogram of nothing.
-- @tparam {number,...} bounds upper ones, ascending
-- @treturn histogram with `bounds`; `counts`, one for each bound and one for
--   what is above; `sum`; `total`
function histogram.new(bounds)
  local counts = {}
  for i = 1, #bounds + 1 do
    counts[i] = 0
  end
  return setmetatable({
    bounds = bounds, counts = counts, sum = 0, total = 0, ring = {},
  }, histogram)
end

--- Adds a duration.
-- @tparam number value
function histogram:add(value)
  local place = 1
  while self.bounds[place] and value > self.bounds[place] do
    place = place + 1
  end
  self.counts[place] = self.counts[place] + 1
  self.sum, self.total = self.sum + value, self.total + 1
  self.ring[(self.total - 1) % RECENT + 1] = value
end

--- Lists the last durations, the oldest first.
-- @treturn {number,...} at most 200
function histogram:recent()
  local list = {}
  for i = math.max(0, self.total - RECENT), self.total - 1 do
    list[#list + 1] = self.ring[i % RECENT + 1]
  end
  return list
end

--- Returns which duration a share of the last ones does not exceed.
-- @tparam number share from 0 to 1
-- @treturn ?number nil without any
function histogram:quantile(share)
  local sorted = self:recent()
  table.sort(sorted)
  return sorted[math.max(1, math.ceil(share * #sorted))]
end

return histogram
