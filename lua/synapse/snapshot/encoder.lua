--- Encodes the snapshot of all services, a slice at a time.
--
-- All of Lua waits while a thousand services are encoded. So `encode` stops
-- when it has lasted long enough, and goes on where it stopped when it is
-- called again. Most services are as they were at the last snapshot: their text
-- is kept, and used until the service's `revision` changes.
--
-- @module synapse.snapshot.encoder

local format = require("synapse.snapshot.format")

local encoder = {}
encoder.__index = encoder

--- Returns an encoder that has encoded nothing.
-- @tparam table deps
--   `services`: a list that its owner changes, who then calls `restart`;
--   `history(name)`: the text of a service's last hour, or nil;
--   `addresses()`, see `format.begin`; `checksum`, see there;
--   `is_tired()`: whether it has lasted long enough
-- @treturn encoder
function encoder.new(deps)
  return setmetatable({
    deps = deps,
    parts = {},  -- of each service: its text, or the beginning of that
    whole = nil, -- the snapshot, so far
  }, encoder)
end

-- Returns the text of a service, or nil before it is complete.
local function part_of(self, service)
  local part = self.parts[service]
  if part and part.text and part.revision == service.revision then
    return part.text
  elseif not part or part.text then
    part = format.begin_service(service:record())
    part.revision = service.revision
    self.parts[service] = part
  end
  local text = format.continue_service(part, self.deps.is_tired)
  if text then
    self.parts[service] = {revision = part.revision, text = text}
  end
  return text
end

--- Goes on with the snapshot, for as long as there is time. What changes
-- meanwhile is in the next one.
-- @treturn ?string its text, nil before it is complete
function encoder:encode()
  local deps = self.deps
  local whole = self.whole or format.begin(deps.checksum, deps.addresses())
  self.whole = whole
  while whole.number < #deps.services do
    local service = deps.services[whole.number + 1]
    local part = part_of(self, service)
    if not part then
      return nil
    end
    format.add(whole, part, deps.history(service.name))
    if deps.is_tired() then
      return nil
    end
  end
  self.whole = nil
  return format.finish(whole)
end

--- Starts the snapshot again: the list of services has changed.
function encoder:restart()
  self.whole = nil
end

--- Forgets the text of a service that is gone.
-- @tparam service service
function encoder:forget(service)
  self.parts[service] = nil
end

return encoder
