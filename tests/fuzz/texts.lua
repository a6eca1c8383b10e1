--- Fuzz of the two files that the agent reads: whatever they hold, no error is
-- raised, and what comes back is either right in every part or a reason.
--
-- See `driver.lua` for the arguments.
local cjson = require("cjson.safe")
local binds = require("synapse.generate.binds")
local config = require("synapse.config.init")
local found = require("synapse.config.found")
local generate = require("synapse.generate.init")
local logger = require("synapse.log")
local negotiate = require("synapse.generate.negotiate")
local service = require("synapse.service.service")
local snapshot = require("synapse.snapshot.format")
local encode = dofile("tests/fake/snapshot.lua")

local driver = dofile("tests/fuzz/driver.lua")
local grammar = dofile("tests/fuzz/grammar.lua")
local mutate = dofile("tests/fuzz/mutate.lua")

local POOL = {"s1", "s2", "s3", "s4"}
local DECLARED = {}
for _, slot in ipairs(POOL) do
  DECLARED[slot] = {weight = 1, maxconn = 0}
end
local REASONS = {foreign = true, version = true, damaged = true}

local function read_file(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

local RICH = [[{
  "services": {
    "web": {
      "discovery": {"method": "zookeeper", "hosts": ["a:1", "b:65535"],
        "path": "/a/b", "decode": {"method": "nerve"}, "label_filters": [
          {"label": "az", "value": "a", "condition": "equals"}]},
      "haproxy": {"backend_name": "web.1", "use_nerve_weights": true,
        "disabled": false, "server_options": "check", "port": 80,
        "bind_options": "mss 1", "listen": ["mode http", "cookie a insert"],
        "frontend": ["bind :80-90,[::1]:5 v6only"], "backend": ["a"]},
      "default_servers": [{"host": "10.0.0.1", "port": 80, "weight": 5},
        {"host": "localhost", "port": "81", "name": "spare"}],
      "use_previous_backends": false, "max_instances": 7, "unknown": null
    },
    "api": {"discovery": {"method": "zookeeper_poll", "hosts": ["c:2"],
      "path": "/", "polling_interval_sec": 2.5, "create_path": true,
      "decode": {"method": "serverset", "endpoint_name": "http"},
      "auth": {"user": "a", "password_file": "/secret"}},
      "discovery_multi": {
        "watchers": {"other": {"method": "zookeeper", "hosts": ["d:3"],
          "path": "/b", "discovery_jitter": 9,
          "auth": {"user": "a", "password": "b"}}},
        "resolver": {"method": "sequential",
          "sequential_order": ["primary", "other"]}},
      "leader_election": true, "keep_default_servers": true,
      "backend_port_override": "8080"},
    "static": {"discovery": {"method": "base"}}
  },
  "haproxy": {"use_nerve_weights": true, "state_file_path": "/tmp/state",
    "global": ["x"], "defaults": ["mode http"],
    "extra_sections": {"listen s :80": ["bind *:80"]}, "shared_frontend": [],
    "spare": {"any": {"backends": 3, "slots": 4, "ports": "4000-4009",
      "server_options": "check", "backend": ["option httpchk GET /health"]}}},
  "discover": {"hosts": ["a:1", "b:2/apps"], "path": "/all", "below": "x",
    "allow": ["web-*", "a.b"], "max_services": 5, "spare": "any", "port": 90,
    "suffix": ".x", "frontend": ["option forwardfor"],
    "service": {"guard": {"hold": 5}, "max_instances": 9,
      "discovery": {"decode": {"method": "curator"}},
      "haproxy": {"slots": 2, "listen": ["mode http"]}}},
  "session_timeout": 2.5, "service_conf_dir": "/etc/synapse.d"
}]]

local configs = {RICH, read_file("haproxy/synapse.conf.json")}

local function checksum(text, before)
  return string.format("%016x", #text + tonumber(before or "0", 16))
end

local function check_line(_, line)
  assert(not line:find("[^\32-\126]"), "a log line holds a control character")
end

local function check_strings(list)
  local log = logger.new({write = check_line, now = os.time})
  for _, text in ipairs(list) do
    assert(type(text) == "string" and text ~= "", "a message that is none")
    log:warning("%s", text)
  end
end

local function is_string(value, pattern)
  return type(value) == "string" and value:find(pattern) ~= nil
end

local function is_integer(value, low, high)
  return math.type(value) == "integer" and value >= low and value <= high
end

local function check_labels(labels)
  for label, value in pairs(labels) do
    assert(is_string(label, "") and #label <= 255)
    assert(is_string(value, "") and #value <= 255 or
      type(value) == "number" or type(value) == "boolean")
  end
end

local function check_instance(one)
  check_labels(one.labels or {})
  assert(one.is_name and grammar.is_name(one.host) or
    grammar.is_address(one.host))
  assert(grammar.is_port(one.port))
  assert(one.key == (one.host:find(":") and "[%s]:%d" or "%s:%d")
    :format(one.host, one.port))
  assert(one.weight == nil or is_integer(one.weight, 0, 256))
  assert(one.server_weight == nil or is_integer(one.server_weight, 0, 256))
  assert(one.maxconn == nil or is_integer(one.maxconn, 1, 1000000))
  assert(one.name == nil or type(one.name) == "string" and #one.name <= 255)
  assert(one.znode == nil or type(one.znode) == "string")
  assert(one.sequence == nil or math.type(one.sequence) == "integer")
end

local FAMILIES = {nerve = 1, ["go-nerve"] = 1, serverset = 1, curator = 1}

local function check_source(one)
  assert(is_string(one.hosts, "^[^%s/]+:%d+$") and is_string(one.path, "^/") and
    not is_string(one.path, "[\0-\31\127]"))
  assert(FAMILIES[one.decode.method], "a decoder that is none")
  assert(one.decode.port == nil or is_integer(one.decode.port, 1, 65535))
  assert(one.pause >= 0 and one.pause <= 86400)
  assert(type(one.create_path) == "boolean")
  assert(one.auth == nil or is_string(one.auth.secret, "^[^:%c]+:[^%c]+$"))
  for _, each in ipairs(one.filters) do
    assert(each.condition == "equals" or each.condition == "not-equals")
    assert(is_string(each.label, "") and type(each.value) ~= "table")
  end
end

local function check_sources(one)
  for _, source in ipairs(one.sources) do
    check_source(source)
  end
  assert(#one.sources < 2 or one.resolver == "union" or
    one.resolver == "sequential")
  assert(is_string(one.path, "") and type(one.leader_election) == "boolean" and
    type(one.keep_default_servers) == "boolean")
end

local function check_config(made)
  assert(made.state_file_path == nil or is_string(made.state_file_path, "."))
  assert(type(made.session_timeout) == "number" and
    made.session_timeout >= 1 and made.session_timeout <= 3600)
  local taken = {}
  for _, one in ipairs(made.services) do
    assert(is_string(one.name, "") and is_string(one.backend, "^[%w_.:-]+$"))
    assert(not taken[one.backend], "two services fill one backend")
    taken[one.backend] = true
    check_sources(one)
    assert(type(one.use_previous_backends) == "boolean" and
      type(one.use_nerve_weights) == "boolean")
    assert(is_integer(one.max_instances, 1, 100000))
    assert(one.server_options == nil or
      is_string(one.server_options.text, "^[\32-\58\60-\126]*$"))
    for _, server in ipairs(one.default_servers) do
      check_instance(server)
    end
  end
end

-- What is found has a name that is allowed, and is a service like others.
local function check_found(made)
  local name = mutate.text(mutate.pick({"web-1", "a.b", "WEB-1"}))
  local one, mistakes = found.service(made.found, name,
    mutate.pick({4000, 4009, 5000, false}) or nil)
  assert(type(found.allows(made.found, name)) == "boolean")
  if not one then
    assert(#mistakes > 0, "refused without a reason")
    return check_strings(mistakes)
  end
  check_sources(one)
  assert(#one.sources == 1 and one.kind == made.found.kind.name)
  assert(one.host_name == one.host_name:lower())
  assert(one.bind == nil or is_string(one.bind.text, "^.+:%d+"))
end

local function resolve(host)
  return host ~= "localhost:1" and "10.9.9.9:1,[::1]:1" or nil
end

-- Either the text is bent, or a value in it.
local function bend(text)
  local document = mutate.once_in(2) and cjson.decode(text)
  if type(document) == "table" then
    mutate.document(document, cjson.decode)
  end
  return document and cjson.encode(document) or mutate.text(text)
end

local EDGES = {
  resolve = resolve,
  list = function()
    return mutate.once_in(9) and {"web.json", "api.yaml", ".json", "x"} or {}
  end,
  read = function()
    return bend('{"discovery": {"method": "zookeeper", "hosts": ["a:1"],' ..
      '"path": "/a"}}')
  end,
}

local SAID = "[ALERT]    (7) : config : parsing [/f:%d] : unknown keyword " ..
  "'a' in 'backend' section\n"

-- What is made of it has as many lines as it says, whatever was in them.
local function check_generated(made)
  local sections, notes = generate.sections(made, {config = "/c", agent = "/a"})
  local file = negotiate.new(sections, "x")
  check_strings(notes)
  check_strings(binds.overlaps(sections))
  while file:learn(mutate.text(SAID:format(math.random(1, 60))), "/f") do
    check_strings(file:verdict().notes)
  end
  local text, lines = file:text()
  local _, count = text:gsub("\n", "")
  for number in pairs(lines) do
    assert(number > 1 and number <= count, "a line that is not there")
  end
end

local function fuzz_config()
  local made, messages = config.parse(bend(mutate.pick(configs)), EDGES)
  assert(type(messages) == "table", "neither warnings nor mistakes")
  check_strings(messages)
  if made then
    check_config(made)
    check_generated(made)
    if made.found then
      check_found(made)
    end
  else
    assert(#messages > 0, "refused without a reason")
  end
end

local function random_record(name)
  local record = {found = mutate.pick({{port = 80}, {}, false}) or nil,
    name = name, path = "/" .. name, instances = {}, placed = {},
    states = {}, retained = {}, addresses = {}, departed = {}, failing = {},
    since = {}, orders = {}}
  for i = 1, math.random(0, 6) do
    local one = {host = "10.0.0." .. i, port = 80, weight = i, name = "n" .. i,
      znode = "z_000000000" .. i, sequence = i, origin = "a",
      labels = {az = "a", n = i, b = true}}
    one.key = one.host .. ":80"
    record.instances[i] = one
    record.placed["s" .. i] = one.key
    record.states[one.key] = mutate.pick({"drain", "maint", false}) or nil
    record.orders[one.key] =
      mutate.pick({{since = i, till = 60 + i, reason = "deploy"}, false}) or nil
    record.retained[one.key] = mutate.pick({i, 1e9 + i, false}) or nil
    record.departed["10.0.1." .. i .. ":80"] =
      mutate.pick({{state = "maint", till = i}, false}) or nil
  end
  return record
end

local function bent_snapshot()
  local text = encode.whole({
    encode.service(random_record("web")),
    encode.service(random_record("api")),
  }, checksum)
  if mutate.once_in(4) then
    return mutate.text(text)
  end
  local body = bend(text:match("\n(.*)$"))
  return string.format("myelin-snapshot 1 %s %d\n%s", checksum(body), #body,
    body)
end

local function check_record(name, record)
  assert(record.name == name and type(name) == "string")
  assert(type(record.path) == "string", "a path that is none")
  local keys = {}
  for _, one in ipairs(record.instances) do
    check_instance(one)
    keys[one.key] = true
  end
  -- One that has no port although its znode names one has `false`.
  assert(not record.found or not record.found.port or
    is_integer(record.found.port, 1, 65535))
  for slot, key in pairs(record.placed) do
    assert(type(slot) == "string" and keys[key], "a slot of nobody")
  end
  for key, state in pairs(record.states) do
    assert(keys[key] and (state == "maint" or state == "drain"))
  end
end

local function check_service(name, record)
  local one = service.new({
    retained_by = {}, backend = "web",
    config = {name = name, backend = "web", path = record.path,
      default_servers = {}, use_previous_backends = true,
      use_nerve_weights = true, max_instances = 1000,
      guard = {window = 10, share = 0.5, hold = 60}},
    pool = POOL, declared = DECLARED, record = record,
    sessions = function() return 0 end, now = os.time, wall = os.time,
    is_claimed = function() return false end,
    log = logger.new({write = check_line, now = os.time}),
  })
  for slot, server in pairs(one:target()) do
    assert(DECLARED[slot], "an unknown slot is filled")
    assert(grammar.is_address(server.host) and server.fqdn == nil and
      grammar.is_port(server.port) and is_integer(server.weight, 0, 256) and
      is_integer(server.maxconn, 0, 1000000))
  end
  assert(type(encode.service(one:record())) == "string")
end

local function fuzz_snapshot()
  local records, why = snapshot.decode(bent_snapshot(), checksum)
  if not records then
    assert(REASONS[why], "refused without a reason")
    return
  end
  for name, record in pairs(records) do
    check_record(name, record)
    check_service(name, record)
  end
end

driver.run("texts", function()
  for _ = 1, 50 do
    fuzz_config()
    fuzz_snapshot()
  end
end)
