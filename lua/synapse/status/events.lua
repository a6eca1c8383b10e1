--- The last thousand events, the oldest forgotten first.
--
-- @module synapse.status.events

local events = {}
events.__index = events

--- What happened.
-- @table event
-- @tfield integer number from 1, without a gap
-- @tfield number time    seconds since the epoch
-- @tfield ?string service   nil: it is about the agent or its ensemble
-- @tfield ?string instance  nil: it is about all of the service, or about many
-- @tfield ?integer count    how many instances, where there is no one
-- @tfield string from    what it was
-- @tfield string to      what it is
-- @tfield ?string why    in words
-- @tfield ?number ms     milliseconds from the watch to HAProxy's answer

--- Returns no events.
-- @tparam integer size how many are kept
-- @tparam function wall returns seconds since the epoch
-- @treturn events
function events.new(size, wall)
  return setmetatable({size = size, wall = wall, last = 0, kept = {}}, events)
end

--- Adds an event; its number and time are filled in.
-- @tparam event event
function events:add(event)
  self.last = self.last + 1
  event.number, event.time = self.last, self.wall()
  self.kept[self.last] = event
  self.kept[self.last - self.size] = nil
end

--- Lists the events after a number, the oldest first.
-- @tparam integer number 0: all that are kept
-- @treturn {event,...}
function events:since(number)
  local list = {}
  for i = math.max(number, self.last - self.size) + 1, self.last do
    list[#list + 1] = self.kept[i]
  end
  return list
end

return events
