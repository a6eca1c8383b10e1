--- Reads `services.*.default_servers`: the instances without a znode.
--
-- Pure.
--
-- @module synapse.config.default_servers

local instance = require("synapse.instances.instance")
local named_server = require("synapse.instances.named_server")
local value = require("synapse.config.value")

local default_servers = {}

-- Names are allowed, because samples have "localhost" here, and because they
-- come from the configuration, not from ZooKeeper.
local function is_name(host)
  return type(host) == "string" and host:find("^[%w._-]*%a[%w._-]*$") ~= nil
end

-- A server whose name is looked up later is checked as if it had an address.
local SOMEWHERE = "127.0.0.1"

local function read_server(report, given, place, list, named)
  local fields = value.is_object(given) and value.without_nulls(given) or given
  local name = value.is_object(fields) and is_name(fields.host) and
    fields.host or nil
  if value.is_object(fields) then
    fields = named_server.with_host(fields, name and SOMEWHERE or fields.host)
    fields.weight = value.as_number(fields.weight) or fields.weight
  end
  local server, problems = instance.check(fields)
  if not server then
    value.wrong(report, place, "%s", problems)
    return
  end
  for _, problem in ipairs(problems) do
    table.insert(report.warnings, place .. "." .. problem)
  end
  if name then
    table.insert(named,
      {hosts = name .. ":1", place = place, fields = fields, key = nil})
  else
    table.insert(list, server)
  end
end

--- Reads the list.
-- @tparam report report
-- @param list     its value
-- @tparam string place
-- @treturn {instance,...} those with an address
-- @treturn {named_server,...} those with a name
function default_servers.read(report, list, place)
  local servers, named = {}, {}
  for i, given in ipairs(value.list(report, list, place)) do
    read_server(report, given, string.format("%s[%d]", place, i - 1), servers,
      named)
  end
  return servers, named
end

return default_servers
