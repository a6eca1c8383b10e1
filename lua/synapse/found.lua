--- Serves what `discover` finds in ZooKeeper: each child of a path is a service
-- in a blank backend, if its name is allowed.
--
-- A service whose znode goes stays for a while, as after a loss of ZooKeeper's
-- data, when nerve makes it again; and then for as long as an instance passes
-- its check.
--
-- Main task, but for `load`.
--
-- @module synapse.found

local compare = require("synapse.config.compare")
local config_found = require("synapse.config.found")
local cjson = require("cjson.safe")

local found = {}
found.__index = found

-- The most allowed children that are looked at.
local MOST_CHILDREN = 10000
-- The most that are shown of those that are refused.
local MOST_SHOWN = 100
-- Seconds between two looks at services whose znodes are gone.
local LOOK_EVERY = 1

-- A decoder of our own: its limits must not change anybody else's.
local json = cjson.new()
json.decode_max_depth(4)

--- Returns what has found nothing.
-- @tparam found settings see `synapse.config.found`
-- @tparam table deps `log`; `now()`; `objection(config)`, see
--   `compare.services`; `is_checked(config)`: whether HAProxy checks its
--   servers; and what `begin` adds
-- @treturn found
function found.new(settings, deps)
  return setmetatable({
    settings = settings, deps = deps,
    path = nil,
    seen = {},     -- by name: the child, as it was read
    queue = {},    -- names to be looked at, the last one first
    is_queued = {},
    is_sorted = true,
    served = {},   -- names of the services that are served, or begin to be,
    number = 0,    -- and how many they are
    gone = {},     -- by name: since when the znode of a service is gone
    refused = {},  -- by name: why a child is not served, or not by its port
    looked_at = 0,
    is_read = nil, -- whether what there is was served, or is from a snapshot
  }, found)
end

-- Calls `try` with a port. If only the port is in the way, a service does
-- without it. Returns what `try` returned; why the service is not served; and
-- why it is not served by its port.
local function with_or_without(port, try)
  local result, why = try(port)
  if why and port ~= false then
    local other, still = try(false)
    if not still then
      return other, nil, why
    end
  end
  return result, why
end

-- A service of synapse.conf.json may have become one that is found: it was read
-- from the same path.
local function is_known(self, name, record)
  return config_found.allows(self.settings, name) and
    not config_found.name_problem(name) and (record.found ~= nil or
    record.path == config_found.service(self.settings, name).path)
end

local function load_one(self, name, record)
  local port = record.found and record.found.port
  local service, why = with_or_without(port, function(each)
    local one = config_found.service(self.settings, name, each)
    return one, self.deps.objection(one)
  end)
  if why then
    self.deps.log:warning("%s: is not served any more: %s", name, why)
  end
  return not why and service or nil
end

