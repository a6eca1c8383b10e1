--- Reads `services.*.default_servers`: the instances without a znode.
--
-- Pure, but for the function that resolves their names.
--
-- @module synapse.config.default_servers

local instance = require("synapse.instances.instance")
local value = require("synapse.config.value")

local default_servers = {}

-- Samples say "localhost" here, so that names are allowed: they come from the
-- configuration, not from ZooKeeper.
local function is_name(host)
  return type(host) == "string" and host:find("^[%w._-]*%a[%w._-]*$") ~= nil
end

local function resolve_host(host, resolve)
  local addresses = {}
  for text in (resolve(host .. ":1") or ""):gmatch("[^,]+") do
    addresses[#addresses + 1] = text:match("^%[?(.-)%]?:1$")
  end
  table.sort(addresses)
  return addresses[1]
end

local function read_server(report, given, place, resolve)
  local fields = value.is_object(given) and value.without_nulls(given) or given
  if value.is_object(fields) and is_name(fields.host) then
    local address = resolve_host(fields.host, resolve)
    if not address then
      value.wrong(report, place, "host: %s does not resolve to an address",
        value.shown(fields.host))
      return nil
    end
    fields.host = address
  end
  if value.is_object(fields) then
    fields.weight = value.as_number(fields.weight) or fields.weight
  end
  local server, problems = instance.check(fields)
  if not server then
    value.wrong(report, place, "%s", problems)
    return nil
  end
  for _, problem in ipairs(problems) do
    table.insert(report.warnings, place .. "." .. problem)
  end
  return server
end

--- Reads the list.
-- @tparam report report
-- @param list     its value
-- @tparam string place
-- @tparam function resolve turns "name:port" into "address:port,..." or nil
-- @treturn {instance,...}
function default_servers.read(report, list, place, resolve)
  local servers = {}
  for i, given in ipairs(value.list(report, list, place)) do
    servers[#servers + 1] = read_server(report, given,
      string.format("%s[%d]", place, i - 1), resolve)
  end
  return servers
end

return default_servers
