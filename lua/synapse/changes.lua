--- Applies changes of the configuration to the services of an agent.
--
-- A service that changes goes on with its slots. A service that leaves is
-- forgotten when HAProxy has emptied its slots. A new service waits until no
-- other service has its name or its backend.
--
-- Main task, except for the functions that only read.
--
-- @module synapse.changes

local changes = {}
changes.__index = changes

--- Returns no changes.
-- @tparam table deps
--   `services`: the agent's list, sorted by name; `by_name`: the same;
--   `unused`: the slots of the backends that no service fills, by backend, see
--   `service:slots`; `make(config, backend, slots, record)`: returns a new
--   service;
--   `sessions`, `journal`, `sync`, `output`, `lookup`, `spare`: the agent's
--   parts;
--   `is_tired()`: whether this turn has lasted long enough;
--   `changed(service)`: called when its configuration has changed;
--   `forgotten(service)`: called when it is gone; `listed()`: called when the
--   list has changed
-- @treturn changes
function changes.new(deps)
  return setmetatable({
    deps = deps, pending = {}, has_leaving = false,
    is_paused = false,
    gone = {},   -- services that have left, by name, while others may come
    added = {},  -- those of which the journal does not know yet
    left = {},
  }, changes)
end

-- The list is sorted by name.
local function insert_service(services, service)
  local place = 1
  while services[place] and services[place].name < service.name do
    place = place + 1
  end
  table.insert(services, place, service)
end

-- Returns what the service had under another name or in another backend.
local function inheritance(self, config, backend, slots)
  local gone = self.gone[config.name] or self.gone[slots.name]
  return gone and gone:inheritance(config, backend)
end

-- Returns the backend of a service that is to be added, or nil if it has to
-- wait for it.
local function backend_of(self, config)
  if self.deps.by_name[config.name] then
    return nil
  elseif not config.blank then
    return config.backend
  end
  local spare = self.deps.spare
  return not spare:is_taken(config) and spare:prepare(config) or nil
end

-- Returns "later" if the service has to wait.
local function add(self, change)
  local deps, config = self.deps, change.config
  local backend = backend_of(self, config)
  local slots = deps.unused[backend or false]
  if not slots then
    return "later"
  end
  if config.blank then
    deps.spare:take(config, backend)
  end
  deps.lookup:add(config)
  local service = deps.make(config, backend, slots,
    inheritance(self, config, backend, slots))
  deps.unused[backend], deps.by_name[service.name] = nil, service
  insert_service(deps.services, service)
  table.insert(self.added, service)
  deps.output:want(service, config.has_file)
  deps.sessions:follow(service, {})
  deps.changed(service)
  return nil
end

-- `begin` gives the service its new configuration.
local function configure(self, service, begin, what)
  local deps, before = self.deps, service.deps.config
  begin()
  deps.output:want(service,
    service.deps.config.has_file and not service.is_leaving)
  deps.sessions:follow(service, before.sources)
  deps.lookup:remove(before)
  deps.journal:report_configured(service, what)
  deps.changed(service)
end

local function change_service(self, service, change)
  self.deps.lookup:add(change.config)
  self.deps.spare:configure(change.config)
  configure(self, service, function() service:configure(change.config) end,
    table.concat(change.keys, ", "))
end

local function remove(self, service)
  self.has_leaving = true
  self.deps.spare:leave(service.name)
  configure(self, service, function() service:leave() end, "leaving")
end

-- Forgets a service whose slots are empty. Another service may get its backend.
local function forget(self, service)
  local deps, slots = self.deps, service:slots()
  slots.name, self.gone[service.name] = service.name, service
  deps.by_name[service.name], deps.unused[service.backend] = nil, slots
  deps.sync:forget(service)
  deps.spare:rest(service.name)
  deps.forgotten(service)
end