--- Makes the services that were served before HAProxy loaded, and are not in
-- synapse.conf.json now. While it loads.
-- @tparam {[string]=record} records of the snapshot, by the service's name
-- @tparam {[string]=true} taken the names of other services
-- @treturn {service,...} sorted by name
function found:load(records, taken)
  local names, services = {}, {}
  for name, record in pairs(records) do
    names[#names + 1] = not taken[name] and is_known(self, name, record) and
      name or nil
  end
  table.sort(names)
  for _, name in ipairs(names) do
    if #services < self.settings.most then
      services[#services + 1] = load_one(self, name, records[name])
    end
  end
  return services
end

local function mark(self, name)
  if not self.is_queued[name] then
    self.is_queued[name], self.is_sorted = true, false
    self.queue[#self.queue + 1] = name
  end
end

-- Takes the children as they are now.
local function take(self)
  local now = {}
  for _, child in ipairs(self.path:instances()) do
    now[child.key] = child
    if self.seen[child.key] ~= child then
      mark(self, child.key)
    end
  end
  for _, names in ipairs({self.seen, self.served, self.refused}) do
    for name in pairs(names) do
      if not now[name] then
        mark(self, name)
      end
    end
  end
  self.seen = now
end

-- A child's data may be anybody's: only a port is looked for.
local function port_of(data)
  local value = json.decode(data)
  local port = type(value) == "table" and value.port
  if not port or port == cjson.null then
    return nil
  end
  local number = math.type(port) and math.tointeger(port)
  if number and number >= 1 and number <= 65535 then
    return number
  end
  return nil, "port: is not a port (1 to 65535), not used"
end

local function read(name, event)
  local port, problem = port_of(event.data)
  return {data = "", problem = problem,
    instance = {key = name, znode = name, port = port}}
end

-- Of a name that cannot be that of a service nothing is read.
local function named(name)
  local problem = config_found.name_problem(name)
  return problem and {data = "", is_bad = true, problem = problem} or nil
end

local function set_served(self, name, is_served)
  self.number = self.number + (is_served and 1 or 0) -
    (self.served[name] and 1 or 0)
  self.served[name] = is_served and true or nil
end

--- Begins to look.
-- @tparam table deps `sessions`, `changes` and `by_name`: the agent's;
--   `active(backend)`: how many servers HAProxy would use, and how many
--   backups; `is_tired()`: whether this turn has lasted long enough
function found:begin(deps)
  for name, part in pairs(deps) do
    self.deps[name] = part
  end
  for name, service in pairs(deps.by_name) do
    set_served(self, name, service.deps.config.found)
  end
  self.is_read = next(self.served) ~= nil
  self.path = deps.sessions:watch(self.settings.source, {
    reader = {read = read, named = named}, like = self.settings.allow,
    max_instances = MOST_CHILDREN, most = self.settings.most,
    changed = function() take(self) end, reported = function() end,
  })
end

-- Tells of each reason once.
local function tell(self, name, why, format)
  if why and self.refused[name] ~= why then
    self.deps.log:warning("%s/%s: " .. format, self.settings.source.path, name,
      why)
  end
  self.refused[name] = why
end

local function refuse(self, name, why)
  tell(self, name, why, "is not served: %s")
end

local function is_full(self)
  return self.number >= self.settings.most
end

-- Returns the change that brings a service to what its child says, if there is
-- one, and what is in its way.
local function change_of(self, name, service, port)
  local config, errors = config_found.service(self.settings, name, port)
  if not config then
    return nil, table.concat(errors, "; ")
  end
  local before = {service and service.deps.config}
  local change = compare.services(before, {config},
    {objection = self.deps.objection, turn = function() end})[1]
  local why = change and change.reload[1] and table.concat(change.reload, "; ")
  return change, why or nil
end

local OF_FILE = "synapse.conf.json has a service of this name"
local BY_HOST = "is served by its host name only: "

-- Brings a service to what its child says.
local function serve(self, child, service)
  local name = child.key
  local coming = not service and self.deps.changes:coming(name)
  if coming and not coming.found then
    return refuse(self, name, OF_FILE)
  elseif not service and name ~= name:lower() and self.seen[name:lower()] then
    return refuse(self, name, name:lower() .. " has this host name")
  end
  if not service and not self.served[name] and is_full(self) then
    return refuse(self, name, string.format("discover.max_services allows %d",
      self.settings.most))
  end
  local change, why, no_port = with_or_without(child.port, function(port)
    return change_of(self, name, service, port)
  end)
  if change and change.config then
    self.deps.changes:also(change)
    set_served(self, name, true)
  end
  if why then
    return refuse(self, name, why)
  end
  tell(self, name, no_port and BY_HOST .. no_port, "%s")
end

-- Its servers are never found to fail where nothing checks them. Those that
-- are not preferred are HAProxy's backups.
local function is_in_use(self, service)
  local active, backups = self.deps.active(service.backend)
  return self.deps.is_checked(service.deps.config) and active + backups > 0
end

local function let_go(self, name, service)
  local since = self.gone[name] or self.deps.now()
  self.gone[name] = since
  if not service.frozen_at and
    self.deps.now() - since >= service.deps.config.guard.hold and
    not is_in_use(self, service)
  then
    self.deps.changes:also({name = name, kind = "removed", keys = {},
      reload = {}})
  end
end

-- Its znode may go while it waits for a backend.
local function is_coming(self, name)
  local coming = self.deps.changes:coming(name)
  return coming ~= nil and coming.found ~= nil
end

local function look_at(self, name)
  local child, service = self.seen[name], self.deps.by_name[name]
  if service and not service.deps.config.found then
    set_served(self, name, nil)
    if child then
      refuse(self, name, OF_FILE)
    end
  elseif service and service.is_leaving then
    return -- `forgotten` follows
  elseif child then
    self.gone[name] = nil
    serve(self, child, service)
  elseif service then
    let_go(self, name, service)
  elseif is_coming(self, name) then
    self.gone[name] = self.gone[name] or self.deps.now()
  else
    set_served(self, name, nil)
    self.gone[name] = nil
  end
  if not child then
    self.refused[name] = nil
  end
end

--- Applies as much of what was found as there is time for, in the order of the
-- names: where not all can be served, each machine serves the same ones.
function found:turn()
  if not self.is_sorted then
    table.sort(self.queue, function(a, b) return a > b end)
    self.is_sorted = true
  end
  if not self.deps.changes.is_paused then
    while self.queue[1] and not self.deps.is_tired() do
      local name = table.remove(self.queue)
      self.is_queued[name] = nil
      look_at(self, name)
    end
  end
end

--- Looks again at services whose znodes are gone.
function found:tick()
  if self.deps.now() - self.looked_at >= LOOK_EVERY then
    self.looked_at = self.deps.now()
    for name in pairs(self.gone) do
      mark(self, name)
    end
  end
end

--- Has all of it looked at again: what was in the way may not be any more.
function found:again()
  for _, names in ipairs({self.seen, self.served}) do
    for name in pairs(names) do
      mark(self, name)
    end
  end
end

--- Reads the path and its znodes again.
function found:resync()
  self.path:connected(false)
end

--- Begins again: the changes that were not applied yet are forgotten.
function found:dropped()
  for name in pairs(self.served) do
    set_served(self, name, self.deps.by_name[name])
  end
  self:again()
end

--- Notes that a service is gone: another may be served now.
-- @tparam string name
function found:forgotten(name)
  set_served(self, name, nil)
  self.gone[name] = nil
  mark(self, name)
  for each in pairs(self.refused) do
    mark(self, each)
  end
end

-- Read, or known not to be there.
local READ = {read = true, missing = true}

--- Tells whether it is not known yet which services there are.
-- @treturn boolean
function found:is_unread()
  self.is_read = self.is_read or READ[self.path.state] and
    #self.queue == 0 and self.deps.changes:are_done()
  return not self.is_read
end

--- Returns what people are to know.
-- @treturn {path,state,why,services,refused,refusals} `refused` is a list of
--   `{name,why}`, sorted by name, of the first ones; `refusals`: how many there
--   are
function found:view()
  local view = {path = self.settings.source.path, state = self.path.state,
    why = self.path.why, services = 0, refused = {}}
  for name in pairs(self.served) do
    view.services = view.services + (self.deps.by_name[name] and 1 or 0)
  end
  local names, problems = {}, {}
  for name in pairs(self.refused) do
    names[#names + 1] = name
  end
  for _, problem in ipairs(self.path:problems()) do
    problems[problem.znode] = problem.problem
    names[#names + 1] = not self.refused[problem.znode] and problem.znode or nil
  end
  table.sort(names)
  for i = 1, math.min(#names, MOST_SHOWN) do
    view.refused[i] = {name = names[i],
      why = self.refused[names[i]] or problems[names[i]]}
  end
  view.refusals = #names
  return view
end

return found
