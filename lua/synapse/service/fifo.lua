--- What came first goes first: things that carry the time when they came.
--
-- Pure.
--
-- @module synapse.service.fifo

local fifo = {}
fifo.__index = fifo

--- Returns an empty queue.
-- @treturn fifo
function fifo.new()
  return setmetatable({first = 1, last = 0}, fifo)
end

--- Adds a thing.
-- @tparam {at=number} thing not older than the last one
function fifo:push(thing)
  self.last = self.last + 1
  self[self.last] = thing
end

--- Takes out one thing after the other, as long as they are old.
-- @tparam number time
-- @treturn function an iterator over those whose `at` is not after it
function fifo:until_time(time)
  return function()
    local thing = self[self.first]
    if not thing or thing.at > time then
      return nil
    end
    self[self.first] = nil
    self.first = self.first + 1
    return thing
  end
end

return fifo
