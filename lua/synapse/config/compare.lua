--- Compares two configurations: which changes are applied while HAProxy runs,
-- and which need a reload.
--
-- Values from which haproxy.cfg was made (ports, lines, slots) stay until
-- HAProxy is reloaded. If such a value of a service has changed, the service
-- keeps the old one, and everything else is applied.
--
-- Pure.
--
-- @module synapse.config.compare

local copy = require("synapse.copy")

local compare = {}

--- What a service's new configuration means.
-- @table change
-- @tfield string name of the service
-- @tfield string kind "added", "changed" or "removed"
-- @tfield {string,...} keys those that are applied, sorted; of a "changed" one
-- @tfield {string,...} reload what needs a reload, each with the reason
-- @tfield ?service config the new configuration; nil: the service stays as it
--   is
-- @tfield boolean stays whether it keeps its backend, or the port by which a
--   blank backend is reached, although its configuration has another

-- The same words may be at another place of the configuration.
local function is_same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then
    return a == b
  end
  for key, value in pairs(a) do
    if key ~= "place" and not is_same(value, b[key]) then
      return false
    end
  end
  for key in pairs(b) do
    if a[key] == nil then
      return false
    end
  end
  return true
end

-- The key in the file, and the field that has its value.
local FIELDS = {
  {"discovery_multi.resolver", "resolver"},
  {"file_output.disabled", "has_file"},
  {"guard", "guard"},
  {"haproxy.use_nerve_weights", "use_nerve_weights"},
  {"keep_default_servers", "keep_default_servers"},
  {"leader_election", "leader_election"},
  {"max_instances", "max_instances"},
  {"subset", "subset"},
  {"use_previous_backends", "use_previous_backends"},
}

-- The fields of a service's only source.
local SOURCE = {
  {"discovery.auth", "auth"},
  {"discovery.create_path", "create_path"},
  {"discovery.discovery_jitter", "pause"},
  {"discovery.hosts", "hosts"},
  {"discovery.label_filters", "filters"},
  {"discovery.path", "path"},
}

local MADE = "haproxy.cfg was made with the old one; make it again with " ..
  "synapse-haproxy-cfg, and reload HAProxy"

-- The key, and the fields that keep their old values until a reload.
local NEEDS_RELOAD = {
  {"haproxy.port, bind_address or bind_options", {"bind"}},
  {"haproxy.frontend, backend, listen or shared_frontend", {"lines"}},
  {"haproxy.server_options", {"server_text", "server_options", "fixed"}},
  {"haproxy.slots", {"slots"}},
}

-- Facts about the backend from HAProxy's configuration, and its blank backend.
local OF_BACKEND = {"has_fixed_weights", "shares_connections", "blank"}

