--- Which service has which blank backend.
--
-- A service without a backend of its own in HAProxy's configuration reserves a
-- blank one when its configuration is read, takes it when the configuration is
-- applied, and gives it back when it leaves. Then the backend rests: no service
-- gets it before its last request has ended and its stick table is empty.
--
-- If HAProxy can add a backend of the service's own name, requests get to that,
-- and the blank one is kept for the next reload.
--
-- HAProxy finds a service's backend, and the URI of its check, in two maps. A
-- backend is found by a *route*: the address that the client has connected to,
-- or the host that it asks for.
--
-- @module synapse.spare

local blank = require("synapse.haproxy.blank")
local commands = require("synapse.haproxy.commands")

local spare = {}
spare.__index = spare

-- The share of taken backends at which the log warns.
local SCARCE = 0.8

-- Seconds between two looks at a backend that rests, and seconds after which a
-- command without an answer is sent again.
local LOOK_EVERY = 0.2
local LOST = 10

-- A blank backend is "free", "reserved" for a service, "used" by one, or
-- "resting". `tenant` is the last service that used it, while something of that
-- service is left.
local function add_blanks(self)
  for _, kind in ipairs(self.kinds) do
    for _, name in ipairs(kind.backends) do
      self.blanks[name] =
        {name = name, kind = kind, state = "free", tenant = nil}
    end
  end
end

--- Returns the blank backends of a configuration, all of them free.
-- @tparam {blank_kind,...} kinds see `synapse.haproxy.blank`
-- @tparam table deps `log`, and what `begin` adds
-- @treturn spare
function spare.new(kinds, deps)
  local self = setmetatable({
    kinds = kinds, deps = deps,
    blanks = {},       -- by name
    of = {},           -- the blank backend of a service, by its name
    reserved = {},     -- the same of those that are to come
    claims = {},       -- by route: the service that is to be reached by it
    reached = {},      -- by route: the service that is
    asked = {},        -- the blank backends by request, see `clear`
    is_missed = false, -- whether one more, or a route, would have been used
    is_scarce = {},    -- by kind: whether the log says so
    looked_at = 0,
  }, spare)
  add_blanks(self)
  return self
end

--- Begins to work: HAProxy runs.
-- @tparam table deps `log`; `set_map(map, key, value)` and `del_map(map, key)`
--   of HAProxy; `routes` and `checks`: the maps; `sessions(backend)`: how many
--   it has; `send(line)`: gives a line to HAProxy and returns a request number,
--   or nil; `now()`; `own`: adds backends, see `synapse.haproxy.add_backend`;
--   `freed()`: called when a backend or a route becomes free that a service has
--   missed
function spare:begin(deps)
  self.deps = deps
end

-- Tells whether a service may have a backend. Only the service that used it
-- last may have it while something of that is left.
local function may_have(one, name)
  return one.state == "free" or one.state == "resting" and one.tenant == name
end

local function find_blank(self, kind, name, before)
  local known = before and self.blanks[before]
  if known and known.kind == kind and may_have(known, name) then
    return known
  end
  local found
  for _, each in ipairs(kind.backends) do
    local one = self.blanks[each]
    if may_have(one, name) and (not found or one.tenant == name) then
      found = one
    end
  end
  return found
end

--- Tells whether a backend is a blank one.
-- @tparam string backend
-- @treturn boolean
function spare:has(backend)
  return self.blanks[backend] ~= nil
end

--- Returns the backend of a service: its own, or its blank one.
-- @tparam string name of the service
-- @treturn ?string
function spare:backend_of(name)
  return self.of[name] and self.of[name].backend
end

