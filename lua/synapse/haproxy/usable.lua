--- Notices what operators and HAProxy's checks have changed.
--
-- HAProxy reports no such change. But it says at once, and cheaply, how many
-- servers of a backend it can use. If that number has changed, the agent asks
-- for the states of all its servers, which is not cheap.
--
-- Commands change the number too. Then it is right if it has changed as the
-- number of instances that are to be ready: an operator may be as quick as the
-- agent, within the same millisecond.
--
-- @module synapse.haproxy.usable

local usable = {}
usable.__index = usable

-- Seconds for which a comparison is fresh, and services compared in a second.
local FRESH = 0.9
local MOST_A_SECOND = 20

-- HAProxy 2.6 goes through all servers of a backend to count, which takes 1.5
-- us for each. So a service is counted again after so many seconds for each of
-- its slots.
local PACE = 0.002

-- Seconds after which the errors of a service are counted again, if that is
-- some work. The last hour is shown by the minute, and each minute must have
-- its own.
local COUNT_ERRORS_EVERY = 30

--- Returns an observer that knows no number yet.
-- @tparam table deps
--   `active(backend)` and `errors(backend)`, see `synapse.haproxy.runtime`;
--   `slots(service)`: how many it has; `ready(service)`: how many of its
--   instances are ready as far as is known; `compare(service)`: asks for the
--   states of its servers; `compared_at(service)`: when they were last told, or
--   nil; `idle()`: how many instances of all services HAProxy does not use, as
--   far as is known; `erred(service, errors)`: takes how many HAProxy has
--   counted, where that is another number; `now()`
-- @treturn usable
function usable.new(deps)
  return setmetatable({deps = deps, counted = {}, by_name = {}, errors = {},
    errors_at = {}, rests_until = {},
    is_changed = {},   -- commands have changed it since it was counted
    unexplained = {},  -- usable servers beyond those that are to be ready
  }, usable)
end

local function take_errors(self, service, errors)
  if errors ~= self.errors[service] then
    self.errors[service] = errors
    self.deps.erred(service, errors)
  end
end

--- Counts the servers of a service that HAProxy can use.
-- @tparam service service
-- @treturn boolean whether there were as many before
function usable:count(service)
  local active, backups, errors = self.deps.active(service.backend)
  if errors then
    local now = self.deps.now()
    take_errors(self, service, errors)
    self.errors_at[service] = now
    self.rests_until[service] = now + PACE * self.deps.slots(service)
  end
  local before = self.counted[service] or active + backups
  self.counted[service] = active + backups
  -- The number that `see` gets is not true for a backend that uses its backups.
  self.by_name[service.name] = (active > 0 or backups == 0) and active or nil
  return before == active + backups
end

local function rests(self, service)
  return self.deps.now() < (self.rests_until[service] or 0)
end

-- Counts after commands. Returns whether the number is the one that they lead
-- to. Some servers may be usable that are not shown as ready, and the other way
-- round; as many as after the last commands are no news.
local function is_explained(self, service)
  self:count(service)
  local before = self.unexplained[service] or 0
  self.unexplained[service] =
    self.counted[service] - self.deps.ready(service)
  return self.unexplained[service] == before
end

-- Counts a service, and compares it if nothing explains the number.
local function count_or_compare(self, service)
  local is_expected
  if self.is_changed[service] then
    self.is_changed[service] = nil
    is_expected = is_explained(self, service)
  else
    is_expected = self:count(service)
  end
  if not is_expected then
    self.deps.compare(service)
  end
end

--- Notes that commands may have changed how many servers are usable.
-- @tparam service service
function usable:changed(service)
  self.is_changed[service] = true
  if rests(self, service) then
    self.counted[service], self.by_name[service.name] = nil, nil
  else
    count_or_compare(self, service)
  end
end

--- Counts the usable servers, and compares the service if their number has
-- changed. Counts its errors, now and then.
-- @tparam service service
function usable:look_at(service)
  if rests(self, service) then
    return
  end
  count_or_compare(self, service)
  local now = self.deps.now()
  if now - (self.errors_at[service] or -math.huge) >= COUNT_ERRORS_EVERY then
    self.errors_at[service] = now
    take_errors(self, service, self.deps.errors(service.backend))
  end
end

--- Forgets a service.
-- @tparam service service
function usable:forget(service)
  self.counted[service], self.by_name[service.name] = nil, nil
  self.errors[service], self.errors_at[service] = nil, nil
  self.rests_until[service] = nil
  self.is_changed[service], self.unexplained[service] = nil, nil
end

-- If an operator changes a server that is not used anyway, the number of usable
-- servers stays the same. So a service with such servers is compared each
-- second, and less often if there are many in all.
local function is_due(self, service, idle)
  local now = self.deps.now()
  return idle > 0 and now - (self.deps.compared_at(service) or now) >
    math.max(FRESH, self.deps.idle() / MOST_A_SECOND)
end

local function is_news(self, service, seen)
  local before = self.by_name[service.name] or seen.usable
  self.by_name[service.name] = seen.usable
  return before ~= seen.usable and not self:count(service) or
    is_due(self, service, seen.idle)
end

--- Takes what a request saw of a service. If HAProxy may have news of it, the
-- service is compared, and `asking` until HAProxy has told its servers' states.
-- @tparam service service
-- @tparam {usable,idle} seen how many servers HAProxy would use (see
--   `runtime.visit`), and how many instances are not used
-- @treturn boolean whether it is compared
function usable:see(service, seen)
  local has_news = is_news(self, service, seen)
  if has_news then
    self.deps.compare(service)
  end
  return has_news
end

--- Returns how many servers of a service HAProxy would use.
-- @tparam string name of the service
-- @treturn ?integer nil: unknown
function usable:of(name)
  return self.by_name[name]
end

return usable
