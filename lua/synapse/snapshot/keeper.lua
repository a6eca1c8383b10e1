--- Keeps the snapshot's file as the services are, off HAProxy's threads.
--
-- At most one write a second, one at a time, and none that changes nothing.
-- The changes of a moment are written together: a reload right after the first
-- of them is not to find a part. Only what a person did is written at once, for
-- the reload that may be the next thing this person does. Each minute the file
-- is written in any case, for those who go by its time. A failed write leaves
-- the old file; it is reported once and tried again. A stopping worker writes
-- no more: the next one has taken over.
--
-- @module synapse.snapshot.keeper

local keeper = {}
keeper.__index = keeper

local INTERVAL = 1
local COLLECT = 0.1
local RETRY = 10
local RENEW = 60

--- Returns a keeper that has written nothing.
-- @tparam table deps
--   `encode()`: the text to write; `write(text)`: starts to write and returns
--   a request number, or nil and why, absent where no snapshot is kept;
--   `path`: for people; `now()`; `log`
-- @treturn keeper
function keeper.new(deps)
  return setmetatable({
    deps = deps,
    wanted = false,
    known = nil,
    written_at = deps.now(),
    writing = nil,
    request = nil,
    due = 0,
    failing = false,
    stopped = deps.write == nil,
  }, keeper)
end

--- Notes that something changed.
function keeper:changed()
  if not self.wanted then
    self.wanted = true
    self.due = math.max(self.due, self.deps.now() + COLLECT)
  end
end

--- Notes that something changed that must not wait.
function keeper:changed_by_hand()
  self.wanted = true
  self.due = self.failing and self.due or 0
end

local function failed(self, why)
  if not self.failing then
    self.deps.log:error("%s: cannot be written: %s; the old snapshot stays",
      self.deps.path, why)
  end
  self.failing = true
  self.wanted = true
  self.due = self.deps.now() + RETRY
end

--- Writes when something changed and it is time.
function keeper:tick()
  local now = self.deps.now()
  local is_old = self.known ~= nil and now - self.written_at >= RENEW
  if self.stopped or self.request or now < self.due or
    not (self.wanted or is_old)
  then
    return
  end
  self.wanted = false
  self.due = now + INTERVAL
  local text = self.deps.encode()
  if text == self.known and not is_old then
    return
  end
  local request, why = self.deps.write(text)
  if not request then
    return failed(self, why)
  end
  self.request, self.writing = request, text
end

--- Takes a `job` event.
-- @tparam table event
function keeper:take(event)
  if event.request ~= self.request then
    return
  end
  self.request = nil
  if event.code ~= 0 then
    return failed(self, event.error)
  end
  self.known, self.written_at = self.writing, self.deps.now()
  if self.failing then
    self.deps.log:info("%s: written again", self.deps.path)
  end
  self.failing = false
end

--- Writes no more.
function keeper:stop()
  self.stopped = true
end

return keeper
