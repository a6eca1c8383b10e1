--- What becomes of each key of a synapse.conf.json.
--
-- Four fates: *used*; *differs*, used in another way than airbnb's synapse
-- does; *not needed*, because the agent lives inside HAProxy and never reloads
-- it; *refused*, because leaving it out would send traffic where it must not
-- go. Any other key is unknown. The table in lua/README.md tells the same.
--
-- Pure data, but for `keys.sort`.
--
-- @module synapse.keys

local keys = {}

local function set(words)
  local found = {}
  for word in (words or ""):gmatch("%S+") do
    found[word] = true
  end
  return found
end

-- The keys of the objects at a place; `refused` says what to do instead.
local function fates(place, of)
  return {
    place = place,
    used = set(of.used),
    differs = set(of.differs),
    not_needed = set(of.not_needed),
    refused = of.refused or {},
  }
end

local INSTEAD = {
  labels = "is not supported: instances that it keeps out would be used",
  port = "is not supported: instances would be reached on another port",
  only = "is not supported",
}

keys.TOP = fates("", {
  used = [[services service_conf_dir haproxy guard session_timeout
    resync_interval]],
  not_needed = "statsd file_output",
})

keys.HAPROXY = fates("haproxy", {
  used = "use_nerve_weights",
  differs = "state_file_path",
  not_needed = [[global defaults extra_sections shared_frontend bind_address
    do_writes do_socket do_reloads do_checks config_file_path
    candidate_config_file_path socket_file_path check_command reload_command
    restart_interval restart_jitter state_file_ttl server_order_seed
    max_server_id]],
})

keys.SERVICE = fates("services.*", {
  used = [[discovery haproxy default_servers use_previous_backends guard
    max_instances]],
  not_needed = "file_output load_test_concurrency",
  refused = {
    discovery_multi = INSTEAD.only,
    leader_election = "is not supported: all instances would be used",
    keep_default_servers = INSTEAD.only,
    backend_port_override = INSTEAD.port,
  },
})

-- The methods of airbnb's synapse that are refused, and what to do instead.
keys.METHODS = {
  dns = "list the servers in `default_servers`",
  docker = "register the containers with nerve",
  ec2tag = "register the machines with nerve",
  marathon = "register the tasks with nerve",
  zookeeper_dns = "register addresses with nerve",
  zookeeper_dns_poll = "register addresses with nerve",
}

-- Those from `servers` on belong to the methods that are refused.
keys.DISCOVERY = fates("services.*.discovery", {
  used = "method hosts path decode",
  not_needed = [[use_path_encoding retry_policy discovery_jitter
    generator_config_path servers nameserver check_interval image_name
    container_port tag_name tag_value aws_access_key_id aws_secret_access_key
    aws_region marathon_api_url marathon_api_path application_name
    port_index]],
  refused = {label_filter = INSTEAD.labels, label_filters = INSTEAD.labels},
})

keys.DECODE = fates("services.*.discovery.decode", {
  used = "method",
  not_needed = "endpoint_name",
})

keys.SERVICE_HAPROXY = fates("services.*.haproxy", {
  used = "backend_name use_nerve_weights disabled",
  differs = "server_options",
  not_needed = [[port bind_address bind_options frontend backend listen
    backend_order shared_frontend cookie_value_method]],
  refused = {server_port_override = INSTEAD.port},
})

keys.GUARD = fates("guard", {used = "window share hold"})
keys.SERVICE_GUARD = fates("services.*.guard", {used = "window share hold"})

-- A refused key that asks for nothing does no harm.
local function asks_for_nothing(value)
  return value == false or type(value) == "table" and next(value) == nil
end

--- Sorts the keys of one object by their fate.
-- @tparam table object without nulls
-- @tparam table of     one of the tables above
-- @treturn table `not_needed` and `unknown`: sorted lists of keys; `refused`:
--   a sorted list of `{key, why}`
function keys.sort(object, of)
  local sorted = {not_needed = {}, unknown = {}, refused = {}}
  local names = {}
  for name in pairs(object) do
    names[#names + 1] = tostring(name)
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local why = of.refused[name]
    if why and not asks_for_nothing(object[name]) then
      table.insert(sorted.refused, {name, why})
    elseif why or of.not_needed[name] then
      table.insert(sorted.not_needed, name)
    elseif not of.used[name] and not of.differs[name] then
      table.insert(sorted.unknown, name)
    end
  end
  return sorted
end

return keys
