local discovery = require("synapse.config.discovery")
local value = require("synapse.config.value")

local FILES = {["/etc/secret"] = "s3cret\n"}

local function read(object, port)
  local report = value.report()
  local made = discovery.read(report, object, "services.web", {
    port = port,
    read = function(path) return FILES[path], "no such file" end,
  })
  assert.are.same({}, report.errors)
  return made, report.warnings
end

local function zookeeper(changes)
  local one = {method = "zookeeper", hosts = {"zk2:2181", "zk1:2181"},
    path = "/web"}
  for key, each in pairs(changes or {}) do
    one[key] = each
  end
  return one
end

local function only(changes, port)
  local made, warnings = read({discovery = zookeeper(changes)}, port)
  assert.are.equal(1, #made.sources)
  return made.sources[1], warnings
end

describe("a discovery", function()
  it("has one source with the defaults", function()
    local one = only()
    one.place, one.read_as = nil, nil
    assert.are.same({
      hosts = "zk1:2181,zk2:2181", ensemble = "zk1:2181,zk2:2181\nnil",
      path = "/web", decode = {method = "nerve"}, pause = 0,
      create_path = false, filters = {},
    }, one)
  end)

  -- Configurations that are written by programs often have the ensemble as one
  -- connect string, and a chroot in it, as ZooKeeper's own tools take it.
  it("takes a whole connect string, with a chroot", function()
    for _, hosts in ipairs({
      {"zk1:2181,zk2:2181/apps"}, {"zk2:2181", "zk1:2181/apps"},
      {"zk1:2181/apps/", "zk2:2181/apps"}, {"zk1:2181, zk2:2181/apps"},
      {"zk1:2181/apps,zk2:2181,"}, {",zk1:2181,,zk2:2181/apps, "},
    }) do
      local one = only({hosts = hosts})
      assert.are.same({"zk1:2181,zk2:2181", "/apps/web"}, {one.hosts, one.path})
    end
    assert.are.equal("/apps", only({hosts = {"zk1:2181/apps"},
      path = "/"}).path)
    assert.are.equal("/web", only({hosts = {"zk1:2181/"}}).path)
  end)

  -- airbnb's synapse does not care, and refused here these were.
  it("has a method in capitals, too", function()
    local made = read({discovery = zookeeper({method = "ZooKeeper"}),
      discovery_multi = {watchers = {}, resolver = {method = "Union"}}})
    assert.are.equal("union", made.resolver)
    assert.are.equal("zk1:2181,zk2:2181", made.sources[1].hosts)
  end)

  it("takes every port that there is", function()
    assert.are.equal("zk:1,zk:65535", only({hosts = {"zk:65535,zk:1"}}).hosts)
  end)

  it("takes an IPv6 address with a port, in brackets or not", function()
    assert.are.equal("::1:2181,[2001:db8::1]:2182",
      only({hosts = {"[2001:db8::1]:2182", "::1:2181"}}).hosts)
    assert.are.equal("[fe80::1%eth0]:2181",
      only({hosts = {"[fe80::1%eth0]:2181"}}).hosts)
  end)

  it("says how its znodes are read", function()
    local one = only({decode = {method = "serverset", endpoint_name = "http"}},
      99)
    assert.are.same({method = "serverset", endpoint_name = "http", port = 99},
      one.decode)
  end)

  it("has one filter by an old key, and a list of others", function()
    local old = {label = "a", value = "1", condition = "equals"}
    local new = {label = "b", value = 2, condition = "not-equals"}
    assert.are.same({old, new},
      only({label_filter = old, label_filters = {new}}).filters)
  end)

  local PAUSES = {
    {"without any", {}, 0},
    {"with a jitter", {discovery_jitter = 2.5}, 2.5},
    {"that polls", {method = "zookeeper_poll"}, 60},
    {"that polls often",
      {method = "zookeeper_poll", polling_interval_sec = 2.5}, 2.5},
    {"that watches, whatever it would poll", {polling_interval_sec = 9}, 0},
  }
  for _, case in ipairs(PAUSES) do
    it("reads no more often than it says, " .. case[1], function()
      assert.are.equal(case[3], only(case[2]).pause)
    end)
  end

  it("has a jitter from 0 to 120", function()
    for _, jitter in ipairs({0, 120}) do
      local one, warnings = only({discovery_jitter = jitter})
      assert.are.equal(jitter, one.pause)
      assert.are.same({}, warnings)
    end
  end)

  it("goes on without a jitter that is out of range, and says so", function()
    local one, warnings = only({discovery_jitter = 121})
    assert.are.equal(0, one.pause)
    assert.are.same({"services.web.discovery.discovery_jitter: 121 is not a " ..
      "number from 0 to 120, ignored"}, warnings)
  end)

  it("has credentials, from a file as well", function()
    local wanted = {scheme = "digest", secret = "synapse:s3cret"}
    assert.are.same(wanted,
      only({auth = {user = "synapse", password = "s3cret"}}).auth)
    assert.are.same(wanted,
      only({auth = {user = "synapse", password_file = "/etc/secret"}}).auth)
  end)

  it("shares its reads with what is read in the same way alone", function()
    local places, count = {}, 0
    for _, changes in ipairs({{}, {path = "/api"}, {hosts = {"zk3:2181"}},
      {create_path = true}, {discovery_jitter = 1},
      {decode = {method = "curator"}},
      {auth = {user = "synapse", password = "x"}}})
    do
      places[only(changes).place] = true
      count = count + 1
    end
    places[only({}, 99).place] = true
    for _ in pairs(places) do
      count = count - 1
    end
    assert.are.equal(-1, count)
    local filters = {{label = "a", value = "1", condition = "equals"}}
    assert.is_true(places[only({label_filters = filters}).place])
  end)

  it("says what makes instances of its znodes", function()
    local function read_as(changes, port)
      return read({discovery = zookeeper(changes)}, port).read_as
    end
    local serverset = {decode = {method = "serverset", endpoint_name = "a"}}
    assert.are.equal(read_as(), read_as({decode = {method = "nerve"}}))
    assert.are.equal(read_as(), read_as({discovery_jitter = 1}))
    assert.are_not.equal(read_as(), read_as(nil, 80))
    assert.are_not.equal(read_as(), read_as(serverset))
    serverset.decode.endpoint_name = "b"
    local before = read_as(serverset)
    serverset.decode.endpoint_name = "a"
    assert.are_not.equal(before, read_as(serverset))
  end)

  it("that is static has no source", function()
    assert.are.same({sources = {}, path = "", read_as = ""},
      read({discovery = {method = "base"}}))
  end)
end)

describe("several discoveries", function()
  local function several(resolver, watchers)
    return read({discovery = zookeeper(), discovery_multi = {
      resolver = resolver, watchers = watchers or
        {other = zookeeper({hosts = {"zk3:2181"}})}}})
  end

  local function hosts(made)
    return {made.sources[1].hosts, made.sources[2].hosts}
  end

  it("are a union in the order of their names", function()
    local made = several({method = "union"})
    assert.are.equal("union", made.resolver)
    assert.are.same({"zk3:2181", "zk1:2181,zk2:2181"}, hosts(made))
  end)

  it("are in that order however many they are", function()
    local watchers, paths = {}, {}
    for i = 1, 9 do
      watchers["o" .. i] = zookeeper({path = "/" .. i})
    end
    local made = several({method = "union"}, watchers)
    for i, one in ipairs(made.sources) do
      paths[i] = one.path
    end
    assert.are.equal("/1 /2 /3 /4 /5 /6 /7 /8 /9 /web",
      table.concat(paths, " "))
  end)

  it("have their misspelt keys named", function()
    local _, warnings = read({discovery = zookeeper(), discovery_multi = {
      resolver = {method = "union"}, watcher = {}}})
    assert.are.same({"services.web.discovery_multi.watcher: unknown key, " ..
      "ignored; did you mean \"watchers\"?"}, warnings)
  end)

  it("are a sequence in the order that is said", function()
    local made = several({method = "sequential",
      sequential_order = {"primary", "other"}})
    assert.are.equal("sequential", made.resolver)
    assert.are.same({"zk1:2181,zk2:2181", "zk3:2181"}, hosts(made))
  end)

  it("tell their instances apart", function()
    local made = several({method = "union"})
    assert.are.same({"zk3:2181\n/web", "zk1:2181,zk2:2181\n/web"},
      {made.sources[1].origin, made.sources[2].origin})
    assert.are.equal("union\nzk3:2181\n/web\nzk1:2181,zk2:2181\n/web",
      made.path)
  end)

  it("say what makes instances of their znodes", function()
    local function read_as(decode)
      return several({method = "union"}, {other = zookeeper({decode = decode})})
        .read_as
    end
    assert.are.equal(read_as(), read_as({method = "nerve"}))
    assert.are_not.equal(read_as(), read_as({method = "curator"}))
  end)

  it("have one primary", function()
    local made, warnings = several({method = "union"},
      {primary = zookeeper({path = "/other"})})
    assert.are.equal("/web", made.sources[1].path)
    assert.are.same({"services.web.discovery_multi.watchers.primary: " ..
      "`discovery` is the primary one, ignored"}, warnings)
  end)
end)