-- Removes the services that have left from the list. Others may read the list
-- whenever HAProxy interrupts Lua.
local function take_out_those_that_left(self)
  local services, kept, left = self.deps.services, {}, {}
  local has_leaving = false
  for _, service in ipairs(services) do
    if service:has_left() and not self.deps.sync:has(service) then
      left[#left + 1] = service
      forget(self, service)
    else
      kept[#kept + 1] = service
      has_leaving = has_leaving or service.is_leaving
    end
  end
  table.move(kept, 1, #services, 1, services)
  table.move(left, 1, #left, #self.left + 1, self.left)
  self.has_leaving = has_leaving
end

-- Does one change, or returns "later". A change that was found when there were
-- other services has no effect any more.
local function apply(self, change)
  local service = self.deps.by_name[change.name]
  local is_there = service ~= nil and not service.is_leaving
  if is_there == (change.kind == "added") then
    return nil
  elseif change.kind == "removed" then
    return remove(self, service)
  elseif change.kind == "changed" then
    return change_service(self, service, change)
  end
  return add(self, change)
end

-- After an error the next turn does it first.
local function tell_of_others(self)
  if #self.added + #self.left > 0 then
    self.deps.listed()
    self.deps.journal:follow(self.added, self.left)
    self.added, self.left = {}, {}
  end
end

--- Applies as many changes as there is time for. A change that cannot be done
-- yet is tried again in each turn.
function changes:turn()
  tell_of_others(self)
  if self.has_leaving then
    take_out_those_that_left(self)
  end
  local later, done = {}, 0
  while self.pending[done + 1] and not (done > 0 and self.deps.is_tired()) do
    done = done + 1
    if apply(self, self.pending[done]) == "later" then
      later[#later + 1] = self.pending[done]
    end
  end
  self.pending = table.move(self.pending, done + 1, #self.pending, 1, {})
  table.move(later, 1, #later, #self.pending + 1, self.pending)
  tell_of_others(self)
  if not self.has_leaving and not self.is_paused and self:are_done() then
    self.gone = {}
  end
end

--- Forgets the changes that are not done yet. The caller is about to find new
-- ones, from the services as they are, and then calls `take` or `release`.
function changes:pause()
  self.pending, self.is_paused = {}, true
end

--- Ends `pause`: no other changes come.
function changes:release()
  self.is_paused = false
end

--- Takes changes, from the next turn on.
-- @tparam {change,...} list see `synapse.config.compare`
function changes:take(list)
  self.pending, self.is_paused = {}, false
  for _, change in ipairs(list) do
    if change.config or change.kind == "removed" then
      table.insert(self.pending, change)
    end
  end
end

local function find_added(self, name)
  for i, change in ipairs(self.pending) do
    if change.name == name and change.kind == "added" then
      return i
    end
  end
  return nil
end

--- Returns the service of a name that is to be added.
-- @tparam string name
-- @treturn ?service as it is configured
function changes:coming(name)
  local i = find_added(self, name)
  return i and self.pending[i].config
end

--- Takes one more change, from the next turn on. A service that is not there
-- yet comes as it was told last.
-- @tparam change change
function changes:also(change)
  local i = change.kind == "added" and find_added(self, change.name)
  self.pending[i or #self.pending + 1] = change
end

--- Tells whether all of them are applied.
-- @treturn boolean
function changes:are_done()
  return #self.pending == 0
end

--- Lists the configurations of the services, except of those that leave.
-- @treturn {service,...} sorted by name
function changes:configured()
  local list = {}
  for _, service in ipairs(self.deps.services) do
    list[#list + 1] = not service.is_leaving and service.deps.config or nil
  end
  return list
end

--- Tells whether a backend has slots.
-- @tparam string backend
-- @treturn boolean
function changes:has_slots(backend)
  if self.deps.unused[backend] then
    return true
  end
  for _, service in ipairs(self.deps.services) do
    if service.backend == backend then
      return true
    end
  end
  return false
end

return changes
