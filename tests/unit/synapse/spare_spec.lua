local new_clock = dofile("tests/fake/clock.lua")
local new_log = dofile("tests/fake/log.lua")
local spare = require("synapse.spare")

describe("the blank backends", function()
  local clock, log, maps, sessions, sent, freed, own, one

  -- One slot for each of the services; the check has a URI of theirs.
  local function kind(name, ports, backends, has_table)
    local words = {
      "server-template", "s", "1-1", "slot.invalid:1", "disabled"}
    local section = {lines = {{words = words}, {words = {"mode", "http"}},
      {words = {"option", "httpchk"}},
      {words = {"http-check", "send", "meth", "GET", "uri-lf", "%[x]"}}}}
    local listeners = {}
    for _, port in ipairs(ports) do
      listeners["h:" .. port] = {}
    end
    return {name = name, listeners = listeners, backends = backends, slots = 1,
      server = "", has_table = has_table, frontend = section,
      backend = section}
  end

  local function service(name, port, uri)
    return {name = name, slots = 1, server_text = "",
      bind = {text = "h:" .. port}, lines = {frontend = {}, backend = {},
      shared_frontend = {}, listen = {
        {text = "mode http", place = "haproxy.listen[0]"},
        {text = "option httpchk GET " .. (uri or "/up"),
          place = "haproxy.listen[1]"}}}}
  end

  local function deps()
    return {
      log = log, now = clock.now, routes = "routes", checks = "checks",
      set_map = function(map, key, value)
        table.insert(maps, map .. " " .. key .. "=" .. value)
      end,
      del_map = function(map, key) table.insert(maps, map .. " -" .. key) end,
      sessions = function(backend) return sessions[backend] or 0 end,
      send = function(line)
        table.insert(sent, line)
        return #sent
      end,
      freed = function() freed = freed + 1 end,
      own = {
        state_of = function(_, config, of)
          table.insert(own.asked, config.name .. " of " .. of.name)
          return own.state
        end,
        take_answer = function(_, event) own.answer = event end,
      },
    }
  end

  local function new(...)
    one = spare.new({...}, {log = log})
    one:begin(deps())
  end

  before_each(function()
    clock, log = new_clock(), new_log()
    maps, sessions, sent, freed = {}, {}, {}, 0
    own = {state = "failed", asked = {}}
    new(kind("a", {1, 2, 3}, {"a-1", "a-2"}))
  end)

  -- As a reading of the configuration with all these services.
  local function expect(...)
    one:expect({...})
    local reasons = {}
    for i, config in ipairs({...}) do
      reasons[i] = one:reserve(config) or "ok"
    end
    return reasons
  end

  local function take(config)
    expect(config)
    one:take(config, one:prepare(config))
    return config
  end

  local function tick()
    clock.pass(1)
    one:tick()
  end

  local function counts()
    local number = one:counts()[1]
    return {number.free, number.used, number.resting}
  end

  it("serve a service once it is applied, the check first", function()
    local web = service("web", 2)
    assert.are.same({"ok"}, expect(web))
    assert.are.equal("a-1", web.blank)
    assert.are.same({}, maps)
    assert.is_nil(one:backend_of("web"))
    one:take(web, one:prepare(web))
    assert.are.same({"checks a-1=/up", "routes h:2=a-1"}, maps)
    assert.are.equal("a-1", one:backend_of("web"))
    assert.are.same({1, 1, 0}, counts())
    assert.are.equal(1, log.count("info: web: is served by a-1 on h:2"))
  end)

  it("are reserved for one reading only", function()
    assert.are.same({"ok", "ok"}, expect(service("a", 1), service("b", 2)))
    assert.are.same({"ok", "ok", "no blank backend of a is left (0 of 2 " ..
      "wait for the end of their last requests); haproxy.spare says how " ..
      "many there are"},
      expect(service("b", 1), service("c", 2), service("d", 3)))
    one:expect({})
    assert.are.same({2, 0, 0}, counts())
  end)

  it("are given up where something else keeps a service away", function()
    local web = service("web", 1)
    expect(web)
    one:give_up(web)
    assert.are.same({"ok", "ok"}, {one:reserve(service("a", 2)) or "ok",
      one:reserve(service("b", 3)) or "ok"})
  end)

  it("that are given up leave the ports of others alone", function()
    local b = service("b", 2)
    assert.are.same({"ok", "ok"}, expect(service("a", 1), b))
    one:give_up(b)
    assert.are.equal("haproxy.port: services.a listens on h:1",
      one:reserve(service("c", 1)))
  end)

  it("listen for one service on each port", function()
    assert.are.same({"ok", "haproxy.port: services.a listens on h:1"},
      expect(service("a", 1), service("b", 1)))
  end)

  it("let a service have the port of one that leaves", function()
    take(service("a", 1))
    local b = service("b", 1)
    assert.are.same({"ok"}, expect(b))
    assert.is_true(one:is_taken(b))
    one:leave("a")
    assert.is_false(one:is_taken(b))
    one:take(b, one:prepare(b))
    assert.are.same({"checks a-1=/up", "routes h:1=a-1", "routes -h:1",
      "checks a-2=/up", "routes h:1=a-2"}, maps)
  end)

  it("keep the port of one that leaves for the one that is to come", function()
    take(service("a", 1))
    assert.are.same({"ok"}, expect(service("b", 1)))
    one:leave("a")
    assert.are.equal("haproxy.port: services.b listens on h:1",
      one:reserve(service("c", 1)))
  end)

  it("let others have a route that a service gives up by itself", function()
    take(service("a", 1))
    assert.are.equal("haproxy.port: services.a listens on h:1",
      one:reserve(service("b", 1)))
    local a2 = service("a", 2)
    assert.is_nil(one:reserve(a2))
    one:configure(a2)
    assert.are.equal(1, freed)
    assert.is_nil(one:reserve(service("b", 1)))
    one:give_up(service("b", 1))
    assert.is_nil(one:reserve(service("c", 1)))
    one:leave("a")
    assert.is_nil(one:reserve(service("c", 2)))
  end)

  it("let others have a route that a service wanted for a moment", function()
    assert.is_nil(one:reserve(service("a", 1)))
    assert.is_nil(one:reserve(service("a", 2)))
    assert.is_nil(one:reserve(service("b", 1)))
    assert.are.equal("haproxy.port: services.a listens on h:2",
      one:reserve(service("c", 2)))
  end)

  it("rest after a service has changed its port and left", function()
    take(service("a", 1))
    local a2 = service("a", 2)
    assert.is_nil(one:reserve(a2))
    one:configure(a2)
    one:leave("a")
    one:rest("a")
    assert.are.same({1, 0, 1}, counts())
    tick()
    tick()
    assert.are.same({2, 0, 0}, counts())
  end)

  it("let services swap their ports", function()
    local a, b = take(service("a", 1)), service("b", 2)
    expect(a, b)
    one:take(b, one:prepare(b))
    local a2, b2 = service("a", 2), service("b", 1)
    assert.are.same({"ok", "ok"}, expect(a2, b2))
    maps = {}
    one:configure(a2)
    one:configure(b2)
    assert.are.same({"checks a-1=/up", "routes h:2=a-1", "routes -h:1",
      "checks a-2=/up", "routes h:1=a-2"}, maps)
  end)

  it("are kept for a reload if HAProxy adds a backend for the service",
    function()
      local web = service("web", 1)
      web.backend, own.state = "www", "asked"
      expect(web)
      assert.is_nil(one:prepare(web))
      one:take_answer({request = 7})
      assert.are.same({request = 7}, own.answer)
      own.state = "there"
      assert.are.equal("www", one:prepare(web))
      assert.are.same({"web of a", "web of a"}, own.asked)
      one:take(web, "www")
      assert.are.equal("a-1", web.blank)
      assert.are.equal("www", one:backend_of("web"))
      local moved = service("web", 2, "/down")
      moved.backend = "www"
      expect(moved)
      one:configure(moved)
      assert.are.same({"checks www=/up", "routes h:1=www",
        "checks www=/down", "routes h:2=www", "routes -h:1"}, maps)
      assert.are.same({1, 1, 0}, counts())
      one:leave("web")
      one:rest("web")
      sessions.www = 1
      tick()
      tick()
      assert.are.same({2, 0, 0}, counts())
    end)

  it("follow another URI and another port, the new one first", function()
    take(service("web", 1))
    local moved = service("web", 2, "/down")
    assert.are.same({"ok"}, expect(moved))
    maps = {}
    one:configure(moved)
    assert.are.same({"checks a-1=/down", "routes h:2=a-1", "routes -h:1"},
      maps)
    maps = {}
    one:configure(moved)
    assert.are.same({}, maps)
  end)

  it("of another kind do not take a service over", function()
    new(kind("a", {1}, {"a-1"}), kind("b", {2}, {"b-1"}))
    take(service("web", 1))
    assert.are.same(
      {"haproxy.port: it is served by a-1, and b listens on h:2"},
      expect(service("web", 2)))
  end)

  it("of another kind are for a service that comes back elsewhere", function()
    new(kind("a", {1}, {"a-1"}), kind("b", {2}, {"b-1"}))
    take(service("web", 1))
    one:leave("web")
    local web = service("web", 2)
    assert.are.same({"ok"}, expect(web))
    assert.are.equal("b-1", web.blank)
  end)

  it("rest until the last request has ended", function()
    take(service("web", 1))
    sessions["a-1"] = 1
    one:leave("web")
    assert.are.equal("routes -h:1", maps[#maps])
    one:rest("web")
    tick()
    tick()
    assert.are.same({1, 0, 1}, counts())
    sessions["a-1"] = 0
    tick()
    assert.are.same({1, 0, 1}, counts())
    tick()
    assert.are.same({2, 0, 0}, counts())
    assert.are.same({}, sent)
    assert.are.equal(1, log.count("info: a-1 is blank again"))
  end)

  -- A request may come in while the port is closed.
  it("are looked at twice, with some time between", function()
    take(service("web", 1))
    one:leave("web")
    one:rest("web")
    tick()
    one:tick()
    assert.are.same({1, 0, 1}, counts())
    take(service("web", 1))
    one:leave("web")
    one:rest("web")
    tick()
    assert.are.same({1, 0, 1}, counts())
    tick()
    assert.are.same({2, 0, 0}, counts())
  end)

  it("rest until nothing is left in their stick tables", function()
    new(kind("a", {1, 2}, {"a-1", "a-2"}, true))
    take(service("web", 1))
    one:leave("web")
    one:rest("web")
    tick()
    tick()
    assert.are.same({"clear table a-1;show table"}, sent)
    one:take_answer({request = 1, data = "\n# table: a-1, type: ip, " ..
      "size:9, used:1\n# table: a-2, type: ip, size:9, used:0\n\n"})
    assert.are.same({1, 0, 1}, counts())
    tick()
    one:take_answer({request = 2, error = "no answer"})
    assert.are.same({1, 0, 1}, counts())
    tick()
    tick()
    assert.are.equal(3, #sent)
    clock.pass(10)
    tick()
    assert.are.equal(4, #sent)
    one:take_answer({request = 4, data = "\n# table: a-1, type: ip, " ..
      "size:9, used:0\n\n"})
    assert.are.same({2, 0, 0}, counts())
  end)

  it("ask again when no answer comes, and take no late one", function()
    new(kind("a", {1, 2}, {"a-1"}, true))
    take(service("web", 1))
    one:leave("web")
    one:rest("web")
    tick()
    tick()
    clock.pass(9)
    tick()
    assert.are.equal(1, #sent)
    tick()
    assert.are.equal(2, #sent)
    local empty = "\n# table: a-1, type: ip, size:9, used:0\n\n"
    one:take_answer({request = 1, data = empty})
    assert.are.same({0, 0, 1}, counts())
    one:take_answer({request = 2, data = "\nNo such table.\n\n"})
    assert.are.same({0, 0, 1}, counts())
    tick()
    one:take_answer({request = 3, data = empty})
    assert.are.same({1, 0, 0}, counts())
  end)

  it("take no answer of before their service came back", function()
    new(kind("a", {1, 2}, {"a-1"}, true))
    local web = take(service("web", 1))
    one:leave("web")
    one:rest("web")
    tick()
    tick()
    take(web)
    one:leave("web")
    one:rest("web")
    one:take_answer({request = 1, data = "\n# table: a-1, type: ip, " ..
      "size:9, used:0\n\n"})
    assert.are.same({0, 0, 1}, counts())
    tick()
    tick()
    assert.are.equal(2, #sent)
  end)

  it("leave its port to a service that cannot change as it is to", function()
    new(kind("a", {1, 2}, {"a-1", "a-2"}), kind("b", {3}, {"b-1"}))
    take(service("web", 1))
    assert.are.same({
      "haproxy.port: it is served by a-1, and b listens on h:3",
      "haproxy.port: services.web listens on h:1"},
      expect(service("web", 3), service("x", 1)))
  end)

  it("leave its port to a service that stays for another reason", function()
    take(service("web", 1))
    local moved = service("web", 2)
    one:expect({moved})
    assert.is_nil(one:reserve(service("x", 1)))
    one:expect({moved}, {web = true})
    assert.are.equal("haproxy.port: services.web listens on h:1",
      one:reserve(service("x", 1)))
  end)

  it("that rest are for the service that had them", function()
    new(kind("a", {1, 2}, {"a-1"}))
    local web = take(service("web", 1))
    one:leave("web")
    one:rest("web")
    assert.are_not.same({"ok"}, expect(service("other", 2)))
    assert.are.same({"ok"}, expect(web))
    one:expect({})
    assert.are.same({0, 0, 1}, counts())
    take(web)
    assert.are.same({0, 1, 0}, counts())
    tick()
    tick()
    assert.are.same({0, 1, 0}, counts())
  end)

  it("go on with a service that comes back before it has left", function()
    new(kind("a", {1, 2}, {"a-1"}))
    local web = take(service("web", 1))
    one:leave("web")
    assert.are.same({"ok"}, expect(web))
    one:rest("web")
    tick()
    tick()
    assert.are.same({"no"}, {one:reserve(service("b", 2)) and "no"})
    one:take(web, one:prepare(web))
    assert.are.same({0, 1, 0}, counts())
    assert.are.equal("routes h:1=a-1", maps[#maps])
  end)

  it("tell once that one is free that was missed", function()
    new(kind("a", {1, 2}, {"a-1"}))
    take(service("web", 1))
    one:leave("web")
    one:rest("web")
    expect(service("other", 2))
    tick()
    tick()
    assert.are.equal(1, freed)
    take(service("other", 2))
    one:leave("other")
    one:rest("other")
    tick()
    tick()
    assert.are.equal(1, freed)
  end)

  it("tell once that some are free of which one was missed", function()
    new(kind("a", {1, 2, 3}, {"a-1", "a-2"}))
    for port = 1, 2 do
      take(service("s" .. port, port))
    end
    expect(service("other", 3))
    for _, name in ipairs({"s1", "s2"}) do
      one:leave(name)
      one:rest(name)
    end
    tick()
    tick()
    assert.are.same({2, 0, 0}, counts())
    assert.are.equal(1, freed)
  end)

  it("are said to run out, once", function()
    new(kind("a", {1, 2, 3, 4, 5}, {"a-1", "a-2", "a-3", "a-4", "a-5"}))
    for port = 1, 3 do
      take(service("s" .. port, port))
    end
    assert.is_false(one:counts()[1].is_scarce)
    take(service("s4", 4))
    take(service("s5", 5))
    assert.is_true(one:counts()[1].is_scarce)
    assert.are.equal(1, log.count("are taken"))
    assert.are.equal(1, log.count("warning: blank backends of a: 4 of 5 " ..
      "are taken; when none is left, a new service needs a reload of HAProxy"))
  end)

  it("are those of the snapshot when HAProxy loads", function()
    local a, b, c = service("a", 1), service("b", 2, "/b"), service("c", 9)
    expect(a, b)
    one:load({a, b, c}, {b = {blank = "a-1"}, a = {blank = "gone"}})
    assert.are.same({"a-2", "a-1"}, {a.blank, b.blank})
    assert.is_nil(c.blank)
    local routes, checks = one:maps()
    assert.is_truthy(routes:find("h:1 a-2\n", 1, true))
    assert.is_truthy(routes:find("h:2 a-1\n", 1, true))
    assert.is_truthy(checks:find("a-1 /b\n", 1, true))
    assert.are.same({}, maps)
    assert.is_true(one:is_taken(service("d", 1)))
    assert.are.equal(1, log.count("blank backends of a: 2 of 2 are taken"))
  end)

  it("are others than those of the snapshot if these are of another kind",
    function()
      new(kind("a", {1}, {"a-1"}), kind("b", {2}, {"b-1"}))
      local a = service("a", 1)
      expect(a)
      one:load({a}, {a = {blank = "b-1"}})
      assert.are.equal("a-1", a.blank)
    end)

  it("lead to a service by its host and by its port", function()
    local function named(name, host, port)
      local config = service(name, port or 1)
      config.host_name, config.kind = host, "a"
      config.bind = port and config.bind
      return config
    end
    local config = take(named("x", "x.service"))
    assert.are.same({"checks a-1=/up", "routes x.service=a-1"}, maps)
    assert.are.same({"services.x has the host name x.service"},
      {table.unpack(expect(config, named("X", "x.service")), 2)})
    maps = {}
    local both = named("x", "x.service", 2)
    expect(both)
    one:configure(both)
    assert.are.same({"checks a-1=/up", "routes h:2=a-1",
      "routes x.service=a-1"}, maps)
    maps = {}
    assert.is_true(one:is_taken(service("y", 2)))
    one:leave("x")
    assert.are.same({"routes -h:2", "routes -x.service"}, maps)
    assert.is_false(one:is_taken(service("y", 2)))
  end)
end)
