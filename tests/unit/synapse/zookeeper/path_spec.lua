local decode = require("synapse.zookeeper.decode")
local znodes = require("synapse.zookeeper.znodes")
local path = require("synapse.zookeeper.path")
local new_clock = dofile("tests/fake/clock.lua")
local new_log = dofile("tests/fake/log.lua")
local new_session = dofile("tests/fake/session.lua")

local CODES = {ok = 0, connection_loss = -4, no_node = -101, no_auth = -102,
  node_exists = -110}
local LOST = {code = -4, error = "connection loss"}
local DENIED = {code = -102, error = "not authenticated"}
local GONE = {code = -101, error = "no node"}

local function data(port)
  return string.format('{"host":"10.0.0.1","port":%d}', port)
end

describe("a path", function()
  local clock, log, session, handlers, changes, reports, since, one, room
  local awaited -- when it asked for ticks

  local function new(known, max, more)
    handlers, changes, reports, since, room = {}, 0, {}, nil, 100
    session = new_session(function(event)
      handlers[event.request](event)
    end)
    more = more or {}
    one = path.new({
      path = "/web", max_instances = max or 1000, known = known,
      reader = znodes.reader(decode.new({method = more.method or "nerve"})),
      pause = more.pause or 0, like = more.like,
      create_path = more.create_path, origin = more.origin,
      codes = CODES, now = clock.now, log = log,
      take_room = function()
        local has_room = room > 0
        room = has_room and room - 1 or room
        return has_room
      end,
      give_room = function() room = room + 1 end,
      awaits = function(waiting) awaited = waiting.retry_at end,
      changed = function(time) changes, since = changes + 1, time end,
      moved = function() end,
      reported = function(name, problem)
        table.insert(reports, name .. ": " .. (problem or "good"))
      end,
      request = function(op, place, handler)
        local number = session[op](session, place, op ~= "create" or "")
        if number then
          handlers[number] = handler
        end
        return number ~= nil
      end,
    })
  end

  local function ports()
    local list = {}
    for _, made in ipairs(one:instances()) do
      list[#list + 1] = made.port
    end
    table.sort(list)
    return list
  end

  local function read(names)
    session.reply("/web", {children = names})
  end

  -- Brings it to two instances, all quiet.
  local function settle()
    one:connected(false)
    read({"a_1", "b_2"})
    session.reply_data("/web/a_1", data(1))
    session.reply_data("/web/b_2", data(2))
    assert.are.same({1, 2}, ports())
    assert.are.same({}, session.open())
    changes = 0
  end

  before_each(function()
    clock, log = new_clock(), new_log()
    new()
  end)

  it("reads the list, then each znode, all with a watch", function()
    one:connected(false)
    assert.are.same({"get_children /web"}, session.open())
    read({"a_1", "b_2"})
    assert.are.same({"get /web/a_1", "get /web/b_2"}, session.open())
    assert.is_true(session.watched["/web"])
    assert.is_true(session.watched["/web/a_1"])
  end)

  it("has room for as many watches as it has znodes", function()
    settle()
    assert.are.equal(98, room)
    for _ = 1, 2 do
      one:path_changed()
      read({"a_1"})
      assert.are.equal(99, room)
      one:path_changed()
      read({"a_1", "b_2"})
      assert.are.equal(98, room)
      session.reply_data("/web/b_2", data(2))
    end
  end)

  it("keeps no room for a znode that went before its read", function()
    settle()
    one:path_changed()
    read({"a_1", "b_2", "c_3"})
    assert.are.equal(97, room)
    session.reply("/web/c_3", GONE)
    assert.are.equal(98, room)
  end)

  it("says each time when it gets more znodes than are allowed", function()
    local function too_many()
      return log.count("max_instances allows 1")
    end
    new(nil, 1)
    one:connected(false)
    read({"a_1", "b_2"})
    session.reply_data("/web/a_1", data(1))
    assert.are.equal(1, too_many())
    one:path_changed()
    read({"a_1", "b_2", "c_3"})
    assert.are.equal(1, too_many())
    one:path_changed()
    read({"a_1"})
    one:path_changed()
    read({"a_1", "b_2"})
    assert.are.equal(2, too_many())
  end)

  it("says why it cannot wait for the path, and reads it again", function()
    one:connected(false)
    session.reply("/web", GONE)
    assert.are.same({"exists /web"}, session.open())
    session.reply("/web", DENIED)
    assert.are.equal(1, log.count("cannot be waited for: not authenticated"))
    assert.are.equal("not authenticated", one.why)
    clock.pass(1)
    one:tick()
    assert.are.same({"get_children /web"}, session.open())
  end)

  it("reads once where a retry was due and a connection came", function()
    one:connected(false)
    session.reply("/web", DENIED)
    one:connected(false)
    assert.are.same({"get_children /web"}, session.open())
    clock.pass(3600)
    one:tick()
    assert.are.same({"get_children /web"}, session.open())
  end)

  it("waits a whole second when a read fails after a new connection", function()
    one:connected(false)
    session.reply("/web", DENIED)
    clock.pass(0.5)
    one:connected(false)
    session.reply("/web", DENIED)
    clock.pass(0.5)
    one:tick()
    assert.are.same({}, session.open())
    clock.pass(0.5)
    one:tick()
    assert.are.same({"get_children /web"}, session.open())
  end)

  it("takes effect when the last read was answered, as a whole", function()
    one:connected(false)
    read({"a_1", "b_2"})
    session.reply_data("/web/b_2", data(2))
    assert.are.same({}, ports())
    assert.are.equal(0, changes)
    session.reply_data("/web/a_1", data(1))
    assert.are.same({1, 2}, ports())
    assert.are.equal(1, changes)
  end)

  it("lists its instances sorted, in whatever order they came", function()
    settle()
    one:path_changed()
    read({"b_2", "c_3", "a_1"})
    session.reply_data("/web/c_3", data(10))
    local keys = {}
    for i, made in ipairs(one:instances()) do
      keys[i] = made.key
    end
    assert.are.same({"10.0.0.1:1", "10.0.0.1:10", "10.0.0.1:2"}, keys)
  end)

  it("reads no znode whose name carries the data", function()
    one:connected(false)
    read({"base64_40_eyJob3N0IjoiMTAuMC4wLjEiLCJwb3J0Ijo4MH0=_0000000001"})
    assert.are.same({}, session.open())
    assert.are.same({80}, ports())
  end)

  it("reads after a change of the list only what it does not know", function()
    settle()
    one:path_changed()
    read({"a_1", "b_2", "c_3"})
    assert.are.same({"get /web/c_3"}, session.open())
    session.reply_data("/web/c_3", data(3))
    assert.are.same({1, 2, 3}, ports())
  end)

  it("drops an instance that is not listed any more", function()
    settle()
    one:path_changed()
    read({"b_2"})
    assert.are.same({2}, ports())
    assert.are.equal(1, changes)
  end)

  it("never lacks an instance that registers again under another name",
    function()
      settle()
      one:path_changed()
      read({"b_2", "a_3"})
      assert.are.same({1, 2}, ports())
      session.reply_data("/web/a_3", data(1))
      assert.are.same({1, 2}, ports())
    end)

  it("reads a znode again when its data changed", function()
    settle()
    one:data_changed("a_1")
    assert.are.same({"get /web/a_1"}, session.open())
    session.reply_data("/web/a_1", data(7))
    assert.are.same({2, 7}, ports())
  end)

  it("reads again what changed while it was being read", function()
    settle()
    one:data_changed("a_1")
    one:data_changed("a_1")
    one:path_changed()
    session.reply_data("/web/a_1", data(7))
    assert.are.same({"get_children /web"}, session.open())
    read({"a_1", "b_2"})
    assert.are.same({"get /web/a_1"}, session.open())
    session.reply_data("/web/a_1", data(8))
    assert.are.same({2, 8}, ports())
  end)

  it("reads a name again whose znode was deleted and made again", function()
    settle()
    one:znode_deleted("a_1")
    assert.are.same({}, session.open())
    one:path_changed()
    read({"a_1", "b_2"})
    session.reply_data("/web/a_1", data(7))
    assert.are.same({2, 7}, ports())
  end)

  -- A pass takes effect as a whole, so what it has read already is not known
  -- yet. A change of it then was taken for that of a stranger: the watch was
  -- used up, and the instance kept its first weight for ever.
  it("reads again what changed after its read, in the same pass", function()
    one:connected(false)
    read({"a_1", "b_2"})
    session.reply_data("/web/a_1", data(1))
    one:data_changed("a_1")
    session.reply_data("/web/b_2", data(2))
    assert.are.same({"get /web/a_1"}, session.open())
    session.reply_data("/web/a_1", data(7))
    assert.are.same({2, 7}, ports())
  end)

  it("reads again what was made again after its read, in the same pass",
    function()
      one:connected(false)
      read({"a_1", "b_2"})
      session.reply_data("/web/a_1", data(1))
      one:znode_deleted("a_1")
      one:path_changed()
      session.reply_data("/web/b_2", data(2))
      read({"a_1", "b_2"})
      assert.are.same({"get /web/a_1"}, session.open())
      session.reply_data("/web/a_1", data(7))
      assert.are.same({2, 7}, ports())
    end)

  it("makes one read of many changes", function()
    settle()
    for _ = 1, 20 do
      one:path_changed()
    end
    assert.are.same({"get_children /web"}, session.open())
    read({"a_1", "b_2"})
    assert.are.same({"get_children /web"}, session.open())
    read({"a_1", "b_2"})
    assert.are.same({}, session.open())
  end)

  -- A client restores all watches of a session in one packet, which a server
  -- refuses above 1 MB: the session ended in reconnects without an end.
  it("refuses a name that is too long to be watched", function()
    local long = ("x"):rep(256)
    one:connected(false)
    read({"a_1", long})
    session.reply_data("/web/a_1", data(1))
    assert.are.same({1}, ports())
    assert.are.equal("read", one.state)
    assert.are.equal("its name has 256 bytes (at most 255); refused",
      one:problems()[1].problem)
  end)

  it("uses a name as long as can be watched", function()
    local long = ("x"):rep(255)
    one:connected(false)
    read({long})
    session.reply_data("/web/" .. long, data(1))
    assert.are.same({1}, ports())
    assert.are.same({}, one:problems())
  end)

  it("refuses a znode that its session has no room to watch", function()
    room = 1
    one:connected(false)
    read({"a_1", "b_2"})
    assert.are.same({"get /web/a_1"}, session.open())
    session.reply_data("/web/a_1", data(1))
    assert.are.equal("its session has no room to watch it; refused",
      one:problems()[1].problem)
    one:path_changed()
    read({"b_2"})
    assert.are.equal(1, room)
    clock.pass(1)
    one:tick()
    session.reply_data("/web/b_2", data(2))
    assert.are.same({2}, ports())
  end)

  it("skips a znode that went between list and read", function()
    settle()
    one:path_changed()
    read({"a_1", "b_2", "c_3"})
    session.reply("/web/c_3", GONE)
    assert.are.same({1, 2}, ports())
  end)

  it("reads a znode that went and is listed again", function()
    settle()
    one:path_changed()
    read({"a_1", "b_2", "c_3"})
    session.reply("/web/c_3", GONE)
    one:path_changed()
    read({"a_1", "b_2", "c_3"})
    session.reply_data("/web/c_3", data(3))
    assert.are.same({1, 2, 3}, ports())
  end)

  it("reads the list alone when its watches live on", function()
    settle()
    one:connected(true)
    assert.are.same({"get_children /web"}, session.open())
    read({"a_1", "b_2"})
    assert.are.same({}, session.open())
  end)

  it("reads everything again when its watches are gone", function()
    settle()
    one:connected(false)
    read({"a_1", "b_2"})
    assert.are.same({"get /web/a_1", "get /web/b_2"}, session.open())
    assert.are.same({1, 2}, ports())
  end)

  it("verifies what it knows, some at a time and each once", function()
    settle()
    one:distrust()
    assert.is_true(one:is_unverified())
    assert.is_true(one:verify(1))
    assert.are.equal(1, #session.asked)
    assert.is_false(one:verify(1))
    local first = session.asked[1].path
    session.reply_data(first, data(first == "/web/a_1" and 1 or 2))
    assert.is_true(one:is_unverified())
    assert.is_true(one:verify(5))
    assert.are.equal(1, #session.asked)
    assert.are_not.equal(first, session.asked[1].path)
    assert.is_false(one:is_unverified())
    session.reply_data(session.asked[1].path, data(3))
    assert.is_false(one:verify(5))
    assert.are.same({}, session.open())
    assert.are.equal(2, #ports())
  end)

  it("verifies all of it again, and once, if the watches go again", function()
    settle()
    one:distrust()
    one:verify(1)
    local first = session.asked[1].path
    session.reply_data(first, data(first == "/web/a_1" and 1 or 2))
    one:distrust()
    one:verify(2)
    local asked = session.open()
    table.sort(asked)
    assert.are.same({"get /web/a_1", "get /web/b_2"}, asked)
    assert.is_false(one:is_unverified())
  end)

  it("goes on verifying where it had begun before the watches went", function()
    settle()
    one:distrust()
    one:verify(2)
    session.connected = false
    session.reply("/web/a_1", LOST)
    session.reply("/web/b_2", LOST)
    assert.is_true(one:is_behind())
    session.connected = true
    one:distrust()
    one:connected(true)
    read({"a_1", "b_2"})
    session.reply_data("/web/a_1", data(1))
    session.reply_data("/web/b_2", data(2))
    assert.is_false(one:is_behind())
    assert.is_true(one:is_unverified())
  end)

  it("verifies nothing that the list has no more", function()
    settle()
    one:distrust()
    one:path_changed()
    read({"b_2"})
    assert.is_true(one:verify(5))
    assert.are.same({"get /web/b_2"}, session.open())
  end)

  it("is behind until it was read, and while it reads", function()
    assert.is_true(one:is_behind())
    settle()
    assert.is_false(one:is_behind())
    one:data_changed("a_1")
    assert.is_true(one:is_behind())
    session.reply_data("/web/a_1", data(1))
    assert.is_false(one:is_behind())
    assert.are.equal(2, one:size())
  end)

  -- What a pass has read may have changed since, and the watch that would tell
  -- is gone with the queue's other events.
  it("verifies also what a pass under way has read", function()
    settle()
    one:path_changed()
    read({"a_1", "b_2", "c_3", "d_4"})
    session.reply_data("/web/c_3", data(3))
    one:distrust()
    session.reply_data("/web/d_4", data(4))
    one:verify(9)
    assert.are.same({"get /web/a_1", "get /web/b_2", "get /web/c_3",
      "get /web/d_4"}, session.open())
  end)

  it("trusts what it has read or is to verify, and not what it began with",
    function()
      new({{key = "10.0.0.1:1", port = 1, znode = "a_1"}})
      assert.is_false(one:is_trusted())
      one:distrust()
      assert.is_true(one:is_trusted())
      settle()
      assert.is_true(one:is_trusted())
    end)

  -- A restart reads all of it.
  it("has nothing to verify after a restart", function()
    settle()
    one:distrust()
    one:restart()
    assert.is_false(one:is_unverified())
    read({"a_1", "b_2"})
    assert.are.same({"get /web/a_1", "get /web/b_2"}, session.open())
  end)

  -- What it knew was read znode by znode, and the path was said to be read.
  it("verifies nothing while its path is missing", function()
    settle()
    one:distrust()
    one:connected(true)
    session.reply("/web", GONE)
    assert.is_false(one:verify(5))
    session.reply("/web", GONE)
    assert.is_false(one:verify(5))
    assert.are.same({}, session.open())
    assert.are.equal("missing", one.state)
    one:path_changed()
    read({"a_1", "b_2"})
    assert.are.same({"get /web/a_1", "get /web/b_2"}, session.open())
  end)

  -- The watch that would tell that it is made could not be asked for, and
  -- nothing was read before the next resync.
  it("is behind while its path is missing", function()
    settle()
    one:path_changed()
    session.connected = false
    session.reply("/web", GONE)
    assert.are.same({}, session.open())
    session.connected = true
    assert.is_true(one:is_behind())
    one:connected(true)
    read({"c_3"})
    assert.are.same({"get /web/c_3"}, session.open())
  end)

  it("verifies nothing once nobody reads it", function()
    settle()
    one:distrust()
    one:finish()
    assert.is_false(one:is_unverified())
    assert.is_false(one:verify(5))
    assert.are.same({}, session.open())
  end)

  it("keeps what it knows while it is cut off, and reads when it is back",
    function()
      settle()
      one:path_changed()
      session.connected = false
      session.reply("/web", LOST)
      assert.are.same({1, 2}, ports())
      session.connected = true
      one:connected(true)
      assert.are.same({"get_children /web"}, session.open())
    end)

  it("reads after a reconnect what the lost connection left unread",
    function()
      settle()
      one:path_changed()
      read({"a_1", "b_2", "c_3"})
      session.connected = false
      session.reply("/web/c_3", LOST)
      assert.are.same({1, 2}, ports())
      session.connected = true
      one:connected(true)
      read({"a_1", "b_2", "c_3"})
      session.reply_data("/web/c_3", data(3))
      assert.are.same({1, 2, 3}, ports())
    end)

  it("reads it in a new session as well", function()
    settle()
    one:path_changed()
    read({"a_1", "b_2", "c_3"})
    session.connected = false
    session.reply("/web/c_3", LOST)
    session.connected = true
    one:connected(false)
    read({"a_1", "b_2", "c_3"})
    for port, name in ipairs({"a_1", "b_2", "c_3"}) do
      session.reply_data("/web/" .. name, data(port))
    end
    assert.are.same({1, 2, 3}, ports())
  end)

  it("drops what has gone when one left unread went with it", function()
    settle()
    one:path_changed()
    read({"a_1", "b_2", "c_3"})
    session.connected = false
    session.reply("/web/c_3", LOST)
    session.connected = true
    one:connected(true)
    read({"b_2"})
    assert.are.same({2}, ports())
    assert.is_false(one:is_behind())
  end)

  -- The list had said that the old name is gone, and the new name's data was
  -- lost with the connection: the instance was taken out of traffic until the
  -- next connection, whole services of them when an ensemble restarted.
  it("lacks no instance whose new name the lost connection left unread",
    function()
      settle()
      one:path_changed()
      read({"b_2", "a_3"})
      session.connected = false
      session.reply("/web/a_3", LOST)
      assert.are.same({1, 2}, ports())
      session.connected = true
      one:connected(true)
      read({"b_2", "a_3"})
      assert.are.same({1, 2}, ports())
      session.reply_data("/web/a_3", data(3))
      assert.are.same({2, 3}, ports())
    end)

  -- After an outage nerves register again while the list is read again: an old
  -- name that was gone by its turn took the instance out until the new one was
  -- read.
  it("lacks no instance that registers again while everything is read again",
    function()
      settle()
      one:connected(false)
      read({"a_1", "b_2"})
      one:path_changed()
      session.reply("/web/a_1", GONE)
      session.reply_data("/web/b_2", data(2))
      assert.are.same({1, 2}, ports())
      read({"b_2", "a_3"})
      assert.are.same({1, 2}, ports())
      session.reply_data("/web/a_3", data(3))
      assert.are.same({2, 3}, ports())
    end)

  -- A znode went while it was read, which only a new list can explain. But the
  -- next pass was one that tried an unreadable znode again, without a list, and
  -- took the instance out.
  it("removes nothing that went before a new list tells what has come",
    function()
      settle()
      one:path_changed()
      read({"a_1", "b_2", "c_3"})
      session.reply("/web/c_3", DENIED)
      one:data_changed("b_2")
      session.reply("/web/b_2", GONE)
      assert.are.same({1, 2}, ports())
      clock.pass(2)
      one:tick()
      session.reply("/web/c_3", DENIED)
      assert.are.same({1, 2}, ports())
      one:path_changed()
      read({"a_1", "c_3"})
      assert.are.same({1}, ports())
    end)

  it("keeps a name that is back when the connection is", function()
    settle()
    one:path_changed()
    read({"b_2", "c_3"})
    session.connected = false
    session.reply("/web/c_3", LOST)
    session.connected = true
    one:connected(true)
    read({"a_1", "b_2"})
    session.reply_data("/web/a_1", data(1))
    assert.are.same({1, 2}, ports())
  end)

  it("does nothing while it is not connected", function()
    session.connected = false
    one:path_changed()
    assert.are.same({}, session.open())
  end)

  -- Without memory for a request no connection is lost, so none came back to
  -- have it sent, and what was gone waited for it.
  it("asks again for what could not be asked for", function()
    settle()
    session.connected = false
    one:data_changed("a_1")
    session.connected = true
    clock.pass(1)
    one:tick()
    assert.are.same({"get /web/a_1"}, session.open())
    session.reply_data("/web/a_1", data(1))
    session.connected = false
    one:path_changed()
    session.connected = true
    clock.pass(1)
    one:tick()
    assert.are.same({"get_children /web"}, session.open())
  end)

  describe("that may not read", function()
    it("keeps its instances and says why, once", function()
      settle()
      for _ = 1, 3 do
        one:path_changed()
        session.reply("/web", DENIED)
      end
      assert.are.same({1, 2}, ports())
      assert.are.equal(1, log.count(
        "warning: /web: cannot be read: not authenticated"))
    end)

    it("says when it can read again", function()
      settle()
      assert.are.same({}, log.lines)
      one:path_changed()
      session.reply("/web", DENIED)
      clock.pass(1)
      one:tick()
      read({"a_1", "b_2"})
      assert.are.equal(1, log.count("info: /web: can be read again"))
    end)

    it("tries again after growing delays, and begins with a second", function()
      local function seconds()
        local number = 0
        assert.are.equal(one.retry_at, awaited)
        repeat
          clock.pass(1)
          one:tick()
          number = number + 1
        until #session.open() > 0
        return number
      end
      settle()
      for _ = 1, 2 do
        one:data_changed("a_1")
        for _, delay in ipairs({1, 2, 4, 8, 16, 30, 30}) do
          session.reply("/web/a_1", DENIED)
          assert.are.equal(delay, seconds())
        end
        session.reply_data("/web/a_1", data(1))
      end
    end)

    it("one znode keeps it as it was, and takes the others", function()
      settle()
      one:connected(false)
      read({"a_1", "b_2"})
      session.reply("/web/a_1", DENIED)
      session.reply_data("/web/b_2", data(9))
      assert.are.same({1, 9}, ports())
      clock.pass(1)
      one:tick()
      assert.are.same({"get /web/a_1"}, session.open())
      session.reply_data("/web/a_1", data(8))
      assert.are.same({8, 9}, ports())
    end)

    -- One child that nobody may read made an error of the whole path: the
    -- service was degraded and /ready was 503 in the whole fleet.
    it("one znode is a refused one, and the path is read", function()
      one:connected(false)
      read({"a_1", "b_2"})
      session.reply("/web/a_1", DENIED)
      session.reply_data("/web/b_2", data(2))
      assert.are.equal("read", one.state)
      assert.are.same({2}, ports())
      local problem = one:problems()[1]
      assert.are.same({"a_1", "cannot be read: not authenticated", true},
        {problem.znode, problem.problem, problem.is_refused})
      assert.are.same({"a_1: cannot be read: not authenticated"}, reports)
      for _, delay in ipairs({1, 2, 4, 8, 16, 30, 30}) do
        clock.pass(delay)
        one:tick()
        session.reply("/web/a_1", DENIED)
      end
      assert.are.equal(1, log.count("/web/a_1 cannot be read: not auth"))
      clock.pass(30)
      one:tick()
      session.reply_data("/web/a_1", data(1))
      assert.are.same({1, 2}, ports())
      assert.are.same({}, one:problems())
    end)
  end)

  it("tries a failing path later and later, at most every 30 s", function()
    one:connected(false)
    for _, delay in ipairs({1, 2, 4, 8, 16, 30, 30}) do
      session.reply("/web", DENIED)
      clock.pass(delay - 0.1)
      one:tick()
      assert.are.same({}, session.open())
      clock.pass(0.1)
      one:tick()
      assert.are.same({"get_children /web"}, session.open())
    end
  end)

  describe("whose path is missing", function()
    it("keeps its instances and waits for the path with a watch", function()
      settle()
      one:path_changed()
      session.reply("/web", GONE)
      assert.are.same({"exists /web"}, session.open())
      session.reply("/web", GONE)
      assert.are.same({1, 2}, ports())
      assert.are.same({}, session.open())
      assert.are.equal(1,
        log.count("/web: no such znode; 2 instances are kept"))
    end)

    it("says that it keeps one, or that there were none", function()
      one:connected(false)
      read({"a_1"})
      session.reply_data("/web/a_1", data(1))
      one:path_changed()
      session.reply("/web", GONE)
      assert.are.equal(1, log.count("no such znode; 1 instance is kept"))
      new()
      one:connected(false)
      session.reply("/web", GONE)
      assert.are.equal(1, log.count("no such znode; no instance was known"))
    end)

    it("reads when the path is made", function()
      one:connected(false)
      session.reply("/web", GONE)
      session.reply("/web", GONE)
      one:path_changed()
      read({"a_1"})
      session.reply_data("/web/a_1", data(1))
      assert.are.same({1}, ports())
    end)

    -- A path deleted and made again counts from zero: its first znode had the
    -- name of another one before, and the old instance went on being served.
    it("reads again a name that comes back with the path", function()
      settle()
      one:path_changed()
      session.reply("/web", GONE)
      session.reply("/web", GONE)
      one:path_changed()
      read({"a_1"})
      session.reply_data("/web/a_1", data(7))
      assert.are.same({7}, ports())
    end)

    -- One that could not be read came back with the path, and was not read
    -- before the next connection.
    it("reads also what could not be read before", function()
      settle()
      one:path_changed()
      read({"a_1", "b_2", "c_3"})
      session.reply("/web/c_3", DENIED)
      one:path_changed()
      session.reply("/web", GONE)
      session.reply("/web", GONE)
      one:path_changed()
      read({"c_3"})
      session.reply_data("/web/c_3", data(3))
      assert.are.same({3}, ports())
    end)

    -- One znode could not be read and was to be tried again. Then the path
    -- went, and the next try found every znode gone: all were taken out.
    it("tries no znode again below it", function()
      settle()
      one:data_changed("a_1")
      session.reply("/web/a_1", DENIED)
      one:path_changed()
      session.reply("/web", GONE)
      session.reply("/web", GONE)
      clock.pass(2)
      one:tick()
      assert.are.same({}, session.open())
      assert.are.same({1, 2}, ports())
    end)

    it("reads at once when the path was made meanwhile", function()
      one:connected(false)
      session.reply("/web", GONE)
      session.reply("/web", {stat = {}})
      assert.are.same({"get_children /web"}, session.open())
    end)
  end)

  describe("that meets a bad znode", function()
    it("refuses it, says why, and takes the others", function()
      one:connected(false)
      read({"a_1", "b_2"})
      session.reply_data("/web/a_1", "rubbish")
      session.reply_data("/web/b_2", data(2))
      assert.are.same({2}, ports())
      assert.are.equal(1, log.count("/web/a_1 is not JSON"))
    end)

    it("does not say the same twice", function()
      one:connected(false)
      read({"a_1"})
      session.reply_data("/web/a_1", "rubbish")
      one:connected(false)
      read({"a_1"})
      session.reply_data("/web/a_1", "rubbish")
      assert.are.equal(1, log.count("/web/a_1"))
    end)

    it("keeps an instance whose data turned bad", function()
      settle()
      one:data_changed("a_1")
      session.reply_data("/web/a_1", "rubbish")
      assert.are.same({1, 2}, ports())
    end)

    -- The page makes the view of a service again when the version differs.
    it("tells when a znode turns bad, good again, and goes", function()
      settle()
      for _, text in ipairs({"rubbish", data(1), "rubbish"}) do
        local before = one.version
        one:data_changed("a_1")
        session.reply_data("/web/a_1", text)
        assert.is_true(one.version > before)
      end
      one:path_changed()
      read({"b_2"})
      local bad = "a_1: is not JSON of at most 16 levels; refused"
      assert.are.same({bad, "a_1: good", bad, "a_1: good"}, reports)
    end)

    it("lists them with what they hold, cut", function()
      settle()
      one:path_changed()
      read({"a_1", "b_2", "c_3"})
      session.reply_data("/web/c_3", ("x"):rep(5000))
      one:data_changed("a_1")
      session.reply_data("/web/a_1", "rubbish")
      local list = one:problems()
      assert.are.equal("a_1 false rubbish", string.format("%s %s %s",
        list[1].znode, list[1].is_refused, list[1].data))
      assert.are.equal("c_3 true 2048", string.format("%s %s %d",
        list[2].znode, list[2].is_refused, #list[2].data))
    end)
  end)

  describe("with the time of a watch", function()
    it("hands it on with what the watch told of", function()
      settle()
      one:path_changed(7)
      one:path_changed(8)
      read({"a_1"})
      assert.are.equal(7, since)
      read({"a_1"})
      assert.are.equal(8, since)
      one:data_changed("a_1", 9)
      session.reply_data("/web/a_1", data(1))
      assert.are.equal(9, since)
      one:connected(true)
      read({"a_1"})
      assert.is_nil(since)
    end)

    it("keeps it while nothing can be asked for", function()
      settle()
      session.connected = false
      one:path_changed(7)
      session.connected = true
      one:connected(true)
      read({"a_1"})
      assert.are.equal(7, since)
    end)

    it("keeps it while the path cannot be read", function()
      settle()
      one:path_changed(7)
      session.reply("/web", {code = -4, error = "connection loss"})
      one:connected(true)
      read({"a_1"})
      assert.are.equal(7, since)
    end)
  end)

  describe("with more znodes than it may use", function()
    it("keeps those that serve and refuses newcomers", function()
      new(nil, 2)
      settle()
      one:path_changed()
      read({"0_9", "a_1", "b_2", "c_3"})
      assert.are.same({}, session.open())
      assert.are.same({1, 2}, ports())
      assert.are.equal(1, log.count(
        "error: /web: has 4 znodes, and max_instances allows 2"))
    end)

    -- Whoever may write to a path could hide all others below it.
    it("counts only those whose names are like the patterns", function()
      new(nil, 2, {like = {"a_*", "b_*"}})
      one:connected(false)
      read({"0_1", "0_2", "a_1", "b_2"})
      assert.are.same({"get /web/a_1", "get /web/b_2"}, session.open())
      session.reply_data("/web/a_1", data(1))
      session.reply_data("/web/b_2", data(2))
      one:path_changed()
      read({"0_3", "a_1", "b_3", "c_4"})
      assert.are.same({"get /web/b_3"}, session.open())
      session.reply_data("/web/b_3", data(3))
      assert.are.same({1, 3}, ports())
      assert.are.equal(0, log.count("max_instances"))
    end)

    it("takes a newcomer when one has gone", function()
      new(nil, 2)
      settle()
      one:path_changed()
      read({"b_2", "c_3", "d_4"})
      assert.are.same({"get /web/c_3"}, session.open())
    end)
  end)

  it("knows nothing until a read succeeds", function()
    one:connected(false)
    assert.is_true(one:knows_nothing())
    read({})
    assert.is_false(one:knows_nothing())
  end)

  describe("with a snapshot", function()
    before_each(function()
      new({{key = "10.0.0.1:1", port = 1, znode = "a_1"},
        {key = "10.0.0.1:2", port = 2, znode = "b_2"}})
    end)

    it("knows its instances before it has read anything", function()
      assert.are.same({1, 2}, ports())
    end)

    -- Two services of one path each remember it: the second memory of an
    -- instance was never taken back.
    it("knows a znode once that two services remember", function()
      new({{key = "10.0.0.1:1", port = 1, znode = "a_1"},
        {key = "10.0.0.1:1", port = 1, znode = "a_1"}})
      assert.are.same({1}, ports())
      one:connected(false)
      read({})
      assert.are.same({}, ports())
    end)

    it("reads all of them again", function()
      one:connected(false)
      read({"b_2"})
      assert.are.same({"get /web/b_2"}, session.open())
      session.reply_data("/web/b_2", data(5))
      assert.are.same({5}, ports())
    end)

    it("keeps one that cannot be read", function()
      one:connected(false)
      read({"a_1", "b_2"})
      session.reply("/web/a_1", DENIED)
      session.reply_data("/web/b_2", data(2))
      assert.are.same({1, 2}, ports())
    end)

    it("takes no letter of a name for a format", function()
      one:connected(false)
      read({"a_1", "b_2", "%s%d%n"})
      session.reply("/web/%s%d%n", DENIED)
      session.reply_data("/web/a_1", data(1))
      session.reply_data("/web/b_2", data(2))
      assert.are.equal(1, log.count("/web/%s%d%n cannot be read: not auth"))
    end)
  end)

  it("begins again after an error of ours", function()
    settle()
    one:path_changed()
    one:restart()
    assert.are.same({"get_children /web", "get_children /web"},
      session.open())
    handlers[session.asked[1].request] = function() end
    read({})
    read({"a_1", "b_2"})
    assert.are.same({"get /web/a_1", "get /web/b_2"}, session.open())
  end)

  it("reads again what an error of ours left unread", function()
    settle()
    one:path_changed()
    read({"a_1", "b_2", "c_3"})
    handlers[session.asked[1].request] = function() end
    one:restart()
    session.reply_data("/web/c_3", data(3))
    read({"a_1", "b_2", "c_3"})
    assert.are.same({"get /web/a_1", "get /web/b_2", "get /web/c_3"},
      session.open())
  end)

  it("drops an instance that says that it does not serve", function()
    local member = '{"serviceEndpoint":{"host":"10.0.0.1","port":%d},' ..
      '"status":"%s"}'
    new(nil, nil, {method = "serverset"})
    one:connected(false)
    read({"member_1"})
    session.reply_data("/web/member_1", member:format(7, "ALIVE"))
    assert.are.same({7}, ports())
    one:data_changed("member_1")
    session.reply_data("/web/member_1", member:format(7, "STOPPING"))
    assert.are.same({}, ports())
    one:data_changed("member_1")
    session.reply_data("/web/member_1", member:format(7, "ALIVE"))
    assert.are.same({7}, ports())
    assert.are.equal(0, log.count("member_1"))
  end)

  it("tells its instances from those of another source", function()
    new(nil, nil, {origin = "zk1"})
    settle()
    assert.are.equal("zk1", one:instances()[1].origin)
  end)

  it("reads what watches tell once in its pause", function()
    new(nil, nil, {pause = 5})
    settle()
    clock.pass(1)
    one:path_changed()
    one:data_changed("a_1")
    assert.are.same({}, session.open())
    clock.pass(3.9)
    one:tick()
    assert.are.same({}, session.open())
    clock.pass(0.1)
    one:tick()
    read({"a_1", "b_2"})
    assert.are.same({"get /web/a_1"}, session.open())
    session.reply_data("/web/a_1", data(3))
    assert.are.same({2, 3}, ports())
  end)

  it("reads at once what a watch tells after its pause", function()
    new(nil, nil, {pause = 5})
    settle()
    clock.pass(5)
    one:path_changed()
    assert.are.same({"get_children /web"}, session.open())
  end)

  it("reads at once what a new connection makes necessary", function()
    new(nil, nil, {pause = 5})
    settle()
    one:connected(true)
    assert.are.same({"get_children /web"}, session.open())
  end)

  it("makes a missing path where it may, and waits for it", function()
    new(nil, nil, {create_path = true})
    one:connected(false)
    session.reply("/web", GONE)
    assert.are.same({"exists /web"}, session.open())
    session.reply("/web", GONE)
    assert.are.same({"create /web"}, session.open())
    session.reply("/web", {})
    assert.are.same({}, session.open())
    one:path_changed()
    assert.are.same({"get_children /web"}, session.open())
  end)

  it("makes no path that nobody reads any more", function()
    new(nil, nil, {create_path = true})
    one:connected(false)
    session.reply("/web", GONE)
    one:finish()
    session.reply("/web", GONE)
    assert.are.same({}, session.open())
  end)

  it("says once that a path cannot be made, and tries again", function()
    new(nil, nil, {create_path = true})
    one:connected(false)
    for _ = 1, 3 do
      session.reply("/web", GONE)
      session.reply("/web", GONE)
      session.reply("/web", DENIED)
      assert.are.same({}, session.open())
      clock.pass(30)
      one:tick()
    end
    assert.are.equal(1, log.count("/web: no such znode"))
    assert.are.equal(1, log.count("/web: cannot be made: not authenticated"))
    assert.are.equal("not authenticated", one.why)
  end)

  -- Its znode may have been made again under a name that came and went between
  -- the list and the read.
  it("forgets nothing while a znode of the list was gone when it was read",
    function()
      settle()
      one:path_changed()
      read({"b_2", "c_3"})
      session.reply("/web/c_3", GONE)
      assert.are.same({1, 2}, ports())
      one:path_changed()
      read({"b_2", "d_4"})
      session.reply_data("/web/d_4", data(3))
      assert.are.same({2, 3}, ports())
    end)

  it("reads a znode once that went, is back and has changed", function()
    settle()
    one:data_changed("a_1")
    one:data_changed("a_1")
    one:path_changed()
    session.reply("/web/a_1", GONE)
    read({"a_1", "b_2"})
    assert.are.same({"get /web/a_1"}, session.open())
  end)
end)

describe("a path that is missing", function()
  local session, handlers, told

  local function await(create)
    handlers, told = {}, {}
    session = new_session(function(event) handlers[event.request](event) end)
    local function note(name)
      return function(event)
        table.insert(told, name .. (event and event.code or ""))
      end
    end
    path.await_created({
      path = "/a/b/c", codes = CODES, create = create, exists = note("exists"),
      failed = note("failed"), unmade = note("unmade"),
      request = function(op, place, handler)
        local number = session[op](session, place, op == "exists")
        handlers[number or 0] = handler
        return number ~= nil
      end,
    })
  end

  it("is waited for with a watch, and nothing is made", function()
    await(false)
    assert.is_true(session.watched["/a/b/c"])
    session.reply("/a/b/c", GONE)
    assert.are.same({}, session.open())
    assert.are.same({}, told)
  end)

  it("is made with all above it where that is asked for", function()
    await(true)
    session.reply("/a/b/c", GONE)
    local made = {}
    for i, one in ipairs(session.asked) do
      made[i] = one.op .. " " .. one.path
    end
    assert.are.same({"create /a", "create /a/b", "create /a/b/c"}, made)
    session.reply("/a", DENIED)
    session.reply("/a/b", {code = CODES.node_exists})
    session.reply("/a/b/c", {})
    assert.are.same({}, told)
  end)

  it("may have been made by somebody else meanwhile", function()
    await(true)
    session.reply("/a/b/c", GONE)
    session.reply("/a", {})
    session.reply("/a/b", {})
    session.reply("/a/b/c", {code = CODES.node_exists})
    assert.are.same({}, told)
  end)

  it("may be there by now", function()
    await(true)
    session.reply("/a/b/c", {})
    assert.are.same({"exists"}, told)
    assert.are.same({}, session.open())
  end)

  it("is told of where it cannot be made", function()
    await(true)
    session.reply("/a/b/c", GONE)
    session.reply("/a/b/c", DENIED)
    assert.are.same({"unmade-102"}, told)
  end)

  it("is told of where it cannot be asked for", function()
    await(true)
    session.reply("/a/b/c", DENIED)
    assert.are.same({"failed-102"}, told)
  end)
end)