local function routes_of(config)
  local routes = {}
  routes[1] = config.bind and config.bind.text
  routes[#routes + 1] = config.host_name
  return routes
end

local function unreserve(one)
  if one.state == "reserved" then
    one.state = one.tenant and "resting" or "free"
  end
end

-- A service that no longer fits stays as it is.
local function keeps_routes(self, place, after)
  local kind = blank.fit(self.kinds, after)
  return kind ~= place.blank.kind or
    table.concat(routes_of(after), " ") == table.concat(place.routes, " ")
end

--- Forgets the reservations, because the configuration is read again.
-- @tparam {service,...} after the services as they are to be
-- @tparam ?{[string]=true} stays those that are reached as before nevertheless
function spare:expect(after, stays)
  for _, one in pairs(self.reserved) do
    unreserve(one)
  end
  self.reserved, self.claims, self.is_missed = {}, {}, false
  for _, service in ipairs(after) do
    local place = self.of[service.name]
    local keeps = place and (stays and stays[service.name] or
      keeps_routes(self, place, service))
    for _, route in ipairs(keeps and place.routes or {}) do
      self.claims[route] = service.name
    end
  end
end

local function count(self, kind)
  local counts = {free = 0, reserved = 0, used = 0, resting = 0}
  for _, name in ipairs(kind.backends) do
    local state = self.blanks[name].state
    counts[state] = counts[state] + 1
  end
  return counts
end

local function none_free(self, kind)
  local counts = count(self, kind)
  self.is_missed = true
  return string.format("no blank backend of %s is left (%d of %d wait for " ..
    "the end of their last requests); haproxy.spare says how many there are",
    kind.name, counts.resting, #kind.backends)
end

-- A service with a blank backend keeps it, and a service that is leaving gets
-- it back.
local function choose(self, config, kind, before)
  local own = self.of[config.name]
  if own and own.blank.kind == kind then
    return own.blank
  elseif own and not own.is_leaving then
    return nil, string.format("haproxy.port: it is served by %s, and %s " ..
      "listens on %s", own.blank.name, kind.name, routes_of(config)[1])
  end
  local found = self.reserved[config.name] or
    find_blank(self, kind, config.name, before)
  return found, not found and none_free(self, kind) or nil
end

-- Others may have what a service has claimed, but is not reached by.
local function forget_claims(self, name)
  for route, owner in pairs(self.claims) do
    if owner == name and self.reached[route] ~= name then
      self.claims[route] = nil
    end
  end
end

--- Reserves a blank backend for a service; `blank` of its configuration is then
-- the name.
-- @tparam service config
-- @tparam ?string before the one that it had before HAProxy loaded
-- @treturn ?string why there is none
function spare:reserve(config, before)
  local kind, uri = blank.fit(self.kinds, config)
  if not kind then
    return table.concat(uri, "; ")
  end
  local name = config.name
  for _, route in ipairs(routes_of(config)) do
    local other = self.claims[route]
    if other and other ~= name then
      self.is_missed = true
      return string.format(route == config.host_name and "services.%s has " ..
        "the host name %s" or "haproxy.port: services.%s listens on %s", other,
        route)
    end
  end
  local one, why = choose(self, config, kind, before)
  if not one then
    return why
  end
  if self.reserved[name] then
    forget_claims(self, name)
  end
  if one.state ~= "used" then
    one.state = "reserved"
  end
  self.reserved[name], config.blank = one, one.name
  for _, route in ipairs(routes_of(config)) do
    self.claims[route] = name
  end
  return nil
end

-- Returns how a service is reached, and at which URI it is checked.
local function facts_of(self, config, backend)
  local _, uri = blank.fit(self.kinds, config)
  return {blank = self.blanks[config.blank], backend = backend,
    routes = routes_of(config), uri = uri}
end

-- An answer that comes later does not count.
local function forget_request(self, one)
  self.asked[one.request or false], one.request, one.asked_at = nil, nil, nil
end

local function occupy(self, config, backend)
  local place = facts_of(self, config, backend)
  place.blank.state, place.blank.tenant = "used", config.name
  self.reserved[config.name], self.of[config.name] = nil, place
  forget_request(self, place.blank)
  return place
end

-- The check of a server comes before its first request.
local function tell(self, place, name)
  if place.uri then
    self.deps.set_map(self.deps.checks, place.backend, place.uri)
  end
  for _, route in ipairs(place.routes) do
    self.deps.set_map(self.deps.routes, route, place.backend)
    self.reached[route] = name
  end
end

-- Lets others have what was missed, if anything was.
local function tell_freed(self)
  if self.is_missed then
    self.is_missed = false
    self.deps.freed()
  end
end

-- Another service may be reached by a route, unless the one that had it is to
-- come back.
local function unclaim(self, route, name)
  if self.claims[route] == name and not self.reserved[name] then
    self.claims[route] = nil
    tell_freed(self)
  end
end

-- Ends what no route of the new place, if there is one, goes on with.
local function close(self, place, name, after)
  local kept = {}
  for _, route in ipairs(after and after.routes or {}) do
    kept[route] = true
  end
  for _, route in ipairs(place.routes) do
    if not kept[route] then
      if self.reached[route] == name then
        self.reached[route] = nil
        self.deps.del_map(self.deps.routes, route)
      end
      unclaim(self, route, name)
    end
  end
end

-- Logs once that backends run out.
local function watch_number(self, kind)
  local all, counts = #kind.backends, count(self, kind)
  local taken = all - counts.free
  local is_scarce = taken >= SCARCE * all
  if is_scarce and not self.is_scarce[kind] then
    self.deps.log:warning("blank backends of %s: %d of %d are taken; when " ..
      "none is left, a new service needs a reload of HAProxy", kind.name,
      taken, all)
  end
  self.is_scarce[kind] = is_scarce
end

--- Tells whether another service is still reached as this one should be.
-- @tparam service config with `blank`
-- @treturn boolean
function spare:is_taken(config)
  for _, route in ipairs(routes_of(config)) do
    local other = self.reached[route]
    if other and other ~= config.name then
      return true
    end
  end
  return false
end

--- Returns the backend in which a service is to be served.
-- @tparam service config with `blank`
-- @treturn ?string nil: HAProxy has not added it yet
function spare:prepare(config)
  local state = self.deps.own:state_of(config, self.blanks[config.blank].kind)
  if state == "asked" then
    return nil
  end
  return state == "there" and config.backend or config.blank
end

--- Gives a service the blank backend that it has reserved.
-- @tparam service config with `blank`
-- @tparam string backend what `prepare` has returned
function spare:take(config, backend)
  local place = occupy(self, config, backend)
  tell(self, place, config.name)
  self.deps.log:info("%s: is served by %s on %s", config.name, backend,
    table.concat(place.routes, " and "))
  watch_number(self, place.blank.kind)
end

--- Notes that the configuration of a service has changed.
-- @tparam service config
function spare:configure(config)
  local before = self.of[config.name]
  if before and config.blank == before.blank.name then
    local place = facts_of(self, config, before.backend)
    self.of[config.name], self.reserved[config.name] = place, nil
    local routes = table.concat(place.routes, " ")
    if routes ~= table.concat(before.routes, " ") or place.uri ~= before.uri
    then
      tell(self, place, config.name)
    end
    close(self, before, config.name, place)
  end
end

--- Closes the port of a service that leaves to new requests.
-- @tparam string name of the service
function spare:leave(name)
  local place = self.of[name]
  if place then
    place.is_leaving = true
    close(self, place, name)
  end
end

--- Gives up what a service has reserved.
-- @tparam service config with `blank`
function spare:give_up(config)
  if self.reserved[config.name] then
    unreserve(self.reserved[config.name])
    self.reserved[config.name] = nil
  end
  forget_claims(self, config.name)
end

--- Notes that a service has left, and that its slots are empty.
-- @tparam string name of the service
function spare:rest(name)
  local place = self.of[name]
  if place then
    local one = place.blank
    one.state = self.reserved[name] == one and "reserved" or "resting"
    one.is_idle = false
    self.of[name] = nil
  end
end

local function set_free(self, one)
  one.state, one.tenant = "free", nil
  self.deps.log:info("%s is blank again", one.name)
  watch_number(self, one.kind)
  tell_freed(self)
end

-- HAProxy keeps an entry that is in use, so the agent reads the table too.
local function clear(self, one)
  local now = self.deps.now()
  if not one.asked_at or now - one.asked_at > LOST then
    local request = self.deps.send(string.format(
      "clear table %s;show table", one.name))
    forget_request(self, one)
    if request then
      self.asked[request], one.request, one.asked_at = one, request, now
    end
  end
end

-- A request that came in while its port was closed shows in the second look.
local function look(self, one)
  if self.deps.sessions(one.name) > 0 then
    one.is_idle = false
  elseif not one.is_idle then
    one.is_idle = true
  elseif one.kind.has_table then
    clear(self, one)
  else
    set_free(self, one)
  end
end

--- Looks at the backends that rest.
function spare:tick()
  if not self.kinds[1] or self.deps.now() - self.looked_at < LOOK_EVERY then
    return
  end
  self.looked_at = self.deps.now()
  for _, one in pairs(self.blanks) do
    if one.state == "resting" then
      look(self, one)
    end
  end
end

-- Tells whether HAProxy says that a table is empty.
local function is_empty(answer, name)
  local prefix = "# table: " .. name .. ","
  for line in answer:gmatch("[^\n]+") do
    if line:sub(1, #prefix) == prefix then
      return line:find("used:0$") ~= nil
    end
  end
  return false
end

--- Takes an `answer` event, if it is for us.
-- @tparam table event
function spare:take_answer(event)
  local one = self.asked[event.request]
  if self.deps.own then
    self.deps.own:take_answer(event)
  end
  if not one then
    return
  end
  forget_request(self, one)
  local shown = not event.error and commands.answers(event.data)[2]
  if one.state == "resting" and shown and is_empty(shown, one.name) and
    self.deps.sessions(one.name) == 0
  then
    set_free(self, one)
  end
end

--- Reserves, while HAProxy loads, the blank backends that the services had
-- before, and marks them as used.
-- @tparam {service,...} services
-- @tparam {[string]=record} records of the snapshot, by the service's name
function spare:load(services, records)
  self:expect({})
  local later = {}
  for _, config in ipairs(services) do
    local record = config.blank and records[config.name]
    local one = record and self.blanks[record.blank or ""]
    if one and one.state == "free" then
      self:reserve(config, one.name)
    elseif config.blank then
      later[#later + 1] = config
    end
  end
  for _, config in ipairs(later) do
    self:reserve(config)
  end
  for _, config in ipairs(services) do
    if config.blank then
      for _, route in ipairs(occupy(self, config, config.blank).routes) do
        self.reached[route] = config.name
      end
    end
  end
  for _, kind in ipairs(self.kinds) do
    watch_number(self, kind)
  end
end

--- Returns the maps as they are when HAProxy loads.
-- @treturn string of the backends, by route
-- @treturn string of the URIs of checks, by backend
function spare:maps()
  local routes, checks = {}, {}
  for _, place in pairs(self.of) do
    for _, route in ipairs(place.routes) do
      routes[#routes + 1] = route .. " " .. place.blank.name .. "\n"
    end
    checks[#checks + 1] = place.uri and
      place.blank.name .. " " .. place.uri .. "\n" or nil
  end
  return table.concat(routes), table.concat(checks)
end

--- Counts the blank backends.
-- @treturn {{name,all,free,used,resting,is_scarce},...} for each kind
function spare:counts()
  local list = {}
  for i, kind in ipairs(self.kinds) do
    local counts = count(self, kind)
    list[i] = {name = kind.name, all = #kind.backends,
      free = counts.free + counts.reserved, used = counts.used,
      resting = counts.resting, is_scarce = self.is_scarce[kind] or false}
  end
  return list
end

return spare
