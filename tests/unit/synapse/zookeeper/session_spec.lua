local session = require("synapse.zookeeper.session")
local new_clock = dofile("tests/fake/clock.lua")
local new_log = dofile("tests/fake/log.lua")
local new_session = dofile("tests/fake/session.lua")

-- A path that writes down what it is told. `known`: so many znodes;
-- `unverified`: so many of them.
local function new_path(path, told)
  local one = {path = path, is_new = true, known = 0,
    unverified = 0, late = false, trusted = true}
  for _, method in ipairs({"connected", "path_changed", "data_changed",
    "znode_deleted", "tick", "restart"})
  do
    one[method] = function(_, value, time)
      table.insert(told, string.format("%s %s %s", path, method,
        tostring(value)) .. (time and " " .. time or ""))
    end
  end
  function one.knows_nothing()
    return one.is_new
  end
  function one.is_behind()
    return one.late
  end
  function one.is_trusted()
    return one.trusted
  end
  function one.size()
    return one.known
  end
  function one.distrust()
    one.unverified = one.known
  end
  function one.is_unverified()
    return one.unverified > 0
  end
  function one.verify(_, most)
    local number = one.busy and 0 or math.min(most, one.unverified)
    one.unverified = one.unverified - number
    if number > 0 then
      table.insert(told, path .. " verify " .. number)
    end
    return number > 0
  end
  return one
end

