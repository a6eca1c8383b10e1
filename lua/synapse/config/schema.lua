--- Every key of a synapse.conf.json, once.
--
-- The reader (`value.section`), "did you mean", the tables of lua/README.md and
-- synapse.conf(5) come from here, so a new key is one row. A row of a type that
-- `value.section` reads needs no other code to be read and checked.
--
-- A key of airbnb's synapse is supported; supported differently; ignored,
-- because the agent lives inside HAProxy and never reloads it; or rejected,
-- because traffic would go where it must not. Any other key is unknown.
--
-- Pure data, but for `schema.sort`, `schema.nearest` and `schema.markdown`.
--
-- @module synapse.config.schema

local schema = {}

local SUPPORTED, DIFFERS = "supported", "supported differently"
local IGNORED, REJECTED = "ignored", "rejected"

--- A key.
-- @table row
-- @tfield string key      one key, or several with the same support and text
-- @tfield ?string support    "supported" if it is left out
-- @tfield ?string type    "boolean", "number", "seconds", "integer", "string",
--   "text" (a string; a number or a boolean is what JSON writes for it), "word"
--   and "lines" are read by `value.section`; others by their own code
-- @tfield ?number low     of a number
-- @tfield ?number high    of a number
-- @tfield ?string pattern of a string
-- @tfield ?string what    the value is, for messages: of a string, a text or a
--   word, and of a number that is required
-- @tfield ?{string,...} words of a word
-- @tfield ?{[string]=string} rejected what to do instead of other words
-- @tfield default         what holds when the key is left out
-- @tfield ?string shown   the default, for people, where it is no constant
-- @tfield ?boolean required
-- @tfield ?boolean ours   not in airbnb's synapse
-- @tfield string text     what it does, or what to do instead, for people

--- The keys of one object.
-- @table section
-- @tfield string place of the object: "haproxy", "services.*"; "" is the file
-- @tfield {row,...} rows in the order in which people read them
-- @tfield {[string]=row} by_key

-- The sections in the order in which people read them.
local SECTIONS = {}
schema.SECTIONS = SECTIONS

