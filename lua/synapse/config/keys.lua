--- What becomes of each key of a synapse.conf.json.
--
-- Four fates: *used*; *differs*, used in another way than airbnb's synapse
-- does; *not needed*, because the agent lives inside HAProxy and never reloads
-- it; *refused*, because leaving it out would send traffic where it must not
-- go. Any other key is unknown. The table in lua/README.md tells the same.
--
-- Pure data, but for `keys.sort`.
--
-- @module synapse.config.keys

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

keys.TOP = fates("", {
  used = [[services service_conf_dir haproxy file_output guard lockdown
    session_timeout resync_interval runtime_changes]],
  not_needed = "statsd",
})

keys.HAPROXY = fates("haproxy", {
  used = [[use_nerve_weights global defaults extra_sections shared_frontend
    bind_address]],
  differs = "state_file_path state_file_ttl",
  not_needed = [[do_writes do_socket do_reloads do_checks config_file_path
    candidate_config_file_path socket_file_path check_command reload_command
    restart_interval restart_jitter server_order_seed
    max_server_id]],
})

keys.SERVICE = fates("services.*", {
  used = [[discovery discovery_multi haproxy default_servers
    keep_default_servers use_previous_backends guard max_instances
    file_output]],
  differs = "leader_election backend_port_override",
  not_needed = "load_test_concurrency",
})

-- The methods of airbnb's synapse that are refused, and what to do instead.
keys.METHODS = {
  dns = "list the servers in `default_servers`",
  docker = "register the containers with nerve",
  ec2tag = "register the machines with nerve",
  marathon = "register the tasks with nerve",
  zookeeper_dns = "register addresses with nerve",
  zookeeper_dns_poll = "register addresses with nerve",
  multi = "put the sources into `discovery_multi`",
}

-- Those from `servers` on belong to the methods that are refused.
keys.DISCOVERY = fates("services.*.discovery", {
  used = [[method hosts path decode label_filter label_filters create_path
    auth]],
  differs = "discovery_jitter polling_interval_sec",
  not_needed = [[use_path_encoding retry_policy generator_config_path servers
    nameserver check_interval image_name container_port tag_name tag_value
    aws_access_key_id aws_secret_access_key aws_region marathon_api_url
    marathon_api_path application_name port_index]],
})

keys.DECODE = fates("services.*.discovery.decode", {
  used = "method endpoint_name",
})

keys.AUTH = fates("services.*.discovery.auth", {
  used = "user password password_file",
})

keys.MULTI = fates("services.*.discovery_multi", {
  used = "watchers resolver",
})

keys.RESOLVER = fates("services.*.discovery_multi.resolver", {
  used = "method sequential_order",
  not_needed = "s3_polling_interval_seconds",
  refused = {s3_url = "is not supported; the order of a `sequential` " ..
    "resolver says which watcher is used"},
})

keys.SERVICE_HAPROXY = fates("services.*.haproxy", {
  used = [[backend_name use_nerve_weights disabled port bind_address
    bind_options frontend backend shared_frontend slots]],
  differs = [[server_options listen cookie_value_method
    server_port_override]],
  not_needed = "backend_order",
})

keys.FILE_OUTPUT = fates("file_output", {used = "output_directory"})
keys.SERVICE_FILE_OUTPUT = fates("services.*.file_output",
  {used = "disabled"})

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
