--- Reads where the instances of a service are found: `services.*.discovery` and
-- `services.*.discovery_multi`.
--
-- Pure, but for what reads the sources.
--
-- @module synapse.config.discovery

local keys = require("synapse.config.keys")
local multi = require("synapse.instances.multi")
local source = require("synapse.config.source")
local value = require("synapse.config.value")

local discovery = {}

local METHODS = {zookeeper = true, zookeeper_poll = true, base = true}
local KNOWN = '"zookeeper", "zookeeper_poll" or "base"'

local function read_method(report, one, place)
  if keys.METHODS[one] then
    value.wrong(report, place, "%s is not supported; %s", value.shown(one),
      keys.METHODS[one])
    return nil
  end
  return value.word(report, one, place,
    function(word) return METHODS[word] end, KNOWN)
end

-- Returns no source for the method `base`.
local function read_source(report, section, place, context)
  local object = value.object(report, section, place)
  value.keys(report, object, place, keys.DISCOVERY)
  local method = read_method(report, object.method, place .. ".method")
  if method and method ~= "base" then
    return source.read(report, object, place, context)
  elseif method and context.is_several then
    value.wrong(report, place .. ".method", '"base" has no instances; use ' ..
      "`default_servers` of the service")
  end
  return nil
end

local function sorted_names(object)
  local names = {}
  for name in pairs(object) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

-- A sequence has each watcher once, and all of them.
local function read_order(report, list, place, watchers)
  local order, left = {}, {}
  for name in pairs(watchers) do
    left[name] = true
  end
  for i, name in ipairs(value.list(report, list, place)) do
    if left[name] then
      order[#order + 1] = name
      left[name] = nil
    else
      value.wrong(report, string.format("%s[%d]", place, i - 1),
        "%s is no watcher, or is there twice", value.shown(name))
    end
  end
  local missing = next(left) ~= nil and sorted_names(left)
  if missing then
    value.wrong(report, place, "%s is missing; it must list every watcher",
      value.shown(missing[1]))
  end
  return order
end

local function read_resolver(report, section, place, watchers)
  local object = value.object(report, section, place)
  value.keys(report, object, place, keys.RESOLVER)
  local method = value.word(report, object.method, place .. ".method",
    multi.has, '"union" or "sequential"')
  if method ~= "sequential" then
    return method, sorted_names(watchers)
  end
  return method, read_order(report, object.sequential_order,
    place .. ".sequential_order", watchers)
end

local function read_several(report, section, place, primary, context)
  local object = value.object(report, section, place)
  value.keys(report, object, place, keys.MULTI)
  local watchers = value.object(report, object.watchers, place .. ".watchers")
  if watchers.primary ~= nil then
    value.warn(report, place .. ".watchers.primary",
      "`discovery` is the primary one, ignored")
  end
  watchers.primary = primary
  local resolver, order = read_resolver(report, object.resolver,
    place .. ".resolver", watchers)
  local sources, paths, readings = {}, {}, {}
  for i, name in ipairs(order) do
    local one = read_source(report, watchers[name],
      name == "primary" and context.place or place .. ".watchers." .. name,
      {read = context.read, port = context.port, is_several = true}) or {}
    sources[i], paths[i] = one, one.origin or ""
    readings[i] = one.read_as or ""
  end
  return {
    sources = sources, resolver = resolver,
    path = resolver and resolver .. "\n" .. table.concat(paths, "\n"),
    read_as = table.concat(readings, "\n"),
  }
end

--- Reads the sections.
-- @tparam report report
-- @tparam table object the service, without nulls
-- @tparam string place of the service
-- @tparam table context `read` and `port`, see `config.source`
-- @treturn table `sources`: a list, empty for the method `base`; `resolver`,
--   where there are several; `path`: what tells one set of sources from
--   another; `read_as`: what makes instances of their znodes
function discovery.read(report, object, place, context)
  context.place = place .. ".discovery"
  if object.discovery_multi ~= nil then
    return read_several(report, object.discovery_multi,
      place .. ".discovery_multi", object.discovery, context)
  end
  local only = read_source(report, object.discovery, context.place, context)
  return {
    sources = {only}, path = only and only.path or "",
    read_as = only and only.read_as or "",
  }
end

return discovery
