--- Reads `services.*.discovery`: where the instances of a service are found.
--
-- Pure.
--
-- @module synapse.config.discovery

local keys = require("synapse.keys")
local value = require("synapse.config.value")

local discovery = {}

local function read_path(report, one, place)
  local what = 'a path such as "/services/web"'
  local path = value.string(report, one, place, "^/", what)
  if path and path ~= "/" and
    ((path .. "/"):find("//", 1, true) or (path .. "/"):find("/%.%.?/") or
      path:find("[\0-\31\127]"))
  then
    value.wrong(report, place, "%s is not %s", value.shown(path), what)
  end
  return path
end

local function read_hosts(report, one, place)
  local what = 'a list of "host:port"'
  if type(one) ~= "table" or #one == 0 then
    value.wrong(report, place, one == nil and "is missing; it must be %s" or
      "is not %s", what)
    return nil
  end
  local hosts = {}
  for i, host in ipairs(one) do
    hosts[i] = value.string(report, host, string.format("%s[%d]", place, i - 1),
      "^[^%s,/]+:%d+$", '"host:port"') or ""
  end
  table.sort(hosts)
  return table.concat(hosts, ",")
end

local function read_method(report, one, place)
  local instead = keys.METHODS[one]
  if instead then
    value.wrong(report, place, "%s is not supported; %s", value.shown(one),
      instead)
    return nil
  end
  return value.string(report, one, place, "^zookeeper$",
    '"zookeeper", the only method supported')
end

local function read_decode(report, section, place)
  local object = value.object(report, section, place)
  value.keys(report, object, place, keys.DECODE)
  if object.method ~= nil and object.method ~= "nerve" then
    value.wrong(report, place .. ".method", '%s is not "nerve", the ' ..
      "only decoder supported", value.shown(object.method))
  end
end

--- Reads the section.
-- @tparam report report
-- @param section  its value
-- @tparam string place
-- @treturn table `hosts` of the ensemble ("zk1:2181,zk2:2181", sorted) and
--   `path` of the znode whose children are the instances
function discovery.read(report, section, place)
  local object = value.object(report, section, place)
  value.keys(report, object, place, keys.DISCOVERY)
  local method = read_method(report, object.method, place .. ".method")
  read_decode(report, object.decode, place .. ".decode")
  if not method then
    return {}
  end
  return {
    hosts = read_hosts(report, object.hosts, place .. ".hosts"),
    path = read_path(report, object.path, place .. ".path"),
  }
end

return discovery
