local sessions = require("synapse.zookeeper.sessions")
local new_clock = dofile("tests/fake/clock.lua")
local new_log = dofile("tests/fake/log.lua")
local new_lookup = dofile("tests/fake/lookup.lua")
local new_session = dofile("tests/fake/session.lua")
local new_source = dofile("tests/fake/source.lua")

local CODES = {ok = 0, connection_loss = -4, no_node = -101}
local ADDRESSES = {["a:2181"] = "10.0.0.5:2181", ["b:2181"] = "10.0.0.6:2181"}

local function origin_of(one)
  one.origin = one.hosts .. one.path
  one.place = one.place .. one.origin
  return one
end

describe("the sources of services", function()
  local log, opened, by_hosts, seen, one, refused

  local function service(name, config)
    config.max_instances, config.named_servers = 1000, {}
    return {name = name, wanted = {instances = config.known or {}},
      placement = {pool = {}}, deps = {config = config}}
  end

  local function new(services)
    local configs = {}
    for i, each in ipairs(services) do
      configs[i] = each.deps.config
    end
    one = sessions.new({
      services = services, codes = CODES, now = new_clock().now,
      wall = new_clock().now,
      resync_interval = 600, reported = function() end,
      entered = function() end, lookup = new_lookup(configs, ADDRESSES),
      random = function() return 0 end, log = log,
    })
    one:open({open = function(_, options)
      if refused then
        return nil, refused
      end
      local session = new_session(function(event) one:take(event) end)
      session.add_auth = function(_, _, secret)
        table.insert(opened, options.hosts .. " " .. secret)
      end
      by_hosts[options.hosts] = session
      table.insert(opened, options.hosts)
      return session
    end}, 10)
    for _, session in pairs(by_hosts) do
      one:take({type = "session", session = session, state = "connected",
        link = "new_session", client_id = "0x1", timeout = 10})
    end
    one:tick()
  end

  -- Gives an ensemble's path these instances, one for each port.
  local function read(hosts, path, ports, labels)
    local session, names = by_hosts[ADDRESSES[hosts]], {}
    for i, port in ipairs(ports) do
      names[i] = string.format("i_%010d", port)
    end
    session.reply(path, {children = names})
    for i, port in ipairs(ports) do
      session.reply_data(path .. "/" .. names[i], string.format(
        '{"host":"10.0.0.1","port":%d,"labels":%s}', port, labels or "{}"))
    end
  end

  -- Lists what each service that may have changed has, as the agent asks it.
  local function take()
    local service_changed = one:next_changed()
    while service_changed do
      local keys = {}
      for i, made in ipairs(one:instances(service_changed)) do
        keys[i] = made.key
      end
      seen[service_changed.name] = table.concat(keys, " ")
      service_changed = one:next_changed()
    end
    return seen
  end

  before_each(function()
    log, opened, by_hosts, seen = new_log(), {}, {}, {}
    refused = nil
  end)

  -- Twenty thousand watches were more than a server takes in one packet, and
  -- every reconnect then read everything again.
  it("have another session where the watches of one would be too many",
    function()
      local services = {}
      for i = 1, 5 do
        services[i] = service("s" .. i, {
          sources = {new_source("/" .. i, "a:2181")}})
        services[i].placement.pool = {}
        for slot = 1, 5000 do
          services[i].placement.pool[slot] = "s" .. slot
        end
      end
      new(services)
      assert.are.same({"10.0.0.5:2181", "10.0.0.5:2181", "10.0.0.5:2181"},
        opened)
    end)

  it("tell of a service once, with the first watch that told of it", function()
    new({service("x", {sources = {new_source("/a", "a:2181"),
      new_source("/b", "a:2181")}, resolver = "union"})})
    read("a:2181", "/a", {1})
    read("a:2181", "/b", {2})
    take()
    for time, path in ipairs({"/a", "/b"}) do
      one:take({type = "watch", session = by_hosts[ADDRESSES["a:2181"]],
        path = path, change = "children", time = time})
      read("a:2181", path, {3 + time})
    end
    local changed, since = one:next_changed()
    assert.are.same({"x", 1}, {changed.name, since})
    assert.is_nil(one:next_changed())
  end)

  it("share a session for each ensemble and its credentials", function()
    local secret = new_source("/c", "a:2181")
    secret.auth = {scheme = "digest", secret = "u:p"}
    secret.ensemble = secret.ensemble .. "u:p"
    new({service("x", {sources = {new_source("/a", "a:2181")}}),
      service("y", {sources = {new_source("/b", "a:2181")}}),
      service("z", {sources = {secret}})})
    table.sort(opened)
    assert.are.same({"10.0.0.5:2181", "10.0.0.5:2181", "10.0.0.5:2181 u:p"},
      opened)
  end)

  it("give each service what passes its own filters", function()
    local filtered = new_source("/a", "a:2181")
    filtered.filters = {{label = "az", value = "1", condition = "equals"}}
    new({service("all", {sources = {new_source("/a", "a:2181")}}),
      service("some", {sources = {filtered}})})
    assert.are.same({"get_children /a"}, by_hosts["10.0.0.5:2181"].open())
    read("a:2181", "/a", {1, 2}, '{"az":"2"}')
    assert.are.same({all = "10.0.0.1:1 10.0.0.1:2", some = ""}, take())
  end)

  it("are together what a union has", function()
    new({service("x", {resolver = "union", sources = {
      new_source("/a", "a:2181"), new_source("/a", "b:2181")}})})
    read("a:2181", "/a", {1})
    assert.are.same({x = "10.0.0.1:1"}, take())
    read("b:2181", "/a", {2})
    assert.are.same({x = "10.0.0.1:1 10.0.0.1:2"}, take())
  end)

  it("fail over in a sequence, and come back", function()
    new({service("x", {resolver = "sequential", sources = {
      new_source("/a", "a:2181"), new_source("/a", "b:2181")}})})
    read("b:2181", "/a", {2})
    assert.are.same({x = "10.0.0.1:2"}, take())
    read("a:2181", "/a", {1})
    assert.are.same({x = "10.0.0.1:1"}, take())
    local session = by_hosts["10.0.0.5:2181"]
    one:take({type = "watch", session = session, path = "/a",
      change = "children"})
    read("a:2181", "/a", {})
    assert.are.same({x = "10.0.0.1:2"}, take())
  end)

  it("know from the last run what was theirs", function()
    local first = origin_of(new_source("/a", "a:2181"))
    local second = origin_of(new_source("/a", "b:2181"))
    local function made(port, source)
      return {key = "10.0.0.1:" .. port, host = "10.0.0.1", port = port,
        znode = "i_" .. port, origin = source.origin}
    end
    new({service("x", {resolver = "union", sources = {first, second},
      known = {made(1, first), made(2, second)}})})
    read("a:2181", "/a", {3})
    assert.are.same({x = "10.0.0.1:2 10.0.0.1:3"}, take())
  end)

  it("say so when a session cannot be had", function()
    refused = "out of memory"
    new({service("x", {sources = {new_source("/a", "a:2181")}})})
    assert.are.equal(1, log.count(
      "error: no session with a:2181: out of memory; its servers stay"))
  end)

  it("have no session before their ensemble has an address", function()
    new({service("x", {sources = {new_source("/a", "c:2181")}})})
    assert.are.same({}, opened)
  end)

  -- Instances that share an address are told apart by who claims it.
  it("know which addresses a znode has, also one of two", function()
    new({service("x", {resolver = "union", sources = {
      new_source("/a", "a:2181"), new_source("/a", "b:2181")}})})
    read("a:2181", "/a", {1})
    assert.is_true(one:has("10.0.0.1:1"))
    assert.is_false(one:has("10.0.0.1:2"))
    assert.are.same({["10.0.0.1:1"] = true}, one:take_new_claims())
    assert.is_nil(one:take_new_claims())
    read("b:2181", "/a", {1})
    assert.is_nil(one:take_new_claims())
    local function change(hosts, ports)
      one:take({type = "watch", session = by_hosts[ADDRESSES[hosts]],
        path = "/a", change = "children"})
      read(hosts, "/a", ports)
    end
    change("a:2181", {})
    assert.is_true(one:has("10.0.0.1:1"))
    change("b:2181", {})
    assert.is_false(one:has("10.0.0.1:1"))
    change("b:2181", {1})
    assert.are.same({["10.0.0.1:1"] = true}, one:take_new_claims())
  end)

  it("say how many instances their filters left out, where none is left",
    function()
      local filtered = new_source("/a", "a:2181")
      filtered.filters = {{label = "az", value = "1", condition = "equals"}}
      local some = service("some", {sources = {filtered}})
      new({some})
      read("a:2181", "/a", {1, 2}, '{"az":"2"}')
      assert.are.equal(2, select(2, one:instances(some)))
      one:take({type = "watch", session = by_hosts[ADDRESSES["a:2181"]],
        path = "/a", change = "children"})
      read("a:2181", "/a", {3}, '{"az":"1"}')
      local list, left_out = one:instances(some)
      assert.are.same({1, 0}, {#list, left_out})
    end)

  it("tell of a service again after it was taken", function()
    new({service("x", {sources = {new_source("/a", "a:2181")}})})
    read("a:2181", "/a", {1})
    assert.are.same({x = "10.0.0.1:1"}, take())
    seen = {}
    assert.are.same({}, take())
    one:take({type = "watch", session = by_hosts[ADDRESSES["a:2181"]],
      path = "/a", change = "children", time = 7})
    read("a:2181", "/a", {2})
    assert.are.same(7, select(2, one:next_changed()))
    assert.is_nil(one:next_changed())
  end)

  it("know why there is no session, and that threads may not start",
    function()
      refused = "out of memory"
      new({service("x", {sources = {new_source("/a", "a:2181")}})})
      assert.are.equal("out of memory", one.list[1].cause)
      assert.is_true(one:has_threads())
      one.list[1].state = "no_threads"
      assert.is_false(one:has_threads())
    end)

  it("keep their room whatever a path has whose znodes are no instances",
    function()
      new({service("s", {sources = {new_source("/s", "a:2181")}})})
      local names = {}
      for i = 1, 8700 do
        names[i] = ("x"):rep(96) .. 1000 + i
      end
      one:watch(new_source("/all", "a:2181"), {most = 1000,
        max_instances = 10000, changed = function() end,
        reported = function() end, reader = {
          named = function() return nil end,
          read = function(name)
            return {data = "", instance = {key = name, znode = name}}
          end}})
      local session = by_hosts[ADDRESSES["a:2181"]]
      session.reply("/all", {children = names})
      local asked = 0
      for _, each in ipairs(session.asked) do
        asked = asked + (each.op == "get" and 1 or 0)
      end
      assert.is_true(asked > 1000 and asked < 2000)
      read("a:2181", "/s", {1})
      take()
      assert.are.equal("10.0.0.1:1", seen.s)
    end)

  it("are read again when that is asked, and end", function()
    new({service("x", {sources = {new_source("/a", "a:2181")}})})
    read("a:2181", "/a", {})
    local session, closed = by_hosts["10.0.0.5:2181"], 0
    one:restart()
    assert.are.same({"get_children /a"}, session.open())
    session.close = function() closed = closed + 1 end
    one:close()
    one:close()
    assert.are.equal(1, closed)
    assert.is_false(one:take({type = "session", session = session,
      state = "connected"}))
  end)

  it("are read again after an overflow", function()
    new({service("x", {sources = {new_source("/a", "a:2181")}})})
    read("a:2181", "/a", {})
    assert.is_false(one:take({type = "overflow"}))
    assert.are.same({"get_children /a"}, by_hosts["10.0.0.5:2181"].open())
  end)

  describe("that a service is configured with", function()
    local x, y

    local function follow(each, sources)
      local before = each.deps.config.sources
      each.deps.config.sources = sources
      one.deps.lookup:add(each.deps.config)
      one:follow(each, before)
    end

    local function names()
      local list = {}
      for i, each in ipairs(one.list) do
        list[i] = each.hosts
      end
      table.sort(list)
      return list
    end

    -- What is told from now on.
    local function told()
      seen = {}
      return take()
    end

    before_each(function()
      x = service("x", {sources = {new_source("/a", "a:2181")}})
      y = service("y", {sources = {new_source("/b", "a:2181")}})
      new({x, y})
      one.deps.lookup:begin({resolve = function() end, now = function()
        return 0
      end, random = function() return 0 end})
      read("a:2181", "/a", {1})
      read("a:2181", "/b", {2})
      take()
    end)

    it("are read in place of the others", function()
      follow(x, {new_source("/c", "a:2181")})
      assert.are.same({}, told())
      read("a:2181", "/c", {3})
      assert.are.equal("10.0.0.1:3", told().x)
      assert.is_false(one:has("10.0.0.1:1"))
      assert.is_true(one:has("10.0.0.1:3"))
    end)

    it("are known at once where another service has read them", function()
      follow(x, {new_source("/b", "a:2181")})
      assert.are.equal("10.0.0.1:2", take().x)
      follow(y, {})
      assert.is_true(one:has("10.0.0.1:2"))
    end)

    it("are not waited for where one of them was not read yet", function()
      follow(x, {new_source("/b", "a:2181"), new_source("/c", "a:2181")})
      assert.is_nil(told().x)
    end)

    it("leave no trace of a path that nobody reads", function()
      local session = by_hosts[ADDRESSES["a:2181"]]
      one:take({type = "watch", session = session, path = "/a",
        change = "children", time = 1})
      follow(x, {})
      session.reply("/a", {children = {"late_0000000009"}})
      one:take({type = "watch", session = session, path = "/a",
        change = "children", time = 1})
      assert.are.same({}, session.open())
      assert.are.same({}, told())
      assert.are.same({}, one:of(x))
    end)

    it("get a session of their own, which ends with the last of them",
      function()
        follow(x, {new_source("/a", "b:2181")})
        assert.are.same({"a:2181", "b:2181"}, names())
        one.deps.lookup.by_hosts["b:2181"].addresses = ADDRESSES["b:2181"]
        one:use_addresses("b:2181")
        assert.are.equal("10.0.0.6:2181", opened[#opened])
        local session, is_closed = by_hosts[ADDRESSES["b:2181"]], false
        session.close = function() is_closed = true end
        follow(x, {new_source("/a", "a:2181")})
        assert.are.same({"a:2181"}, names())
        assert.is_true(is_closed)
        assert.is_false(one:take({type = "session", session = session,
          state = "connected"}))
        -- What comes later gets none that is over.
        local before = #opened
        follow(x, {new_source("/a", "b:2181")})
        assert.are.same({"10.0.0.6:2181"},
          table.move(opened, before + 1, #opened, 1, {}))
        assert.are.equal("b:2181", one:of(x)[1].hosts)
      end)

    it("leave nothing of those that were told", function()
      for port = 3, 9 do
        one:take({type = "watch", session = by_hosts[ADDRESSES["a:2181"]],
          path = "/a", change = "children", time = 1})
        read("a:2181", "/a", {port})
        assert.are.equal("10.0.0.1:" .. port, told().x)
        assert.are.same({}, one.changed)
      end
    end)

    it("have as much room as before after they came and went", function()
      local through = one.list[1]
      local room, bytes = through.watched_bytes, one.last["a:2181"].bytes
      for _ = 1, 3 do
        follow(x, {})
        assert.are.equal(room, through.watched_bytes)
        follow(x, {new_source("/a", "a:2181")})
        read("a:2181", "/a", {1})
      end
      assert.are.equal(room, through.watched_bytes)
      assert.are.equal(bytes, one.last["a:2181"].bytes)
      follow(x, {})
      one:take({type = "session", session = by_hosts[ADDRESSES["a:2181"]],
        state = "connected", link = "new_handle", client_id = "0x1",
        timeout = 10})
      assert.is_true(through.watched_bytes < room)
    end)

    -- After 110 changes of a path with a hundred instances its session had no
    -- room for the watches of the next.
    it("get another session where too many watches are left behind", function()
      local long, ports = "/" .. ("x"):rep(500), {}
      for i = 1, 100 do
        ports[i] = i
      end
      for number = 1, 30 do
        follow(x, {new_source(long .. number, "a:2181")})
        one:take({type = "session", session = by_hosts[ADDRESSES["a:2181"]],
          state = "connected", link = "same_handle", client_id = "0x1",
          timeout = 10})
        one:tick()
        read("a:2181", long .. number, ports)
        assert.are.same({}, one:of(x)[1]:problems())
        assert.is_true(#one.list <= 3)
      end
    end)

    it("leave nothing in a session but the room of what it watches", function()
      local through = one.list[1]
      local room = through.watched_bytes
      follow(x, {})
      assert.is_nil(through.by_path["/a"])
      assert.are.equal(room, through.watched_bytes)
      assert.are.equal(#"/a" + 4 + #"/a/i_0000000001" + 4, through.left_bytes)
      follow(x, {new_source("/a", "a:2181")})
      assert.are.equal(0, through.left_bytes)
    end)

    it("may have as many instances as the most generous reader allows",
      function()
        y.deps.config.max_instances = 5
        follow(y, {new_source("/a", "a:2181")})
        local path = one:of(y)[1]
        assert.are.equal(1000, path.deps.max_instances)
        follow(x, {})
        follow(y, {new_source("/a", "a:2181")})
        assert.are.equal(5, path.deps.max_instances)
      end)
  end)
end)
