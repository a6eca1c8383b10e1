--- What becomes of each key of a synapse.conf.json.
--
-- Four fates: *used*; *differs*, used in another way than airbnb's synapse
-- does; *not needed*, because the agent lives inside HAProxy and never reloads
-- it; *refused*, because leaving it out would send traffic where it must not
-- go. Any other key is unknown.
--
-- Pure data, but for `keys.sort`.
--
-- @module synapse.keys

local keys = {}

local function set(words)
  local found = {}
  for word in words:gmatch("%S+") do
    found[word] = true
  end
  return found
end

local INSTEAD = {
  conf_dir = "is not read; put its services into `services`",
  labels = "is not supported: instances that it keeps out would be used",
  port = "is not supported: instances would be reached on another port",
  only = "is not supported",
}

keys.TOP = {
  used = set("services haproxy session_timeout"),
  differs = set(""),
  not_needed = set("statsd file_output"),
  refused = {service_conf_dir = INSTEAD.conf_dir},
}

keys.HAPROXY = {
  used = set("state_file_path use_nerve_weights"),
  differs = set(""),
  not_needed = set([[global defaults extra_sections shared_frontend bind_address
    do_writes do_socket do_reloads do_checks config_file_path
    candidate_config_file_path socket_file_path check_command reload_command
    restart_interval restart_jitter state_file_ttl server_order_seed
    max_server_id]]),
  refused = {},
}

keys.SERVICE = {
  used = set([[discovery haproxy default_servers use_previous_backends
    max_instances]]),
  differs = set(""),
  not_needed = set("file_output load_test_concurrency"),
  refused = {
    discovery_multi = INSTEAD.only,
    leader_election = "is not supported: all instances would be used",
    keep_default_servers = INSTEAD.only,
    backend_port_override = INSTEAD.port,
  },
}

keys.DISCOVERY = {
  used = set("method hosts path decode"),
  differs = set(""),
  not_needed = set([[use_path_encoding retry_policy discovery_jitter
    generator_config_path]]),
  refused = {label_filter = INSTEAD.labels, label_filters = INSTEAD.labels},
}

keys.SERVICE_HAPROXY = {
  used = set("backend_name use_nerve_weights disabled server_options"),
  differs = set(""),
  not_needed = set([[port bind_address bind_options frontend backend listen
    backend_order shared_frontend cookie_value_method]]),
  refused = {server_port_override = INSTEAD.port},
}

-- A refused key that asks for nothing does no harm.
local function asks_for_nothing(value)
  return value == false or type(value) == "table" and next(value) == nil
end

--- Sorts the keys of one object by their fate.
-- @tparam table object without nulls
-- @tparam table fates one of the tables above
-- @treturn table `not_needed` and `unknown`: sorted lists of keys; `refused`:
--   a sorted list of `{key, why}`
function keys.sort(object, fates)
  local sorted = {not_needed = {}, unknown = {}, refused = {}}
  local names = {}
  for name in pairs(object) do
    names[#names + 1] = tostring(name)
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local why = fates.refused[name]
    if why and not asks_for_nothing(object[name]) then
      table.insert(sorted.refused, {name, why})
    elseif why or fates.not_needed[name] then
      table.insert(sorted.not_needed, name)
    elseif not fates.used[name] and not fates.differs[name] then
      table.insert(sorted.unknown, name)
    end
  end
  return sorted
end

return keys