local function section(place, rows)
  local keys = {place = place, rows = rows, by_key = {}}
  for _, row in ipairs(rows) do
    row.support = row.support or SUPPORTED
    for key in row.key:gmatch("%S+") do
      keys.by_key[key] = row
    end
  end
  SECTIONS[#SECTIONS + 1] = keys
  return keys
end

schema.TOP = section("", {
  {key = "services", type = "object", shown = "`{}`",
    text = "the services, by name"},
  {key = "service_conf_dir", type = "string", pattern = ".",
    what = "the path of a directory",
    text = "a directory with a `<service>.json` for each service. These " ..
      "replace the ones in `services`. A `*.yaml` there is an error"},
  {key = "haproxy", type = "object", text = "below"},
  {key = "discover", type = "object", shown = "none", ours = true,
    text = "[services found in ZooKeeper](#services-found-in-zookeeper); " ..
      "below"},
  {key = "file_output", type = "object", text = "below"},
  {key = "guard", type = "object", ours = true,
    text = "below; for services without a `guard` of their own"},
  {key = "lockdown", type = "boolean", default = false, ours = true,
    text = "forbids the worker to start processes (seccomp): execve, " ..
      "execveat, fork, vfork and clone fail, except for threads. Cannot be " ..
      "used with HAProxy's `external-check`"},
  {key = "session_timeout", type = "seconds", low = 1, high = 3600,
    default = 10, ours = true,
    text = "the timeout that the agent asks for. ZooKeeper may change it; " ..
      "the log has the result"},
  {key = "resync_interval", type = "seconds", low = 1, high = 86400,
    default = 600, ours = true,
    text = "how often the agent reads each list of instances again without " ..
      "a watch, and every sixth time all data. A server drops a watch " ..
      "silently if the agent may not read the znode when it fires"},
  {key = "runtime_changes", type = "boolean", default = false, ours = true,
    text = "enables the " ..
      "[commands](../haproxy/STATUS.md#on-the-stats-socket) that change " ..
      "what the agent does, on every stats socket. Otherwise they need a " ..
      "stats socket with a `name` and `level operator` or `admin`"},
  {key = "statsd", support = IGNORED, text = "the agent sends none"},
})

schema.HAPROXY = section("haproxy", {
  {key = "state_file_path", support = DIFFERS, type = "string",
    pattern = "[^/]$",
    what = "the path of a file",
    text = "the [snapshot](#the-snapshot), in a format of its own. " ..
      "HAProxy's user must be able to write to its directory. Without it " ..
      "HAProxy starts with empty backends"},
  {key = "state_file_ttl", support = DIFFERS, type = "seconds", low = 1,
    high = 1e9, default = 86400,
    text = "an older snapshot is used, with a warning, until ZooKeeper has " ..
      "answered. Then instances that only the snapshot has are removed"},
  {key = "use_nerve_weights", type = "boolean", default = false,
    text = "for services that do not set it themselves"},
  {key = "global defaults", type = "lines",
    text = "lines of these sections in [the haproxy.cfg that is " ..
      "generated](../haproxy/README.md#a-haproxycfg-from-a-synapseconfjson)"},
  {key = "extra_sections", type = "object",
    text = "more sections: lists of lines by title, written in sorted " ..
      "order. `listen NAME ADDRESS:PORT` gets a `bind` line"},
  {key = "shared_frontend", type = "lines",
    text = "lines of a frontend to which services can add theirs"},
  {key = "bind_address", type = "string", pattern = "^%S+$",
    what = "an address to listen on", default = "localhost",
    text = "for services that do not set it themselves"},
  {key = "spare", type = "object", shown = "`{}`", ours = true,
    text = "[blank backends](#new-services) for services that come while " ..
      "HAProxy runs: kinds of them, by name; below"},
  {key = "do_writes do_socket do_reloads do_checks config_file_path " ..
      "candidate_config_file_path check_command reload_command " ..
      "restart_interval restart_jitter", support = IGNORED,
    text = "the agent writes no haproxy.cfg and reloads nothing"},
  {key = "socket_file_path", support = IGNORED,
    text = "the agent has a private socket"},
  {key = "server_order_seed max_server_id", support = IGNORED,
    text = "slots keep their order and ids"},
})

schema.SPARE = section("haproxy.spare.*", {
  {key = "mode", type = "word", words = {"http", "tcp"}, default = "http",
    ours = true, text = "the mode of the frontend and of the backends"},
  {key = "backends", type = "integer", low = 1, high = 1000,
    what = "how many blank backends there are", required = true, ours = true,
    text = "how many new services can be served at the same time"},
  {key = "slots", type = "integer", low = 1, high = 10000, default = 16,
    ours = true, text = "the number of slots of each backend. A service " ..
      "that has more does not fit"},
  {key = "ports", type = "text", pattern = "^%d+%-?%d*$",
    what = "a port or a range of ports, such as \"4000-4099\"",
    shown = "none", ours = true, text = "where new services may listen, " ..
      "`\"4000-4099\"` for example, and at most 1,000 ports. A port of a " ..
      "service of the file is left out. `ports` or `sockets` must be there"},
  {key = "sockets", type = "lines", ours = true,
    text = "the paths of Unix sockets on which they may listen too, " ..
      "`[\"/run/haproxy/new-1.sock\"]` for example"},
  {key = "bind_address", type = "string", pattern = "^[^%s/]+$",
    what = "an address to listen on", shown = "that of `haproxy`",
    ours = true, text = "the address of these ports"},
  {key = "bind_options", type = "string", pattern = "^[^\r\n]*$",
    what = "the words of a `bind` line", shown = "none", ours = true,
    text = "the options of their `bind` lines"},
  {key = "server_options", type = "words of a `server` line",
    shown = "none", ours = true, text = "as of a service, and equal to " ..
      "those of the services that fit"},
  {key = "own_backends", type = "boolean", default = false, ours = true,
    text = "HAProxy adds a [backend of its own name](#new-services) for " ..
      "each new service, if it can"},
  {key = "frontend backend", type = "lines", ours = true,
    text = "lines of these sections, for all services that they serve. " ..
      "`option httpchk METHOD URI` checks each service at its own URI"},
})

schema.DISCOVER = section("discover", {
  {key = "hosts", type = "list of `host:port`", required = true, ours = true,
    text = "the ensemble, as of a service's `discovery`"},
  {key = "path", type = "path of a znode", required = true, ours = true,
    text = "the znode whose children are services, `\"/nerve/services\"` " ..
      "for example"},
  {key = "below", type = "string", pattern = "^[^/]*$",
    what = "the name of a znode", default = "services", ours = true,
    text = "the child of a service's znode that has its instances; `\"\"`: " ..
      "they are right in the service's znode"},
  {key = "allow", type = "list of names", required = true, ours = true,
    text = "the names that become services, with `*` for any letters"},
  {key = "max_services", type = "integer", low = 1, high = 1000,
    default = 100, ours = true,
    text = "how many services may be found; more are refused"},
  {key = "spare", type = "string", pattern = "^[%w_.:]+$",
    what = "the name of a kind of haproxy.spare", required = true, ours = true,
    text = "the kind of `haproxy.spare` that serves them, of the mode `http`"},
  {key = "suffix", type = "string", pattern = "^[%w_.-]*$",
    what = "the end of a host name, such as \".service\"",
    default = ".service", ours = true,
    text = "service `web` is reached as `web.service`"},
  {key = "port bind_address bind_options", type = "as of a service",
    shown = "`port` is required", ours = true,
    text = "where the frontend listens by which they are reached"},
  {key = "frontend", type = "lines", ours = true,
    text = "lines of that frontend"},
  {key = "auth", type = "object", ours = true,
    text = "[credentials](#credentials)"},
  {key = "service", type = "object", shown = "`{}`", ours = true,
    text = "what each of them is: as `services.*`, but for where it is found"},
})

schema.FILE_OUTPUT = section("file_output", {
  {key = "output_directory", type = "string", pattern = "^.",
    what = "the path of a directory", required = true,
    text = "a directory that HAProxy's user can write to, see " ..
      "[files](#files-of-the-services)"},
})

local function guard_rows()
  return {
    {key = "window", type = "seconds", low = 0.1, high = 3600, default = 10,
      ours = true, text = "the time in which removals count together, see " ..
        "[the guard](#the-guard)"},
    {key = "share", type = "number", low = 0, high = 1, default = 0.5,
      ours = true, text = "the share of its instances that a service may " ..
        "lose at once; 1: all"},
    {key = "hold", type = "seconds", low = 0, high = 86400, default = 60,
      ours = true, text = "the longest time that an instance is retained; " ..
        "0: no guard"},
  }
end

schema.GUARD = section("guard", guard_rows())

schema.SERVICE = section("services.*", {
  {key = "discovery", type = "object", required = true, text = "below"},
  {key = "discovery_multi", type = "object",
    text = "[several sources](#several-sources)"},
  {key = "haproxy", type = "object", text = "below"},
  {key = "guard", type = "object", ours = true, text = "as `guard`"},
  {key = "file_output", type = "object", text = "below"},
  {key = "default_servers", type = "list", shown = "`[]`",
    text = "`{host, port, name, weight, haproxy_server_options}`, used " ..
      "while ZooKeeper has no instance. A [name](#names-of-zookeepers-" ..
      "servers) without an address is left out until it has one"},
  {key = "keep_default_servers", type = "boolean", default = false,
    text = "true: the default servers also serve beside the instances of " ..
      "ZooKeeper"},
  {key = "use_previous_backends", type = "boolean", default = true,
    text = "without default servers, keep the last instances [while " ..
      "ZooKeeper has none](#no-instance-in-zookeeper)"},
  {key = "leader_election", support = DIFFERS, type = "boolean",
    default = false,
    text = "only the registered instance with the smallest sequence number " ..
      "serves. An instance without a sequence number or with weight 0 is " ..
      "never elected (airbnb's then uses no instance, or all)"},
  {key = "prefer", type = "object, or a list of them", ours = true,
    text = "[a preference](#prefer), or an ordered list of them"},
  {key = "subset", type = "object", shown = "all", ours = true,
    text = "[which part](#subset) of the instances this machine uses"},
  {key = "max_instances", type = "integer", low = 1, high = 100000,
    default = 1000, ours = true,
    text = "the limit for one path. Beyond it the serving instances stay " ..
      "and new ones are refused"},
  {key = "backend_port_override", support = DIFFERS, type = "integer",
    low = 1, high = 65535,
    text = "the port of every instance in ZooKeeper. Default servers keep " ..
      "theirs"},
  {key = "load_test_concurrency", support = IGNORED, text = "has no use here"},
})

-- The methods of airbnb's synapse that are rejected, and what to do instead.
local METHODS = {
  dns = "list the servers in `default_servers`",
  docker = "register the containers with nerve",
  ec2tag = "register the machines with nerve",
  marathon = "register the tasks with nerve",
  zookeeper_dns = "register addresses with nerve",
  zookeeper_dns_poll = "register addresses with nerve",
  multi = "put the sources into `discovery_multi`",
}

schema.DISCOVERY = section("services.*.discovery", {
  {key = "method", type = "word", words = {"zookeeper", "zookeeper_poll",
      "base"}, rejected = METHODS, required = true,
    text = "`base`: only the default servers. Rejected: `dns` (list the " ..
      "servers in `default_servers`), `docker`, `ec2tag`, `marathon`, " ..
      "`zookeeper_dns` (register them with nerve), `multi` (use " ..
      "`discovery_multi`)"},
  {key = "hosts", type = "list of `host:port`", required = true,
    text = "the ensemble. An entry may hold several servers with commas, " ..
      "and one entry may end in a chroot (`zk1:2181,zk2:2181/apps`), which " ..
      "is put before `path`. Services with the same hosts share a session, " ..
      "up to about 7,000 slots; beyond that there is another session"},
  {key = "path", type = "path of a znode", required = true,
    text = "the znode whose children are the instances"},
  {key = "decode", type = "object", text = "below"},
  {key = "label_filters label_filter", type = "list, or one of them",
    text = "below. An instance must pass all of them"},
  {key = "create_path", type = "boolean", default = false, ours = true,
    text = "true: the agent creates a missing path, as airbnb's always " ..
      "does. Otherwise it waits for the path with a watch"},
  {key = "auth", type = "object", ours = true,
    text = "[credentials](#credentials)"},
  {key = "discovery_jitter", support = DIFFERS, type = "0 to 120 seconds",
    shown = "0", text = "the agent reads changes at most once in this time"},
  {key = "polling_interval_sec", support = DIFFERS,
    type = "0 to 86,400 seconds", shown = "60",
    text = "for `zookeeper_poll`. The path is watched all the same, and " ..
      "the agent reads changes at most once in this time"},
  {key = "use_path_encoding", support = IGNORED,
    text = "the agent recognizes a name that carries the data"},
  {key = "retry_policy", support = IGNORED,
    text = "with all its keys: a session tries again by itself"},
  {key = "generator_config_path", support = IGNORED,
    text = "the agent reads no configuration from znodes"},
  {key = "servers nameserver check_interval image_name container_port " ..
      "tag_name tag_value aws_access_key_id aws_secret_access_key " ..
      "aws_region marathon_api_url marathon_api_path application_name " ..
      "port_index", support = IGNORED, text = "for methods that are rejected"},
})

schema.LABEL_FILTER = section("services.*.discovery.label_filters[]", {
  {key = "label", type = "string", pattern = "", what = "the name of a label",
    required = true, text = "the name of the label"},
  {key = "value", type = "string, number or boolean", required = true,
    text = "the value to compare with"},
  {key = "condition", type = "word", words = {"equals", "not-equals"},
    required = true, text = "a missing label equals nothing"},
})

schema.DECODE = section("services.*.discovery.decode", {
  {key = "method", type = "word", words = {"nerve", "serverset", "go-nerve",
      "curator"}, default = "nerve",
    text = "[the format](#the-znode) of the znodes"},
  {key = "endpoint_name", type = "string", pattern = ".",
    what = "the name of an endpoint",
    text = "for `serverset`: use this one of the `additionalEndpoints`"},
})

schema.AUTH = section("services.*.discovery.auth", {
  {key = "user", type = "string", pattern = "^[^:%c]+$",
    what = "the name of a user, without a colon", required = true, ours = true,
    text = "the user"},
  {key = "password password_file", type = "string or path", ours = true,
    shown = "one of them is required",
    text = "the password, or the path of a file that has it"},
})

schema.MULTI = section("services.*.discovery_multi", {
  {key = "watchers", type = "object", shown = "`{}`",
    text = "more `discovery` objects, by name. The name of `discovery` " ..
      "itself is `primary`"},
  {key = "resolver", type = "object", required = true, text = "below"},
})

schema.RESOLVER = section("services.*.discovery_multi.resolver", {
  {key = "method", type = "word", words = {"union", "sequential"},
    required = true, text = "see [several sources](#several-sources)"},
  {key = "sequential_order", type = "list",
    text = "for `sequential`: the name of every watcher, once"},
  {key = "s3_url", support = REJECTED,
    text = "is not supported; the order of a `sequential` resolver says " ..
      "which watcher is used"},
  {key = "s3_polling_interval_seconds", support = IGNORED,
    text = "for a method that is rejected"},
})

schema.SERVICE_HAPROXY = section("services.*.haproxy", {
  {key = "backend_name", type = "string", pattern = "^[%w_.:-]+$",
    what = "the name of a backend ([A-Za-z0-9_.:-])",
    shown = "the service's name",
    text = "the backend to fill. No two services may share one"},
  {key = "slots", type = "integer", low = 1, high = 10000, default = 16,
    ours = true, text = "the number of slots in the generated backend"},
  {key = "server_options", support = DIFFERS, type = "words of a `server` line",
    text = "if it is set, even to `\"\"`, [slots are " ..
      "added](#more-instances-than-slots) when all are used. `port " ..
      "%{port}`, `addr %{host}` and `cookie` are dropped: HAProxy does the " ..
      "first two by itself, and cookies follow the instance. Any other " ..
      "`%{...}` is an error"},
  {key = "use_nerve_weights", type = "boolean",
    shown = "that of `haproxy`", text = "true: use the [weights](#weights) " ..
      "of the znodes"},
  {key = "disabled", type = "boolean", default = false,
    text = "true: leave the service out"},
  {key = "port", type = "port, or a range in a string",
    text = "the port of the generated frontend. Without it there is no " ..
      "frontend. `null`: `bind_address` has the port"},
  {key = "bind_address bind_options", type = "strings",
    text = "the address and options of the frontend's `bind` line"},
  {key = "frontend backend shared_frontend", type = "lines",
    text = "lines of these generated sections"},
  {key = "listen", support = DIFFERS, type = "lines",
    text = "lines for the frontend and the backend. HAProxy itself decides " ..
      "which section accepts a line, not a list of keywords"},
  {key = "cookie_value_method", support = DIFFERS,
    text = "cookies are HAProxy's dynamic cookies"},
  {key = "server_port_override", support = DIFFERS,
    text = "an old name of `backend_port_override`"},
  {key = "backend_order", support = IGNORED,
    text = "the address of an instance chooses its slot"},
})

schema.PREFER = section("services.*.prefer", {
  {key = "label", type = "string", pattern = ".",
    what = "the name of a label", required = true, ours = true,
    text = "the name of a label of the instances"},
  {key = "value", type = "text", pattern = ".",
    what = "the value of the label", required = true, ours = true,
    text = "the value of the label. `${NAME}` is a variable of HAProxy's " ..
      "environment"},
  {key = "least", type = "integer", low = 1, high = 100000, default = 1,
    ours = true, text = "while fewer of the matching instances can take " ..
      "traffic, the next ones serve too"},
})

schema.SUBSET = section("services.*.subset", {
  {key = "size", type = "integer", low = 1, high = 100000,
    what = "how many instances each machine uses", required = true,
    ours = true, text = "the number of instances that this machine uses"},
  {key = "least", type = "integer, 0 to `size`", shown = "half of `size`",
    ours = true, text = "while fewer of these can take traffic, the next " ..
      "ones are used too"},
  {key = "machine", type = "text", pattern = ".",
    what = "a name that no other machine has", shown = "the host's name",
    ours = true, text = "a name that this machine keeps and no other " ..
      "machine has. `${NAME}` as above"},
  {key = "machines", type = "integer", low = 1, high = 1000000, ours = true,
    text = "how many machines use the service. The log has a warning if " ..
      "`size` is too small for that number"},
})

schema.SERVICE_GUARD = section("services.*.guard", guard_rows())

schema.SERVICE_FILE_OUTPUT = section("services.*.file_output", {
  {key = "disabled", type = "boolean", default = false,
    text = "true: no file for this service"},
})

-- A rejected key that asks for nothing does no harm.
local function asks_for_nothing(value)
  return value == false or type(value) == "table" and next(value) == nil
end

--- Sorts the keys of one object by how they are supported.
-- @tparam table object without nulls
-- @tparam section of   one of the sections above
-- @treturn table `ignored` and `unknown`: sorted lists of keys; `rejected`:
--   a sorted list of `{key, why}`
function schema.sort(object, of)
  local sorted = {ignored = {}, unknown = {}, rejected = {}}
  local names = {}
  for name in pairs(object) do
    names[#names + 1] = tostring(name)
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local row = of.by_key[name]
    if not row then
      table.insert(sorted.unknown, name)
    elseif row.support == REJECTED and not asks_for_nothing(object[name]) then
      table.insert(sorted.rejected, {name, row.text})
    elseif row.support == REJECTED or row.support == IGNORED then
      table.insert(sorted.ignored, name)
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
-- @treturn integer at least 64 if one of them is longer than that
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

--- Finds the key that is meant by one that is unknown: at most a third of its
-- letters are wrong, but for the shortest words one.
-- @tparam string word
-- @tparam section of
-- @treturn ?string
function schema.nearest(word, of)
  local best, nearest = math.max(1, #word // 3) + 1, nil
  for other, row in pairs(of.by_key) do
    local distance = LETTERS_MAX
    if (row.support == SUPPORTED or row.support == DIFFERS) and
      math.abs(#word - #other) <= best
    then
      distance = schema.distance(word, other)
    end
    if distance < best or distance == best and nearest and other < nearest then
      best, nearest = distance, other
    end
  end
  return nearest
end

local function quoted(words)
  return "`" .. words:gsub("%s+", "`, `") .. "`"
end

--- Tells what a key's value is, for people.
-- @tparam row row
-- @treturn string empty where it does not matter
function schema.type_of(row)
  if not row.type then
    return ""
  elseif row.words then
    return quoted(table.concat(row.words, " "))
  elseif row.low then
    return string.format("%s, %.14g to %.14g", row.type, row.low, row.high)
  elseif row.type == "text" then
    return "string, number or boolean"
  end
  return row.type == "lines" and "list of lines" or row.type
end

--- Tells what holds without a key, for people.
-- @tparam row row
-- @treturn string "required", or empty
function schema.default_of(row)
  if row.shown or row.required then
    return row.shown or "required"
  elseif row.default ~= nil then
    return "`" .. tostring(row.default) .. "`"
  end
  return row.type == "lines" and "`[]`" or ""
end

--- Returns the tables of lua/README.md, one for each object.
-- @treturn string
function schema.markdown()
  local lines = {}
  for _, of in ipairs(SECTIONS) do
    table.move({
      of.place == "" and "The file:" or "`" .. of.place .. "`:", "",
      "| key | type | default | support | meaning, or what to do instead |",
      "|---|---|---|---|---|",
    }, 1, 4, #lines + 1, lines)
    for _, row in ipairs(of.rows) do
      lines[#lines + 1] = string.format("| %s | %s | %s | %s | %s |",
        quoted(row.key), schema.type_of(row), schema.default_of(row),
        row.ours and "new" or row.support, row.text)
    end
    lines[#lines + 1] = ""
  end
  return table.concat(lines, "\n")
end

return schema
