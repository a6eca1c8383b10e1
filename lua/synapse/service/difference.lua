--- What an instance is in ZooKeeper, what is wanted of it, and what HAProxy
-- has, side by side where these are not the same.
--
-- Pure.
--
-- @module synapse.service.difference

local difference = {}

--- One thing that differs.
-- @table difference
-- @tfield string what     "address", "weight", "maxconn" or "state"
-- @tfield ?string|integer zookeeper nil: it says nothing of it
-- @tfield ?string|integer wanted
-- @tfield ?string|integer actual    nil: nobody knows

local function place_of(server)
  local host = server.fqdn or server.host or "-"
  return string.format(host:find(":", 1, true) and "[%s]:%d" or "%s:%d", host,
    server.port)
end

local function is_elsewhere(wanted, actual)
  return wanted.port ~= actual.port or wanted.fqdn ~= actual.fqdn or
    not wanted.fqdn and wanted.host ~= actual.host
end

local function add(rows, what, zookeeper, wanted, actual)
  rows[#rows + 1] = {
    what = what, zookeeper = zookeeper, wanted = wanted, actual = actual,
  }
end

local function add_number(rows, what, zookeeper, wanted, actual)
  if wanted ~= actual or zookeeper and zookeeper ~= wanted then
    add(rows, what, zookeeper, wanted, actual)
  end
end

local function add_state(rows, instance, wanted, actual, is_retained)
  local fails = actual.check == "fails"
  if is_retained or fails or wanted ~= "ready" or actual.admin ~= "ready" then
    local registered = instance.znode and "registered" or "not registered"
    add(rows, "state", is_retained and "gone" or registered, wanted,
      actual.admin .. (fails and ", its check fails" or ""))
  end
end

--- Compares.
-- @tparam instance instance
-- @tparam ?server wanted see `service:target_of`; nil: its slot is to be empty
--   until HAProxy takes the instance
-- @tparam server actual
-- @tparam boolean is_retained whether its znode is gone
-- @treturn ?{difference,...} nil: all is the same
function difference.of(instance, wanted, actual, is_retained)
  local rows = {}
  if is_elsewhere(wanted or instance, actual) then
    add(rows, "address", instance.key, wanted and place_of(wanted),
      place_of(actual))
  end
  if wanted then
    add_number(rows, "weight", instance.weight, wanted.weight, actual.weight)
    add_number(rows, "maxconn", instance.maxconn, wanted.maxconn,
      actual.maxconn)
  end
  add_state(rows, instance, wanted and wanted.admin or "maint", actual,
    is_retained)
  return rows[1] and rows or nil
end

return difference
