--- What becomes of each key of a synapse.conf.json.
--
-- Four fates: *used*; *differs*, used in another way than airbnb's synapse
-- does; *not needed*, because the agent lives inside HAProxy and never reloads
-- it; *refused*, because leaving it out would send traffic where it must not
-- go. Any other key is unknown. The table in lua/README.md tells the same.
--
-- Pure data, but for `schema.sort` and `schema.nearest`.
--
-- @module synapse.config.schema

local schema = {}

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

schema.TOP = fates("", {
  used = [[services service_conf_dir haproxy file_output guard lockdown
    session_timeout resync_interval runtime_changes]],
  not_needed = "statsd",
})

schema.HAPROXY = fates("haproxy", {
  used = [[use_nerve_weights global defaults extra_sections shared_frontend
    bind_address]],
  differs = "state_file_path state_file_ttl",
  not_needed = [[do_writes do_socket do_reloads do_checks config_file_path
    candidate_config_file_path socket_file_path check_command reload_command
    restart_interval restart_jitter server_order_seed
    max_server_id]],
})

schema.SERVICE = fates("services.*", {
  used = [[discovery discovery_multi haproxy default_servers
    keep_default_servers use_previous_backends guard max_instances
    file_output prefer subset]],
  differs = "leader_election backend_port_override",
  not_needed = "load_test_concurrency",
})

-- The methods of airbnb's synapse that are refused, and what to do instead.
schema.METHODS = {
  dns = "list the servers in `default_servers`",
  docker = "register the containers with nerve",
  ec2tag = "register the machines with nerve",
  marathon = "register the tasks with nerve",
  zookeeper_dns = "register addresses with nerve",
  zookeeper_dns_poll = "register addresses with nerve",
  multi = "put the sources into `discovery_multi`",
}

-- Those from `servers` on belong to the methods that are refused.
schema.DISCOVERY = fates("services.*.discovery", {
  used = [[method hosts path decode label_filter label_filters create_path
    auth]],
  differs = "discovery_jitter polling_interval_sec",
  not_needed = [[use_path_encoding retry_policy generator_config_path servers
    nameserver check_interval image_name container_port tag_name tag_value
    aws_access_key_id aws_secret_access_key aws_region marathon_api_url
    marathon_api_path application_name port_index]],
})

schema.DECODE = fates("services.*.discovery.decode", {
  used = "method endpoint_name",
})

schema.AUTH = fates("services.*.discovery.auth", {
  used = "user password password_file",
})

schema.MULTI = fates("services.*.discovery_multi", {
  used = "watchers resolver",
})

schema.RESOLVER = fates("services.*.discovery_multi.resolver", {
  used = "method sequential_order",
  not_needed = "s3_polling_interval_seconds",
  refused = {s3_url = "is not supported; the order of a `sequential` " ..
    "resolver says which watcher is used"},
})

schema.SERVICE_HAPROXY = fates("services.*.haproxy", {
  used = [[backend_name use_nerve_weights disabled port bind_address
    bind_options frontend backend shared_frontend slots]],
  differs = [[server_options listen cookie_value_method
    server_port_override]],
  not_needed = "backend_order",
})

schema.FILE_OUTPUT = fates("file_output", {used = "output_directory"})
schema.SERVICE_FILE_OUTPUT = fates("services.*.file_output",
  {used = "disabled"})

schema.GUARD = fates("guard", {used = "window share hold"})
schema.SERVICE_GUARD = fates("services.*.guard", {used = "window share hold"})

schema.PREFER = fates("services.*.prefer", {used = "label value least"})
schema.SUBSET = fates("services.*.subset",
  {used = "size least machine machines"})

-- A refused key that asks for nothing does no harm.
local function asks_for_nothing(value)
  return value == false or type(value) == "table" and next(value) == nil
end

--- Sorts the keys of one object by their fate.
-- @tparam table object without nulls
-- @tparam table of     one of the tables above
-- @treturn table `not_needed` and `unknown`: sorted lists of keys; `refused`:
--   a sorted list of `{key, why}`
function schema.sort(object, of)
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

local LETTERS_MAX = 64

-- One cell: how far the first i letters of a are from the first j of b.
local function cell(rows, a, b, i, j)
  local above, row = rows[i - 1], rows[i]
  local same = a:byte(i) == b:byte(j)
  local least = math.min(above[j] + 1, row[j - 1] + 1,
    above[j - 1] + (same and 0 or 1))
  if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and
    a:byte(i - 1) == b:byte(j)
  then
    least = math.min(least, rows[i - 2][j - 2] + 1)
  end
  return least
end

--- Returns how many letters must be added, left out, replaced, or swapped with
-- the next one, to make one word of the other.
-- @tparam string a
-- @tparam string b
-- @treturn integer at least 64 where one of them is longer than that
function schema.distance(a, b)
  if #a > LETTERS_MAX or #b > LETTERS_MAX then
    return LETTERS_MAX
  end
  local rows = {[0] = {}}
  for j = 0, #b do
    rows[0][j] = j
  end
  for i = 1, #a do
    rows[i] = {[0] = i}
    for j = 1, #b do
      rows[i][j] = cell(rows, a, b, i, j)
    end
  end
  return rows[#a][#b]
end

--- Finds the word that is meant: at most a third of its letters are wrong, but
-- for the shortest words one.
-- @tparam string word
-- @tparam {[string]=boolean,...} sets of words, the keys of tables
-- @treturn ?string
function schema.nearest(word, sets)
  local best, found = math.max(1, #word // 3) + 1, nil
  for _, words in ipairs(sets) do
    for other in pairs(words) do
      local distance = math.abs(#word - #other) <= best and
        schema.distance(word, other) or LETTERS_MAX
      if distance < best or distance == best and found and other < found then
        best, found = distance, other
      end
    end
  end
  return found
end

return schema