local function add_differing(keys, before, after, fields)
  for _, row in ipairs(fields) do
    if not is_same(before[row[2]], after[row[2]]) then
      keys[#keys + 1] = row[1]
    end
  end
end

local function differing_decode(keys, before, after)
  if before.port ~= after.port then
    keys[#keys + 1] = "backend_port_override"
  end
  if before.method ~= after.method or
    before.endpoint_name ~= after.endpoint_name
  then
    keys[#keys + 1] = "discovery.decode"
  end
end

local function differing_sources(keys, before, after)
  local one, other = before.sources, after.sources
  if #one == 1 and #other == 1 and not before.resolver and not after.resolver
  then
    add_differing(keys, one[1], other[1], SOURCE)
    differing_decode(keys, one[1].decode, other[1].decode)
  elseif not is_same(one, other) then
    keys[#keys + 1] = "discovery"
  end
end

-- A default server with a name gets its address later.
local function default_servers(service)
  local list, named, is_named = {}, {}, {}
  for i, server in ipairs(service.named_servers) do
    named[i] = {hosts = server.hosts, fields = server.fields}
    is_named[server.key or ""] = true
  end
  for _, server in ipairs(service.default_servers) do
    list[#list + 1] = not is_named[server.key] and server or nil
  end
  return {list, named}
end

-- Lists the keys that differ, without those that need a reload.
local function differing(before, after)
  local keys = {}
  add_differing(keys, before, after, FIELDS)
  differing_sources(keys, before, after)
  if not is_same(default_servers(before), default_servers(after)) then
    keys[#keys + 1] = "default_servers"
  end
  if not is_same(before.prefer, after.prefer) then
    keys[#keys + 1] = "prefer"
  end
  table.sort(keys)
  return keys
end

local function keep(config, before, fields)
  for _, field in ipairs(fields) do
    config[field] = before[field]
  end
end

local function differs(config, before, fields)
  for _, field in ipairs(fields) do
    if not is_same(config[field], before[field]) then
      return true
    end
  end
  return false
end

-- Returns the rows of the keys that need a reload, except if a blank backend
-- can serve the new values.
local function made_of(config, before)
  local rows = {}
  for _, row in ipairs(NEEDS_RELOAD) do
    rows[#rows + 1] = differs(config, before, row[2]) and row or nil
  end
  return rows
end

-- Restores the fields that need a reload. Returns the reasons. If a blank
-- backend can serve the new values, returns no reason, and the keys that are
-- applied. Returns third whether a blank backend cannot.
local function hold_back(config, before, objection)
  local reasons, keys, rows = {}, {}, made_of(config, before)
  local why = before.blank and rows[1] and objection(config)
  for i, row in ipairs(rows) do
    if before.blank and not why then
      keys[i] = row[1]
    else
      reasons[i] = not why and row[1] .. ": " .. MADE or nil
      keep(config, before, row[2])
    end
  end
  reasons[1] = why or reasons[1]
  return reasons, keys, why and true or false
end

-- Returns why the znodes of a service cannot be read by its configuration.
local function unread_secret(service)
  for _, source in ipairs(service.sources) do
    if source.auth and source.auth.needs_reload then
      return source.auth.needs_reload
    end
  end
  return nil
end

local DISCOVERY = {"sources", "resolver", "path", "read_as"}

local function hold_back_discovery(config, before, reasons)
  local why = unread_secret(config)
  if why then
    reasons[#reasons + 1] = why
    keep(config, before, DISCOVERY)
  end
end

-- `prefer` needs slots for backups, which only HAProxy's configuration has.
local function hold_back_prefer(config, before, reasons, objection)
  local why = not is_same(config.prefer, before.prefer) and objection(config)
  if why then
    reasons[#reasons + 1] = why
    config.prefer = before.prefer
  end
end

local function added(after, objection)
  local config = copy(after)
  local why = unread_secret(config) or objection(config)
  return {name = after.name, kind = "added", keys = {}, reload = {why},
    config = not why and config or nil}
end

local function removed(before)
  return {name = before.name, kind = "removed", keys = {}, reload = {}}
end

local function changed(before, after, objection)
  local config = copy(after)
  keep(config, before, OF_BACKEND)
  local reasons, made, stays = hold_back(config, before, objection)
  hold_back_discovery(config, before, reasons)
  hold_back_prefer(config, before, reasons, objection)
  local keys = differing(before, config)
  table.move(made, 1, #made, #keys + 1, keys)
  if #keys + #reasons == 0 then
    return nil
  end
  return {name = after.name, kind = "changed", keys = keys, reload = reasons,
    config = #keys > 0 and config or nil, stays = stays}
end

-- Tells whether a service of the files comes for one that was found.
local function is_another(before, after)
  return before.backend ~= after.backend or
    (before.found == nil) ~= (after.found == nil)
end

-- A service with another backend empties the old one and fills the new one.
local function add_move(leaving, others, before, after, objection)
  local change = added(after, objection)
  if change.config then
    leaving[#leaving + 1] = removed(before)
  else
    change.kind, change.stays = "changed", true
  end
  others[#others + 1] = change
end

local function by_name(services)
  local known = {}
  for _, service in ipairs(services) do
    known[service.name] = service
  end
  return known
end

--- Compares the services.
-- @tparam {service,...} before as they are now
-- @tparam {service,...} after as they are to be; changes are in their order
-- @tparam table deps `objection(config)`: why HAProxy's configuration does not
--   let such a service be served, or nil; it may say in `blank` of the
--   configuration which blank backend does; `turn()`: gives other work its turn
--   when it is time
-- @treturn {change,...} those that leave first, then the others
function compare.services(before, after, deps)
  local list, others = {}, {}
  local old, new = by_name(before), by_name(after)
  for _, service in ipairs(before) do
    list[#list + 1] = not new[service.name] and removed(service) or nil
  end
  for _, service in ipairs(after) do
    deps.turn()
    local was = old[service.name]
    if not was then
      others[#others + 1] = added(service, deps.objection)
    elseif is_another(was, service) then
      add_move(list, others, was, service, deps.objection)
    else
      others[#others + 1] = changed(was, service, deps.objection)
    end
  end
  return table.move(others, 1, #others, #list + 1, list)
end

-- This many services, and more than half of all, are not removed unless a
-- command asks for it: a directory also lacks files while it is copied or
-- mounted.
local MANY = 3
local NAMED = 5

--- Returns why a configuration is not applied unless a command asks for it.
-- @tparam {service,...} before as they are now
-- @tparam {service,...} after as they are to be
-- @treturn ?string
function compare.doubt(before, after)
  local kept, gone = by_name(after), {}
  for _, service in ipairs(before) do
    gone[#gone + 1] = not kept[service.name] and service.name or nil
  end
  if #gone < MANY or 2 * #gone <= #before then
    return nil
  end
  return string.format("%d of %d services would leave (%s%s); `synapse " ..
    "reload` or a reload of HAProxy does that", #gone, #before,
    table.concat(gone, ", ", 1, math.min(NAMED, #gone)),
    #gone > NAMED and ", ..." or "")
end

-- The keys outside of the services. All of them are fixed at load.
local SETTINGS = {
  {"haproxy.global or defaults, or its shared_frontend", "lines", MADE},
  {"discover", "discover"},
  {"haproxy.extra_sections", "extra_sections", MADE},
  {"haproxy.spare", "spare", MADE},
  {"haproxy.state_file_path", "state_file_path"},
  {"haproxy.state_file_ttl", "state_file_ttl"},
  {"file_output.output_directory", "output_directory"},
  {"lockdown", "lockdown"},
  {"resync_interval", "resync_interval"},
  {"runtime_changes", "runtime_changes"},
  {"session_timeout", "session_timeout"},
}

--- Lists the keys beside the services that differ. Each needs a reload.
-- @tparam config before as HAProxy loaded it
-- @tparam config after
-- @treturn {string,...} each with the reason
function compare.settings(before, after)
  local list = {}
  for _, row in ipairs(SETTINGS) do
    if not is_same(before[row[2]], after[row[2]]) then
      list[#list + 1] = row[1] .. ": needs a reload: " ..
        (row[3] or "it is read when HAProxy loads")
    end
  end
  return list
end

-- Returns what a change does, or nil if it does nothing.
local function done_of(change)
  if change.kind == "removed" then
    return "leaves; its slots are emptied"
  elseif not change.config then
    return nil
  elseif change.kind == "added" then
    return "is served from now on"
  end
  return table.concat(change.keys, ", ") .. " applied"
end

local function need_of(change)
  return #change.reload > 0 and "needs a reload: " ..
    table.concat(change.reload, "; ") or nil
end

--- Returns which part of a change needs a reload.
-- @tparam change change
-- @treturn ?string nil: nothing
function compare.need(change)
  local need = need_of(change)
  return need and change.name .. ": " .. need
end

--- Describes a change.
-- @tparam change change
-- @treturn string one line
function compare.line(change)
  local parts = {done_of(change)}
  parts[#parts + 1] = need_of(change)
  return change.name .. ": " .. table.concat(parts, "; ")
end

return compare
