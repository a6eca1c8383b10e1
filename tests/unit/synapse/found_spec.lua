local cjson = require("cjson.safe")
local config = require("synapse.config.init")
local config_found = require("synapse.config.found")
local found = require("synapse.found")
local new_clock = dofile("tests/fake/clock.lua")
local new_log = dofile("tests/fake/log.lua")

local function settings(changes)
  local discover = {hosts = {"zk:1"}, path = "/all", allow = {"web-*"},
    spare = "web", port = 80, max_services = 2,
    service = {guard = {hold = 5}}}
  for key, value in pairs(changes or {}) do
    discover[key] = value
  end
  local made, errors = config.parse(cjson.encode({discover = discover,
    haproxy = {spare = {web = {backends = 2, ports = "4000-4001",
      server_options = "check"}}}}), {
    list = function() return {} end, read = function() return nil, "no" end,
    environment = function() return nil end,
    machine = function() return "me" end,
  })
  return assert(made, errors and errors[1]).found
end

describe("services found in ZooKeeper", function()
  local clock, log, one, path, pending, by_name, active, objections, asked
  local backups, is_checked, taken

  -- Returns what the snapshot has of a service that is read where a found one
  -- of a name is.
  local function same_path(name)
    return config_found.service(settings(), name).path
  end

  local function begin(changes)
    one = found.new(settings(changes), {log = log, now = clock.now,
      is_checked = function(service)
        return is_checked and service.found ~= nil
      end,
      objection = function(service)
        return objections[service.name] or
          service.bind and taken[service.bind.text]
      end})
    one:begin({
      by_name = by_name, is_tired = function() return false end,
      active = function(backend)
        return active[backend] or 0, backups
      end,
      changes = {is_paused = false, also = function(_, change)
        table.insert(pending, change)
      end, are_done = function() return not pending[1] end,
      coming = function(_, name)
        for _, change in ipairs(pending) do
          if change.name == name and change.kind == "added" then
            return change.config
          end
        end
      end},
      sessions = {watch = function(_, source, deps)
        asked = deps
        path.source = source
        return path
      end},
    })
  end

  before_each(function()
    clock, log = new_clock(), new_log()
    pending, by_name, active, objections = {}, {}, {}, {}
    backups, is_checked, taken = 0, true, {}
    path = {list = {}, state = "read", bad = {}}
    function path:instances() return self.list end
    function path:problems() return self.bad end
    begin()
  end)

  -- The children of the path from now on; a name, or a name and its port.
  local function children(...)
    path.list = {}
    for i, each in ipairs({...}) do
      local name, port = table.unpack(type(each) == "table" and each or {each})
      path.list[i] = {key = name, port = port}
    end
    asked.changed()
    one:turn()
  end

  -- Does what is pending as the agent would; returns what it was.
  local function apply()
    local done = {}
    for i, change in ipairs(pending) do
      done[i] = change.kind .. " " .. change.name
      by_name[change.name] = change.kind ~= "removed" and {
        backend = "b-" .. change.name, deps = {config = change.config}} or nil
      if change.kind == "removed" then
        one:forgotten(change.name)
      end
    end
    pending = {}
    table.sort(done)
    return done
  end

  local function pass(seconds)
    clock.pass(seconds)
    one:tick()
    one:turn()
  end

  it("come", function()
    children("web-1", "web-2")
    assert.are.same({"added web-1", "added web-2"}, apply())
    assert.are.equal("web-1.service", by_name["web-1"].deps.config.host_name)
    assert.are.same({path = "/all", state = "read", services = 2,
      refused = {}, refusals = 0}, one:view())
    children("web-1", "web-2")
    assert.are.same({}, apply())
  end)

  it("change their ports", function()
    children("web-1")
    apply()
    by_name["web-1"].deps.config.blank = "spare-web-1"
    objections["web-1"] = "cannot"
    children({"web-1", 4001})
    assert.are.same({}, apply())
    assert.are.same({{name = "web-1", why = "is served by its host name " ..
      "only: cannot"}}, one:view().refused)
    objections["web-1"] = nil
    children({"web-1", 4000})
    assert.are.same({"changed web-1"}, apply())
    assert.are.same({}, one:view().refused)
  end)

  it("are served by their hosts where their ports are taken", function()
    taken["127.0.0.1:4001"] = "web-2 listens there"
    children({"web-1", 4001}, {"web-2", 4000})
    assert.are.same({"added web-1", "added web-2"}, apply())
    local service = by_name["web-1"].deps.config
    assert.are.same({nil, {port = false}}, {service.bind, service.found})
    local why = "is served by its host name only: web-2 listens there"
    assert.are.same({{name = "web-1", why = why}}, one:view().refused)
    assert.are.equal(1, log.count("/all/web-1: " .. why))
    service.blank = "b"
    one:again()
    one:turn()
    assert.are.same({}, apply())
    taken = {}
    one:again()
    one:turn()
    assert.are.same({"changed web-1"}, apply())
    one:again()
    one:turn()
    assert.are.same({}, apply())
    service = by_name["web-1"].deps.config
    assert.are.same({"127.0.0.1:4001", {port = 4001}},
      {service.bind.text, service.found})
    assert.are.same({}, one:view().refused)
    assert.are.equal(1, log.count("web-1"))
  end)

  it("give up the ports that they had for ports that are taken", function()
    children({"web-1", 4000})
    apply()
    by_name["web-1"].deps.config.blank = "b"
    taken["127.0.0.1:4001"] = "web-2 listens there"
    children({"web-1", 4001})
    assert.are.same({"changed web-1"}, apply())
    assert.is_nil(by_name["web-1"].deps.config.bind)
  end)

  it("are refused where there is no room, and served when there is", function()
    objections["web-1"] = "no blank backend"
    children("web-1", "web-2", "web-3", "web-4")
    assert.are.same({"added web-2", "added web-3"}, apply())
    local refused = one:view().refused
    assert.are.same({"web-1", "no blank backend"},
      {refused[1].name, refused[1].why})
    assert.are.equal("discover.max_services allows 2", refused[2].why)
    objections["web-1"] = nil
    one:again()
    one:turn()
    assert.are.equal("discover.max_services allows 2",
      one:view().refused[1].why)
    assert.are.equal(1, log.count("/all/web-1: is not served: no blank"))
    assert.are.same({}, apply())
  end)

  it("come although a change of the configuration came first", function()
    children("web-1", "web-2")
    pending = {}
    one:dropped()
    one:turn()
    assert.are.same({"added web-1", "added web-2"}, apply())
    assert.are.same({}, one:view().refused)
  end)

  it("come by their names after a change of the configuration", function()
    children("web-1", "web-2")
    pending = {}
    one:dropped()
    children("web-0", "web-1", "web-2")
    assert.are.same({"added web-0", "added web-1"}, apply())
  end)

  -- It came after its znode had gone, and stayed for ever.
  it("leave if their znodes go before they have come", function()
    children("web-1")
    children()
    pass(2)
    assert.are.same({"added web-1"}, apply())
    pass(4)
    assert.are.same({"removed web-1"}, apply())
    assert.are.equal(0, one:view().services)
  end)

  it("are not those whose coming had no effect", function()
    children("web-1", "web-2")
    pending = {}
    children("web-3", "web-4")
    assert.are.same({"added web-3", "added web-4"}, apply())
  end)

  it("come with what their znode says last", function()
    children("web-1", "web-2")
    children({"web-1", 4000}, "web-2")
    assert.are.equal("web-1", pending[3].name)
    assert.are.equal(4000, pending[3].config.found.port)
    assert.are.same({}, one:view().refused)
  end)

  it("leave when their znode is gone for long and nothing answers", function()
    children("web-1")
    apply()
    active["b-web-1"] = 1
    children()
    pass(6)
    assert.are.same({}, apply())
    active["b-web-1"] = 0
    pass(1)
    assert.are.same({"removed web-1"}, apply())
    assert.are.equal(0, one:view().services)
  end)

  it("stay while only backups answer, or somebody has frozen them", function()
    children("web-1")
    apply()
    children()
    backups = 1
    pass(6)
    assert.are.same({}, apply())
    backups, by_name["web-1"].frozen_at = 0, 1
    pass(6)
    assert.are.same({}, apply())
    by_name["web-1"].frozen_at = nil
    pass(1)
    assert.are.same({"removed web-1"}, apply())
  end)

  it("stay for a while, whether anything answers or not", function()
    children("web-1")
    apply()
    children()
    pass(4)
    assert.are.same({}, apply())
    children("web-1")
    pass(4)
    children()
    pass(4)
    assert.are.same({}, apply())
    pass(1)
    assert.are.same({"removed web-1"}, apply())
  end)

  it("leave after a while where nothing is checked", function()
    is_checked = false
    active["b-web-1"] = 1
    children("web-1")
    apply()
    children()
    pass(6)
    assert.are.same({"removed web-1"}, apply())
  end)

  it("leave room for others", function()
    children("web-1", "web-2", "web-3")
    apply()
    children("web-3", "web-1")
    pass(6)
    local left = apply()
    one:turn()
    for _, change in ipairs(apply()) do
      left[#left + 1] = change
    end
    assert.are.equal(2, one:view().services)
    assert.is_not_nil(by_name["web-1"] and by_name["web-3"])
  end)

  it("are read again when that is asked", function()
    local read
    function path.connected(_, is_live) read = not is_live end
    one:resync()
    assert.is_true(read)
  end)

  it("are known once the first ones are there", function()
    path.state = "new"
    assert.is_true(one:is_unread())
    path.state = "missing"
    assert.is_false(one:is_unread())
    begin()
    path.state = "read"
    children("web-1")
    assert.is_true(one:is_unread())
    apply()
    assert.is_false(one:is_unread())
    path.state = "error -102"
    assert.is_false(one:is_unread())
    begin()
    assert.is_false(one:is_unread())
  end)

  it("do not take the name of another service", function()
    by_name["web-1"] = {backend = "web-1", deps = {config = {}}}
    begin()
    assert.are.equal(0, one:view().services)
    children("web-1")
    assert.are.same({}, apply())
    assert.are.same({{name = "web-1",
      why = "synapse.conf.json has a service of this name"}},
      one:view().refused)
    by_name["web-1"] = nil
    one:forgotten("web-1")
    one:turn()
    assert.are.same({"added web-1"}, apply())
  end)

  -- On a HAProxy that starts without a snapshot it would be the first by name.
  it("do not take the host name of one in lower case", function()
    begin({allow = {"*"}})
    children("WEB-1", "web-1")
    assert.are.same({"added web-1"}, apply())
    assert.are.same({{name = "WEB-1", why = "web-1 has this host name"}},
      one:view().refused)
    children("WEB-1")
    assert.are.same({"added WEB-1"}, apply())
  end)

  it("do not come before a service of that name that is to come", function()
    pending = {{name = "web-1", kind = "added", config = {}}}
    children("web-1")
    assert.are.equal(1, #pending)
    assert.are.equal("synapse.conf.json has a service of this name",
      one:view().refused[1].why)
  end)

  it("wait for a change of the configuration, and are served then", function()
    one.deps.changes.is_paused = true
    children("web-1")
    assert.are.same({}, apply())
    one.deps.changes.is_paused = false
    one:turn()
    assert.are.same({"added web-1"}, apply())
  end)

  it("make room for others when they are in the configuration", function()
    children("web-1", "web-2")
    apply()
    by_name["web-1"] = {backend = "web-1", deps = {config = {}}}
    one:again()
    one:turn()
    assert.are.equal(1, one:view().services)
    children("web-1", "web-2", "web-3")
    assert.are.same({"added web-3"}, apply())
  end)

  it("are not begun again while they leave", function()
    children("web-1")
    apply()
    by_name["web-1"].is_leaving = true
    one:again()
    one:turn()
    assert.are.same({}, apply())
  end)

  it("are served from the start if they were", function()
    local records = {
      ["web-2"] = {found = {port = 4001}}, ["web-1"] = {found = {}},
      other = {found = {}}, ["web-0"] = {path = "/x"}, ["web-3"] = {found = {}},
      ["web-4"] = {found = {}}, ["web-2 x"] = {found = {}},
      ["web-2" .. ("x"):rep(100)] = {found = {}}}
    objections["web-1"] = "no room"
    local services = one:load(records, {["web-3"] = true})
    assert.are.same({"web-2", "web-4"}, {services[1].name, services[2].name})
    assert.are.equal(4001, services[1].found.port)
    assert.are.equal(1, log.count("web-1: is not served any more: no room"))
  end)

  it("are served from the start as far as there is room", function()
    local services = one:load({["web-1"] = {found = {}},
      ["web-2"] = {found = {}}, ["web-3"] = {found = {}}}, {})
    assert.are.same({"web-1", "web-2"}, {services[1].name, services[2].name})
    assert.is_nil(services[3])
  end)

  it("are served from the start if they were services of the file", function()
    local services = one:load({["web-1"] = {path = same_path("web-1")},
      ["web-2"] = {path = same_path("web-1")},
      other = {path = same_path("other")}}, {})
    assert.are.equal(1, #services)
    assert.are.same({"web-1", {}}, {services[1].name, services[1].found})
  end)

  -- Which one had it before the load is in the snapshot.
  it("are served from the start without the ports of others", function()
    taken["127.0.0.1:4000"] = "web listens there"
    local services = one:load({["web-1"] = {found = {port = 4000}},
      ["web-2"] = {found = {port = false}}}, {})
    for i = 1, 2 do
      assert.are.same({nil, {port = false}},
        {services[i].bind, services[i].found})
    end
    begin({service = {haproxy = {port = 4001}}})
    services = one:load({["web-1"] = {found = {port = false}},
      ["web-2"] = {found = {}}}, {})
    assert.is_nil(services[1].bind)
    assert.are.equal("127.0.0.1:4001", services[2].bind.text)
    assert.are.equal(0, log.count("served"))
  end)

  it("leave if their znodes were gone when HAProxy loaded", function()
    local service = one:load({["web-1"] = {found = {}}}, {})[1]
    by_name["web-1"] = {backend = "b", deps = {config = service}}
    begin()
    children("web-2")
    assert.are.same({"added web-2"}, apply())
    pass(6)
    assert.are.same({"removed web-1"}, apply())
  end)

  it("have names that are allowed", function()
    begin({allow = {"a", "web-*"}})
    assert.are.same({"a", "web-*"}, asked.like)
  end)

  it("are not read if their names are bad", function()
    local named = asked.reader.named
    assert.is_nil(named("web-1"))
    for _, name in ipairs({"web-a b", "web-" .. ("x"):rep(97), "web-\n"}) do
      assert.is_true(named(name).is_bad)
    end
    assert.is_nil(named("web-" .. ("x"):rep(96)))
  end)

  it("may say where they are to be reached", function()
    local function read(data)
      local znode = asked.reader.read("web-1", {data = data})
      return {znode.instance.key, znode.instance.port, znode.problem}
    end
    assert.are.same({"web-1", 4001}, read('{"port": 4001}'))
    for _, data in ipairs({"", "x", "[]", "null", "{}", '{"port":null}',
      '{"port":4001,"a":{"b":{"c":{"d":{}}}}}'})
    do
      assert.are.same({"web-1"}, read(data))
    end
    for _, port in ipairs({'"high"', "0", "65536", "1.5", "true", "[]"}) do
      assert.are.same({"web-1", nil,
        "port: is not a port (1 to 65535), not used"},
        read('{"port":' .. port .. '}'))
    end
    assert.are.same({"web-1", 1}, read('{"port":1}'))
    assert.are.same({"web-1", 65535}, read('{"port":65535}'))
  end)

  it("are shown with what is wrong with the znodes", function()
    path.bad = {{znode = "web-b", problem = "bad"}}
    objections["web-c"], objections["web-a"] = "no", "no"
    children("web-c", "web-a")
    assert.are.same({{name = "web-a", why = "no"}, {name = "web-b",
      why = "bad"}, {name = "web-c", why = "no"}}, one:view().refused)
    assert.are.equal(3, one:view().refusals)
    for i = 1, 100 do
      path.bad[i] = {znode = "a" .. i, problem = "bad"}
    end
    assert.are.equal(100, #one:view().refused)
    assert.are.equal(102, one:view().refusals)
    children()
    path.bad = {}
    assert.are.same({}, one:view().refused)
  end)
end)
