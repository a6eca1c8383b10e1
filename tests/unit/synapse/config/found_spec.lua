local cjson = require("cjson.safe")
local config = require("synapse.config.init")
local found = require("synapse.config.found")

local secrets

local function parse(discover, more)
  local whole = more or {}
  whole.discover = discover
  whole.haproxy = whole.haproxy or {bind_address = "127.0.0.5", spare = {
    web = {backends = 2, slots = 3, ports = "4000-4001",
      server_options = "check inter 1s",
      backend = {"option httpchk GET /health"}},
    raw = {mode = "tcp", backends = 1, ports = "5000"}}}
  return config.parse(cjson.encode(whole), {
    list = function() return {} end,
    read = function() return nil, "No such file or directory" end,
    secret = function(path)
      table.insert(secrets, path)
      return "secret\n"
    end,
    environment = function() return nil end,
    machine = function() return "me" end,
  })
end

local function discover(changes)
  local one = {hosts = {"zk2:1", "zk1:1/apps"}, path = "/all",
    allow = {"web-*", "api.v1"}, spare = "web", port = 80}
  for key, value in pairs(changes or {}) do
    one[key] = value
  end
  return one
end

describe("what is found", function()
  before_each(function()
    secrets = {}
  end)

  local function service(changes, port)
    local settings, errors = parse(discover(changes))
    assert(settings, errors and errors[1])
    return found.service(settings.found, "web-1", port)
  end

  local function mistakes(changes, more)
    local settings, errors = parse(discover(changes), more)
    return settings == nil and errors or {}
  end

  it("is nothing without the key", function()
    assert.is_nil(parse(nil).found)
  end)

  it("is read from the children of a path", function()
    local one = parse(discover()).found
    assert.are.same({"zk1:1,zk2:1", "/apps/all"},
      {one.source.hosts, one.source.path})
    assert.is_false(one.source.create_path)
    assert.are.same({"127.0.0.5:80", ".service", 100},
      {one.bind.text, one.suffix, one.most})
  end)

  it("is what a pattern allows, however often it has a star", function()
    local one = parse(discover({allow = {"a*b*c", "*x", "y*y"}})).found
    for name, is_allowed in pairs({abc = true, ac = false, a1b2c = true,
      abcb = false, abbc = true, x = true, ["1x"] = true, xx = true,
      y = false, yy = true, ["a.b"] = false, ab = false, acb = false,
      bc = false})
    do
      assert.are.equal(is_allowed, found.allows(one, name), name)
    end
    one = parse(discover({allow = {"*s*s*"}})).found
    for name, is_allowed in pairs({s = false, ss = true, asbsc = true}) do
      assert.are.equal(is_allowed, found.allows(one, name), name)
    end
    one = parse(discover({allow = {"*.x-*"}})).found
    for name, is_allowed in pairs({["a.x-b"] = true, axb = false,
      ["aax-b"] = false})
    do
      assert.are.equal(is_allowed, found.allows(one, name), name)
    end
    local long = parse(discover({allow = {"*-a-*-b-*-end"}})).found
    assert.is_false(found.allows(long, ("-a--b-"):rep(100000)))
  end)

  it("is what its name allows", function()
    local one = parse(discover()).found
    for name, is_allowed in pairs({["web-"] = true, ["web-x.y"] = true,
      ["api.v1"] = true, ["api_v1"] = false, ["apixv1"] = false,
      ["xweb-1"] = false, ["api.v1x"] = false, web = false})
    do
      assert.are.equal(is_allowed, found.allows(one, name), name)
    end
  end)

  it("has a name that a service can have", function()
    for _, name in ipairs({"w", "_a.b-c_1", ("x"):rep(100)}) do
      assert.is_nil(found.name_problem(name))
    end
    for _, name in ipairs({"", ".web", "-web", "a/b", "a b",
      ("x"):rep(101)})
    do
      assert.are.equal("is no name of a service ([A-Za-z0-9_.-], at most " ..
        "100); refused", found.name_problem(name))
    end
  end)

  it("is a service with the lines of its blank backends", function()
    local one = service()
    assert.are.same({"web-1", "web-1", "/apps/all/web-1/services",
      "zk1:1,zk2:1"}, {one.name, one.backend, one.path and
      one.sources[1].path, one.sources[1].hosts})
    assert.are.same({"spare-web", "web-1.service", 3, "check inter 1s"},
      {one.kind, one.host_name, one.slots, one.server_text})
    assert.are.same({{text = "mode http", place = "haproxy.spare.web"},
      {text = "option httpchk GET /health",
        place = "haproxy.spare.web.backend[0]"}}, one.lines.backend)
    assert.is_nil(one.bind)
    assert.are.same({}, one.found)
  end)

  it("is as the template says", function()
    local one = service({below = "", suffix = ".X", service = {
      max_instances = 7, discovery = {create_path = true},
      haproxy = {slots = 2, server_options = "check",
        listen = {"mode http"}}}})
    assert.are.same({"/apps/all/web-1", "web-1.x", 7, 2, "check", true},
      {one.sources[1].path, one.host_name, one.max_instances, one.slots,
        one.server_text, one.sources[1].create_path})
    assert.are.same({}, one.lines.backend)
    assert.are.equal("mode http", one.lines.listen[1].text)
  end)

  it("has only the template's lines where it has some", function()
    for _, key in ipairs({"listen", "backend", "frontend"}) do
      local lines = service({service = {haproxy = {
        [key] = {"mode http"}}}}).lines
      for _, section in ipairs({"listen", "backend", "frontend"}) do
        assert.are.equal(section == key and 1 or 0, #lines[section])
      end
    end
  end)

  it("has the port that it is to have, whether its backends have it", function()
    assert.are.equal("127.0.0.5:4001", service({}, 4001).bind.text)
    assert.are.same({port = 4001}, service({}, 4001).found)
    assert.are.equal("127.0.0.5:4002", service({}, 4002).bind.text)
  end)

  it("has the template's port unless it is to have another or none", function()
    local changes = {service = {haproxy = {port = 4000}}}
    local one = service(changes)
    assert.are.same({"127.0.0.5:4000", {}}, {one.bind.text, one.found})
    assert.are.equal("127.0.0.5:4001", service(changes, 4001).bind.text)
    one = service(changes, false)
    assert.are.same({nil, {port = false}}, {one.bind, one.found})
  end)

  it("has a password that is read once", function()
    local one = service({auth = {user = "u", password_file = "/p"}})
    assert.are.equal("u:secret", one.sources[1].auth.secret)
    assert.are.same({"/p"}, secrets)
  end)

  it("is in the root as well", function()
    assert.are.equal("/web-1", service({path = "/", below = "",
      hosts = {"zk1:1"}}).sources[1].path)
  end)

  it("has mistakes that name their place", function()
    assert.are.same({
      "discover.spare: \"raw\" is no kind of haproxy.spare with the mode " ..
        "\"http\" (there is raw, web)"}, mistakes({spare = "raw"}))
    assert.are.same({
      "discover.allow: is missing; it must be a list of names, such as " ..
        "[\"web-*\"], or [\"*\"] for all"}, mistakes({allow = cjson.null}))
    assert.are.same({
      "discover.allow[0]: \"a b\" is not a name, in which `*` stands for " ..
        "any letters",
      "discover.allow: is missing; it must be a list of names, such as " ..
        "[\"web-*\"], or [\"*\"] for all"}, mistakes({allow = {"a b"}}))
    assert.are.same({"discover.port: is missing; it must be a port (1 to " ..
      "65535)"}, mistakes({port = cjson.null}))
    assert.are.same({"discover.hosts: is missing; it must be a list of " ..
      "\"host:port\""}, mistakes({hosts = cjson.null}))
    assert.are.same({"discover.service.max_instances: 0 is not an integer " ..
      "from 1 to 100000"}, mistakes({service = {max_instances = 0}}))
    assert.are.same({
      "discover.service.discovery.path: belongs in discover.path; leave it " ..
        "out",
      "discover.service.discovery_multi: is not supported here; leave it out",
      "discover.service.haproxy.disabled: belongs in discover.allow; leave " ..
        "it out"}, mistakes({service = {discovery = {path = "/x"},
        discovery_multi = {}, haproxy = {disabled = true}}}))
  end)

  it("has a frontend whose name no service may have", function()
    local one = {discovery = {method = "zookeeper", path = "/x",
      hosts = {"zk:1"}}}
    assert.are.same({}, mistakes({}, {services = {discover = one}}))
    one.haproxy = {port = 99}
    assert.are.same({"services.discover: its frontend has the name of that " ..
      "of `discover`; give the service another name"},
      mistakes({}, {services = {discover = one}}))
  end)

  it("needs a kind of blank backends", function()
    assert.are.same({"discover.spare: \"web\" is no kind of haproxy.spare " ..
      "with the mode \"http\""}, mistakes({}, {haproxy = {}}))
  end)
end)
