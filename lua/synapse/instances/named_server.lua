--- A default server with a host name.
--
-- Pure.
--
-- @module synapse.instances.named_server

local instance = require("synapse.instances.instance")

local named_server = {}

--- A server whose name must be looked up.
-- @table named_server
-- @tfield string hosts   its name in the form for a lookup: "name:1"
-- @tfield string place   of the configuration
-- @tfield table fields   of the instance that it is
-- @tfield ?string key    of that instance, once it has an address

--- Returns the fields of an instance with another host.
-- @tparam table fields
-- @tparam string host
-- @treturn table
function named_server.with_host(fields, host)
  local copy = {}
  for key, field in pairs(fields) do
    copy[key] = field
  end
  copy.host = host
  return copy
end

-- IPv4 before IPv6.
local function is_before(a, b)
  local a_is_4, b_is_4 = a:find(":") == nil, b:find(":") == nil
  if a_is_4 ~= b_is_4 then
    return a_is_4
  end
  return a < b
end

local function first_host(addresses)
  local list = {}
  for text in addresses:gmatch("[^,]+") do
    list[#list + 1] = text:match("^%[?(.-)%]?:1$")
  end
  table.sort(list, is_before)
  return list[1]
end

--- Puts a server whose name was looked up among those of its service.
-- @tparam named_server named
-- @tparam table service as it is configured; its `default_servers` is another
--   list afterwards
-- @tparam ?string addresses "address:1,..."; nil: it has none yet
-- @treturn boolean whether the list has changed
-- @treturn ?string why it is left out
function named_server.place(named, service, addresses)
  if not addresses then
    return false
  end
  local host = first_host(addresses)
  local server, why = instance.check(named_server.with_host(named.fields, host))
  if not server then
    return false, string.format("%s: %s", named.hosts:match("^[^:]+"), why)
  elseif server.key == named.key then
    return false
  end
  local list = {}
  for _, other in ipairs(service.default_servers) do
    list[#list + 1] = other.key ~= named.key and other or nil
  end
  list[#list + 1] = server
  service.default_servers, named.key = list, server.key
  return true
end

return named_server
