local cjson = require("cjson.safe")
local compare = require("synapse.config.compare")
local config = require("synapse.config.init")

local HOSTS = {"zk:2181"}

describe("two configurations", function()
  local objections, unread

  local function service(changes, discovery)
    local one = {discovery = {method = "zookeeper", path = "/web",
      hosts = HOSTS}}
    for key, value in pairs(discovery or {}) do
      one.discovery[key] = value
    end
    for key, value in pairs(changes or {}) do
      one[key] = value
    end
    return one
  end

  local function read(services, more)
    local whole = {services = services}
    for key, value in pairs(more or {}) do
      whole[key] = value
    end
    local made, errors = config.parse(cjson.encode(whole), {
      secret = function(path)
        return not unread and "secret" or nil, "Permission denied", true, path
      end,
    })
    return made or error(table.concat(errors, "\n"))
  end

  local function changes(before, after)
    return compare.services(read(before).services, read(after).services, {
      objection = function(one) return objections[one.name] end,
      turn = function() end,
    })
  end

  local function lines(before, after)
    local list = {}
    for i, change in ipairs(changes(before, after)) do
      list[i] = compare.line(change)
    end
    return list
  end

  before_each(function()
    objections, unread = {}, false
  end)

  it("that say the same have no change", function()
    assert.are.same({}, lines({web = service()}, {web = service()}))
  end)

  it("differ by the services that leave, and then by those that come",
    function()
      assert.are.same({"a: leaves; its slots are emptied",
        "b: is served from now on"}, lines({a = service()}, {b = service()}))
    end)

  local APPLIED = {
    ["discovery.path"] = {{}, {path = "/other"}},
    ["discovery.hosts"] = {{}, {hosts = {"other:2181"}}},
    ["discovery.decode"] = {{}, {decode = {method = "curator"}}},
    ["discovery.label_filters"] = {{}, {label_filters = {
      {label = "a", value = "b", condition = "equals"}}}},
    ["discovery.discovery_jitter"] = {{}, {discovery_jitter = 3}},
    ["discovery.create_path"] = {{}, {create_path = true}},
    ["discovery.auth"] = {{}, {auth = {user = "u", password = "p"}}},
    backend_port_override = {{backend_port_override = 81}},
    guard = {{guard = {hold = 5}}},
    prefer = {{prefer = {label = "zone", value = "a"}}},
    subset = {{subset = {size = 3, machine = "m"}}},
    leader_election = {{leader_election = true}},
    max_instances = {{max_instances = 3}},
    use_previous_backends = {{use_previous_backends = false}},
    keep_default_servers = {{keep_default_servers = true}},
    default_servers = {{default_servers = {{host = "10.0.0.1", port = 80}}}},
    ["haproxy.use_nerve_weights"] = {{haproxy = {use_nerve_weights = true}}},
    ["file_output.disabled"] = {{file_output = {disabled = true}}},
  }
  for key, after in pairs(APPLIED) do
    it("are applied where they differ by " .. key, function()
      local list = changes({web = service()},
        {web = service(table.unpack(after))})
      assert.are.equal("web: " .. key .. " applied", compare.line(list[1]))
      assert.is_nil(compare.need(list[1]))
    end)
  end

  it("of several sources are applied", function()
    local function several(path)
      return {web = service({discovery_multi = {
        resolver = {method = "union"},
        watchers = {other = {method = "zookeeper", path = path,
          hosts = HOSTS}}}})}
    end
    assert.are.same({"web: discovery applied"},
      lines(several("/a"), several("/b")))
  end)

  it("of a service that gets another number of sources are applied", function()
    local one, none = {web = service()},
      {web = service(nil, {method = "base"})}
    local several = {web = service({discovery_multi = {
      resolver = {method = "union"}}})}
    assert.are.same({"web: discovery, use_previous_backends applied"},
      lines(one, none))
    assert.are.same({"web: discovery, use_previous_backends applied"},
      lines(none, one))
    assert.are.same({"web: discovery, discovery_multi.resolver applied"},
      lines(one, several))
    assert.are.same({"web: discovery, discovery_multi.resolver applied"},
      lines(several, one))
  end)

  local KEPT = {
    ["haproxy.port, bind_address or bind_options"] = {port = 81},
    ["haproxy.frontend, backend, listen or shared_frontend"] =
      {backend = {"retries 3"}},
    ["haproxy.server_options"] = {server_options = "check"},
    ["haproxy.slots"] = {slots = 3},
  }
  for key, haproxy in pairs(KEPT) do
    it("wait for a reload where they differ by " .. key, function()
      local list = changes({web = service()},
        {web = service({haproxy = haproxy, max_instances = 7})})
      assert.is_truthy(compare.line(list[1]):find(
        "web: max_instances applied; needs a reload: " .. key ..
        ": haproxy.cfg was made with the old one", 1, true))
      assert.are.equal(7, list[1].config.max_instances)
      local before = read({web = service()}).services[1]
      for _, field in ipairs({"bind", "lines", "slots", "server_text"}) do
        assert.are.same(before[field], list[1].config[field])
      end
    end)
  end

  for key, haproxy in pairs(KEPT) do
    it("of a service in a blank backend that fits are applied: " .. key,
      function()
        local before = read({web = service()}).services
        before[1].blank = "spare-web-1"
        local function compared(why)
          return compare.services(before,
            read({web = service({haproxy = haproxy})}).services, {
              objection = function() return why end, turn = function() end,
            })[1]
        end
        local one = compared(nil)
        assert.are.equal("web: " .. key .. " applied", compare.line(one))
        assert.are.equal("spare-web-1", one.config.blank)
        assert.is_false(one.stays)
        local other = compared("haproxy.port: no")
        assert.is_nil(other.config)
        assert.are.equal("web: needs a reload: haproxy.port: no",
          compare.line(other))
        assert.is_true(other.stays)
      end)
  end

  it("keep the service where all that differs needs a reload", function()
    local list = changes({web = service()},
      {web = service({haproxy = {slots = 3}})})
    assert.is_nil(list[1].config)
    assert.are.equal(compare.need(list[1]), compare.line(list[1]))
  end)

  it("say of a new service why HAProxy cannot serve it", function()
    objections.web = "backend web is not in haproxy.cfg"
    local list = changes({}, {web = service()})
    assert.are.equal("web: needs a reload: backend web is not in haproxy.cfg",
      compare.line(list[1]))
    assert.is_nil(list[1].config)
  end)

  it("move a service to another backend: it leaves, and comes", function()
    local moved = {web = service({haproxy = {backend_name = "www"}})}
    local list = changes({web = service()}, moved)
    assert.are.same({"removed", "added"}, {list[1].kind, list[2].kind})
    objections.web = "backend www is not in haproxy.cfg"
    assert.are.same({
      "web: needs a reload: backend www is not in haproxy.cfg"},
      lines({web = service()}, moved))
    assert.is_true(changes({web = service()}, moved)[1].stays)
  end)

  it("move a service from the files to one that was found, which leaves",
    function()
      local before, after = read({web = service()}).services,
        read({web = service()}).services
      before[1].found = {}
      local function compared(why)
        local list = {}
        for i, change in ipairs(compare.services(before, after, {
          objection = function() return why end, turn = function() end}))
        do
          list[i] = compare.line(change)
        end
        return list
      end
      assert.are.same({"web: leaves; its slots are emptied",
        "web: is served from now on"}, compared())
      assert.are.same({"web: needs a reload: no room"}, compared("no room"))
    end)

  it("leave `prefer` as it was where the backend has no backups", function()
    objections.web = "no slots for backups"
    local list = changes({web = service()}, {web = service({max_instances = 7,
      prefer = {label = "zone", value = "a"}})})
    assert.are.equal("web: max_instances applied; needs a reload: no slots " ..
      "for backups", compare.line(list[1]))
    assert.are.same({}, list[1].config.prefer)
  end)

  it("leave discovery as it was where only root reads the password",
    function()
      unread = true
      local after = {web = service({max_instances = 7}, {path = "/other",
        auth = {user = "u", password_file = "/secret"}})}
      local list = changes({web = service()}, after)
      assert.are.equal("web: max_instances applied; needs a reload: " ..
        "services.web.discovery.auth.password_file: /secret: Permission " ..
        "denied; reload HAProxy", compare.line(list[1]))
      assert.are.equal("/web", list[1].config.path)
      assert.is_nil(changes({}, after)[1].config)
    end)

  it("keep what HAProxy's configuration says of a backend", function()
    local before = read({web = service()}).services
    before[1].has_fixed_weights, before[1].shares_connections = true, true
    local list = compare.services(before,
      read({web = service({max_instances = 7})}).services,
      {objection = function() end, turn = function() end})
    assert.is_true(list[1].config.has_fixed_weights)
    assert.is_true(list[1].config.shares_connections)
  end)

  it("do not differ by the address that a default server's name has got",
    function()
      local named = {web = service({default_servers = {
        {host = "localhost", port = 80}, {host = "10.0.0.1", port = 80}}})}
      local before = read(named).services
      table.insert(before[1].default_servers, {key = "127.0.0.1:80"})
      before[1].named_servers[1].key = "127.0.0.1:80"
      assert.are.same({}, compare.services(before, read(named).services,
        {turn = function() end}))
    end)

  it("differ by the name of a default server, which has no address yet",
    function()
      local function named(host)
        return {web = service({default_servers = {{host = host, port = 80}}})}
      end
      assert.are.same({"web: default_servers applied"},
        lines(named("a.b"), named("c.d")))
    end)

  it("give other work its turn before each service", function()
    local turns = 0
    compare.services({}, read({a = service(), b = service()}).services, {
      objection = function(one) return one.name .. " " .. turns end,
      turn = function() turns = turns + 1 end,
    })
    assert.are.equal(2, turns)
  end)

  it("are doubted where many services would leave, and name five", function()
    local function doubt(number)
      local services = {}
      for i = 1, number do
        services["s" .. i] = service()
      end
      return compare.doubt(read(services).services, {}):match("%(.*%)")
    end
    assert.are.equal("(s1, s2, s3, s4, s5)", doubt(5))
    assert.are.equal("(s1, s2, s3, s4, s5, ...)", doubt(6))
  end)

  local MADE = "haproxy.cfg was made with the old one; make it again with " ..
    "synapse-haproxy-cfg, and reload HAProxy"
  local SPARE = {web = {backends = 1, ports = 4000}}
  local SETTINGS = {
    {"haproxy.global or defaults, or its shared_frontend",
      {haproxy = {global = {"nbthread 2"}}}, MADE},
    {"discover", {haproxy = {spare = SPARE}, discover = {path = "/all",
      hosts = HOSTS, allow = {"*"}, spare = "web", port = 80}}},
    {"haproxy.extra_sections",
      {haproxy = {extra_sections = {["peers p"] = {}}}}, MADE},
    {"haproxy.spare", {haproxy = {spare = SPARE}}, MADE},
    {"haproxy.state_file_path", {haproxy = {state_file_path = "/state"}}},
    {"haproxy.state_file_ttl", {haproxy = {state_file_ttl = 7}}},
    {"file_output.output_directory",
      {file_output = {output_directory = "/files"}}},
    {"lockdown", {lockdown = true}},
    {"resync_interval", {resync_interval = 7}},
    {"runtime_changes", {runtime_changes = true}},
    {"session_timeout", {session_timeout = 20}},
  }
  for _, case in ipairs(SETTINGS) do
    it("need a reload where they differ by " .. case[1], function()
      local line = compare.settings(read({}), read({}, case[2]))[1]
      assert.are.equal(case[1] .. ": needs a reload: " ..
        (case[3] or "it is read when HAProxy loads"), line)
    end)
  end

  it("name the other keys that need a reload", function()
    assert.are.same({}, compare.settings(read({}), read({})))
    assert.are.same({
      "haproxy.state_file_path: needs a reload: it is read when HAProxy loads",
      "session_timeout: needs a reload: it is read when HAProxy loads"},
      compare.settings(read({}), read({}, {session_timeout = 20,
        haproxy = {state_file_path = "/state"}})))
  end)
end)