describe("an ensemble", function()
  local clock, log, told, states, one, web

  before_each(function()
    clock, log, told, states = new_clock(), new_log(), {}, {}
    one = session.new({hosts = "zk1:2181", log = log, now = clock.now,
      wall = clock.now,
      random = function() return 0.5 end, resync_interval = 600,
      entered = function(from, to) table.insert(states, from .. " " .. to) end})
    web = new_path("/web", told)
    one:add(web)
    one.session = new_session(function(event) one:take(event) end)
  end)

  local function state(name, link)
    one:take({type = "session", state = name, link = link, client_id = "0x1",
      timeout = 10})
  end

  it("reads at once where nothing is known, and once", function()
    state("connected", "new_session")
    clock.pass(1)
    one:tick()
    assert.are.same({"/web connected false"}, told)
  end)

  it("gives ticks to a path that is to read again", function()
    local api = new_path("/api", told)
    one:add(api)
    api.retry_at = 5
    one:await(api)
    one:tick()
    one:tick()
    assert.are.same({"/api tick nil", "/api tick nil"}, told)
    api.retry_at = nil
    one:tick()
    one:tick()
    assert.are.equal(3, #told)
    api.retry_at = 7
    one:await(api)
    api.finish = function() return 0 end
    one:remove(api)
    one:tick()
    assert.are.equal(3, #told)
  end)

  -- Lists a path that the last run left with so many znodes.
  local function know(path, number)
    path.is_new, path.known = false, number
  end

  it("reads a little later where the last run left instances", function()
    know(web, 0)
    state("connected", "new_session")
    assert.are.same({}, told)
    clock.pass(0.5)
    one:tick()
    assert.are.same({}, told)
    clock.pass(0.001)
    one:tick()
    assert.are.same({"/web connected true"}, told)
  end)

  -- A thousand HAProxies whose sessions had ended asked for millions of znodes
  -- at once, and the list that had what is new was read after them.
  it("reads first lists, then data, and asks for what it has room for",
    function()
      local api = new_path("/api", told)
      one:add(api)
      know(web, 5)
      know(api, 10)
      one.session.window = 3
      state("connected", "new_session")
      clock.pass(0.502)
      one:tick()
      assert.are.same({"/api connected true", "/web connected true"}, told)
      one:tick()
      assert.are.equal(2, #told)
      clock.pass(0.01)
      one:tick()
      assert.are.same({"/web verify 3", "/api verify 3"},
        {table.unpack(told, 3)})
      for _ = 1, 9 do
        one:tick()
      end
      assert.are.same({"/web verify 2", "/api verify 3", "/api verify 3",
        "/api verify 1"}, {table.unpack(told, 5)})
    end)

  -- Of a fleet of two hundred, those that had their lists read data, and the
  -- others waited 20 s for the list that had what is new.
  it("leaves it to others to read their lists if its own took long", function()
    know(web, 40)
    one.session.window = 1
    one.session:get_children("/other", true)
    state("connected", "new_session")
    clock.pass(5)
    one:tick()
    clock.pass(2)
    one.session.reply("/other", {})
    assert.are.same({"/web connected true"}, told)
    clock.pass(39.9) -- half of 2 s for each znode
    one:tick()
    assert.are.equal(1, #told)
    clock.pass(0.2)
    one:tick()
    assert.are.equal("/web verify 1", told[2])
  end)

  it("asks for no more than it has room for", function()
    local api = new_path("/api", told)
    one:add(api)
    know(web, 1)
    know(api, 1)
    one.session.window = 1
    one.session:get_children("/other", true)
    state("connected", "new_session")
    clock.pass(5)
    one:tick()
    assert.are.same({}, told)
    one.session.reply("/other", {})
    assert.are.same({"/api connected true", "/web connected true"}, told)
    one.session:get_children("/other", true)
    one:tick()
    assert.are.equal(2, #told)
  end)

  it("goes round a path that reads something else", function()
    know(web, 2)
    local api = new_path("/api", told)
    one:add(api)
    know(api, 2)
    web.busy = true
    state("connected", "new_session")
    clock.pass(5)
    one:tick()
    one:tick()
    assert.are.equal("/api verify 2", told[#told])
    web.busy = false
    one:tick()
    assert.are.equal("/web verify 2", told[#told])
  end)

  -- Half of one second for a path, and half of a second for 2,000 znodes.
  it("takes longer to begin the more there is to read", function()
    know(web, 20000)
    for i = 1, 999 do
      local more = new_path("/" .. i, told)
      know(more, 0)
      one:add(more)
    end
    one.session.window = 10000
    state("connected", "new_session")
    clock.pass(0.999)
    one:tick()
    assert.are.equal(0, #told)
    clock.pass(0.002)
    one:tick()
    assert.are.equal(1000, #told)
    clock.pass(4.998)
    one:tick()
    assert.are.equal(1000, #told)
    clock.pass(0.002)
    one:tick()
    assert.are.equal("/web verify 10000", told[1001])
  end)

  it("reads no path that was removed meanwhile", function()
    know(web, 3)
    state("connected", "new_session")
    web.finish = function()
      web.unverified = 0
      return 0
    end
    one:remove(web)
    clock.pass(5)
    one:tick()
    one:tick()
    assert.are.same({}, told)
  end)

  it("does not read before that what it reads all of then", function()
    know(web, 0)
    state("connected", "new_session")
    state("connecting")
    state("connected", "same_handle")
    one:tick()
    assert.are.same({}, told)
    clock.pass(0.51)
    one:tick()
    one:tick()
    assert.are.same({"/web connected true"}, told)
  end)

  it("puts off nothing twice", function()
    know(web, 0)
    state("connected", "new_session")
    one:take({type = "overflow"})
    assert.are.same({"/web connected true"}, told)
    clock.pass(0.51)
    one:tick()
    assert.are.equal(1, #told)
    state("connected", "new_session")
    one:restart()
    clock.pass(0.51)
    one:tick()
    assert.are.same({"/web restart nil"}, {table.unpack(told, 2)})
  end)

  it("tells each change of its session's state, and counts", function()
    for _, name in ipairs({"connected", "connecting", "connecting",
      "expired", "connected"})
    do
      state(name, "new_session")
    end
    assert.are.same({"new connected", "connected connecting",
      "connecting expired", "expired connected"}, states)
    assert.are.same({2, 1}, {one.connections, one.expiries})
  end)

  -- The log had two lines for each connection, and the page "no connection".
  it("tells once why a server ends each connection", function()
    local function refuse()
      state("connected", "new_handle")
      one:take({type = "session", state = "connecting", error = "no rights"})
    end
    for _ = 1, 3 do
      refuse()
    end
    assert.are.equal("no rights", one.refusal)
    assert.are.equal(1, log.count("session with zk1:2181: connection ended " ..
      "by the server: no rights"))
    assert.are.equal(0, log.count("connection lost"))
    one:take({type = "reply", request = 1, code = -124})
    assert.are.equal("no rights", one.refusal)
    one:take({type = "reply", request = 2, code = 0})
    assert.is_nil(one.refusal)
    assert.are.equal(1, log.count("takes requests again"))
  end)

  -- The log had the client library's "Connection refused"; the page only
  -- said that there is no connection.
  it("knows why a server does not let it in", function()
    local refused = "10.0.0.1:2181: server refused (Connection refused)"
    local function note(line)
      one:note_line(line, "10.0.0.1:2181,[::1]:2181,10.0.0.2:2181")
    end
    state("connected", "new_session")
    note(refused)
    assert.is_nil(one.cause)
    state("connecting")
    note("10.0.0.9:2181: somebody else's")
    note("initiated connection to server")
    note("0.0.1:2181: nobody's")
    assert.is_nil(one.cause)
    note(refused)
    note("10.0.0.2:2181: connection timed out")
    assert.are.equal(refused, one.cause)
    note("10.0.0.1:2181: connection timed out")
    assert.are.equal("10.0.0.1:2181: connection timed out", one.cause)
    state("connected", "same_handle")
    assert.is_nil(one.cause)
    state("connecting")
    one:note_line("10.0.0.2:2181: of nobody's", nil)
    assert.is_nil(one.cause)
    note("::1:2181: connection timed out")
    assert.are.equal("::1:2181: connection timed out", one.cause)
  end)

  -- The page named a server that had left the list, and followed no other.
  it("blames no server that is no longer its own", function()
    state("connecting")
    one:note_line("10.0.0.1:2181: refused", "10.0.0.1:2181,10.0.0.2:2181")
    one:use_addresses("10.0.0.1:2181,10.0.0.3:2181")
    assert.are.equal("10.0.0.1:2181: refused", one.cause)
    one:use_addresses("10.0.0.2:2181,10.0.0.3:2181")
    assert.is_nil(one.cause)
    one:note_line("10.0.0.2:2181: timed out", "10.0.0.2:2181,10.0.0.3:2181")
    assert.are.equal("10.0.0.2:2181: timed out", one.cause)
  end)

  it("hands on when a watch fired", function()
    one:take({type = "watch", path = "/web", change = "children", time = 7})
    one:take({type = "watch", path = "/web/a", change = "data", time = 8})
    assert.are.same({"/web path_changed 7", "/web data_changed a 8"}, told)
    assert.are.equal(2, one.fired)
  end)

  -- Every list of every HAProxy was read at once when a server had gone. But
  -- ZooKeeper tells by the watches what they missed.
  it("trusts the watches of a handle that reconnected, and verifies at leisure",
    function()
      know(web, 3)
      one:tick()
      state("connected", "same_handle")
      clock.pass(59)
      one:tick()
      assert.are.same({}, told)
      clock.pass(1)
      one:tick()
      assert.are.same({"/web path_changed nil"}, told)
      assert.is_true(one.resync_at[web] - clock.now() == 600)
    end)

  it("verifies no later than it would have", function()
    know(web, 3)
    one:tick()
    state("connected", "same_handle")
    clock.pass(59)
    state("connected", "same_handle")
    clock.pass(1)
    one:tick()
    assert.are.same({"/web path_changed nil"}, told)
  end)

  it("reads at once what the connection broke", function()
    know(web, 3)
    web.late = true
    state("connected", "same_handle")
    assert.are.same({"/web connected true"}, told)
  end)

  -- A service that came while the connection was lost brings instances along.
  it("reads all data of what no handle has read, on the same handle", function()
    know(web, 3)
    web.late, web.trusted = true, false
    state("connected", "same_handle")
    assert.are.same({"/web connected false"}, told)
  end)

  it("reads everything a little later on a later session", function()
    state("connected", "new_session")
    state("expired")
    know(web, 0)
    state("connected", "new_session")
    one:tick()
    assert.are.same({"/web connected false"}, told)
    clock.pass(0.51)
    one:tick()
    assert.are.equal("/web connected true", told[2])
  end)

  it("reads everything though the connection broke before it was time",
    function()
      state("connected", "new_session")
      know(web, 2)
      state("connected", "new_handle")
      state("connecting")
      clock.pass(5)
      one:tick()
      assert.are.same({"/web connected false"}, told)
      state("connected", "same_handle")
      one:tick()
      one:tick()
      assert.are.same({"/web connected true", "/web verify 2"},
        {table.unpack(told, 2)})
    end)

  it("hands each reply once, to the request that it answers", function()
    local answers = {}
    local request = one:requester()
    assert.is_true(request("get", "/web/a", function(event)
      table.insert(answers, event.data)
    end))
    one.session.reply("/web/a", {data = "x"})
    one:take({type = "reply", request = 1, data = "again"})
    assert.are.same({"x"}, answers)
  end)

  it("cannot be asked without a session, or without a connection", function()
    local request = one:requester()
    one.session.connected = false
    assert.is_false(request("get", "/web/a", error))
    one.session = nil
    assert.is_false(request("get", "/web/a", error))
  end)

  it("tells a path that its path changed", function()
    one:take({type = "watch", path = "/web", change = "children"})
    assert.are.same({"/web path_changed nil"}, told)
  end)

  it("tells a path whose znode has new data", function()
    one:take({type = "watch", path = "/web/a_1", change = "data"})
    assert.are.same({"/web data_changed a_1"}, told)
  end)

  it("tells a path that a znode of its was deleted", function()
    one:take({type = "watch", path = "/web/a_1", change = "deleted"})
    assert.are.same({"/web znode_deleted a_1"}, told)
  end)

  it("tells all paths of a path", function()
    one:add(new_path("/web", told))
    one:take({type = "watch", path = "/web", change = "children"})
    assert.are.same({"/web path_changed nil", "/web path_changed nil"}, told)
  end)

  it("shows its credentials to the session, and says nothing of them",
    function()
      local shown
      one.deps.auth = {scheme = "digest", secret = "a:b"}
      one:open({add_auth = function(_, ...) shown = {...} end})
      assert.are.same({"digest", "a:b"}, shown)
      state("auth_failed")
      assert.are.equal(1, log.count("credentials refused"))
      assert.are.equal(0, log.count("a:b"))
    end)

  it("makes an empty znode that stays", function()
    local made
    one.session.create = function(_, ...)
      made = {...}
      return 1
    end
    one:requester()("create", "/web", error)
    assert.are.same({"/web", ""}, made)
  end)

  it("finds the path of the root", function()
    one:add(new_path("/", told))
    one:take({type = "watch", path = "/a", change = "data"})
    assert.are.same({"/ data_changed a"}, told)
  end)

  it("reads everything again after an overflow", function()
    one:take({type = "overflow"})
    assert.are.same({"/web connected false"}, told)
    know(web, 2)
    state("connected", "same_handle")
    one:take({type = "overflow"})
    one:tick()
    assert.are.same({"/web connected true", "/web verify 2"},
      {table.unpack(told, 2)})
  end)

  -- A server used up a watch without telling: nothing was heard of the path
  -- any more.
  it("reads each list again at times while it is connected", function()
    local function hears_on_tick()
      local before = #told
      one:tick()
      return table.concat(told, ", ", before + 1)
    end
    state("connected", "new_session")
    one:tick()
    clock.pass(299)
    assert.are.equal("", hears_on_tick())
    clock.pass(1)
    assert.are.equal("/web path_changed nil", hears_on_tick())
    state("connecting")
    clock.pass(600)
    assert.are.equal("", hears_on_tick())
    state("connected", "same_handle")
    assert.are.equal("/web path_changed nil", hears_on_tick())
  end)

  -- A watch of data can be lost as well: a weight stayed as it was for ever.
  it("reads all data again in every sixth resync", function()
    know(web, 2)
    state("connected", "same_handle")
    clock.pass(60)
    one:tick()
    local heard = {}
    for i = 1, 12 do
      clock.pass(600)
      one:tick()
      one:tick()
      heard[i] = told[#told]:match("^/web (%S+)")
    end
    assert.are.equal(("path_changed "):rep(4) .. "verify " ..
      ("path_changed "):rep(5) .. "verify path_changed",
      table.concat(heard, " "))
  end)

  it("has room for the watches of one packet", function()
    assert.is_true(one:take_room(800000 - (#"/web" + 4)))
    assert.is_false(one:take_room(100001))
    assert.is_true(one:take_room(100000))
    one:give_room(100001)
    assert.is_true(one:take_room(100001))
  end)

  it("says once that the connection is lost", function()
    state("connected", "new_session")
    state("connecting")
    state("connecting")
    assert.are.equal(1, log.count("connection lost, servers stay"))
  end)

  it("names the directive when threads cannot be started", function()
    state("no_threads")
    assert.are.equal(1, log.count("alert: session with zk1:2181"))
    assert.are.equal(1, log.count("`insecure-fork-wanted`"))
  end)

  it("forgets what was asked when it starts again", function()
    one:requester()("get", "/web/a", error)
    one:restart()
    one.session.reply("/web/a", {data = "x"})
    assert.are.same({"/web restart nil"}, told)
  end)
end)
