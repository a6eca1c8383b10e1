-- What people order: operator states, freeze, resync, counters. And what the
-- agent says to those who ask.
local new_world = dofile("tests/fake/world.lua")

local KEY = "10.0.0.1:80"

describe("the agent's orders", function()
  local world, clock, sent, log, one

  local function new(...)
    one = world.new(...)
    one:fill()
  end

  -- A service with the instance KEY in HAProxy.
  local function serve(...)
    new({...})
    world.connect()
    world.obey()
    world.register("/web", "a_1", 80)
    world.active = 1
    world.obey()
    world.pass(3)
  end

  local function carry_out(what, argument)
    local order = one:order(what, argument)
    one:turn()
    return order.said
  end

  local function operate(state, seconds)
    return carry_out("operate",
      {key = KEY, state = state, reason = "disk", seconds = seconds})
  end

  -- Whether HAProxy got a command since there were <before> lines.
  local function was_sent(text, before)
    return table.concat(sent, "\n", before + 1):find(text, 1, true) ~= nil
  end

  before_each(function()
    world = new_world()
    clock, sent, log = world.clock, world.sent, world.log
  end)

  it("wakes the main task, which carries them out", function()
    new({world.config_of("web")})
    one:order("resync")
    assert.are.equal(1, world.woken)
    one:ask()
    assert.are.equal(2, world.woken)
  end)

  it("gives an operator's state to HAProxy, the file and the snapshot at once",
    function()
      local config = world.config_of("web")
      config.has_file = true
      serve(config, world.config_of("api"))
      local web = one.by_name.web
      local lines, before, told = #sent, #world.written, {}
      function one.output.changed(_, service)
        table.insert(told, service.name)
      end
      assert.are.same({web}, operate("maint"))
      assert.are.equal("maint", web.operator.states[KEY])
      assert.are.same({"web"}, told)
      assert.is_false(one:is_saved())
      assert.are.equal(before + 1, #world.written)
      world.obey()
      assert.is_true(was_sent("state maint", lines))
      world.pass(1)
      assert.is_true(one:is_saved())
      assert.are.same({}, carry_out("operate",
        {key = "10.0.0.9:80", state = "maint", reason = "why"}))
    end)

  it("snapshots an order even if no service has the instance", function()
    serve(world.config_of("web"))
    local told = 0
    function one.keeper.changed_by_hand()
      told = told + 1
    end
    one:operate({key = "10.0.0.9:80", state = "maint", reason = "why"})
    assert.are.equal(1, told)
  end)

  it("ends an operator's state when its time is over", function()
    serve(world.config_of("web"))
    operate("maint", 60)
    world.obey()
    assert.is_true(one.by_name.web:has_orders())
    world.pass(59)
    assert.are.equal("maint", one.by_name.web.operator.states[KEY])
    local before, saved = #sent, #world.written
    world.pass(2)
    assert.is_nil(one.by_name.web.operator.states[KEY])
    assert.is_false(one.by_name.web:has_orders())
    world.obey()
    assert.is_true(was_sent("state ready", before))
    assert.is_true(#world.written > saved)
    local asked = 0
    function one.by_name.web.end_orders()
      asked = asked + 1
      return false
    end
    world.pass(3)
    assert.are.equal(0, asked)
  end)

  it("ends one that the snapshot had, too", function()
    local orders = {[KEY] = {state = "maint", reason = "disk", since = 990,
      ends = 1030, ["until"] = 1030}}
    new({world.config_of("web"), world.config_of("api")}, {web = {
      path = "/web", instances = {{key = KEY, host = "10.0.0.1", port = 80,
        znode = "a_1"}}, placed = {s1 = KEY}, states = {[KEY] = "maint"},
      retained = {}, addresses = {}, departed = {}, failing = {}, since = {},
      orders = orders}})
    assert.are.same({[one.by_name.web] = true}, one.ordered)
  end)

  it("adds up what operators have ordered, and how far HAProxy differs",
    function()
      serve(world.config_of("web"), world.config_of("x", "/web"))
      operate("maint")
      world.obey()
      one.by_name.web.drift, one.by_name.x.drift = 3, 4
      clock.pass(7)
      one.sync.compared_at = {[one.by_name.web] = 1002, [one.by_name.x] = 1001}
      one.sync.round = function() end
      one.sync.rounds, one.sync.commands = 11, 12
      one.sync.refused, one.sync.failing = 13, true
      one.keeper.failing = true
      one.keeper.holder = function() return "HAProxy 7" end
      one.by_name.x.has_retained = function() return true end
      one:ask()
      one:turn()
      local view = one.view
      assert.are.same({maint = 2, maint_until = 0, drain = 0, drain_until = 0},
        view.operated)
      assert.are.equal(7, view.drift)
      assert.are.equal(1, view.guarded)
      assert.are.equal(1001, view.compared_at)
      assert.are.same({11, 12, 13, true}, {view.rounds, view.commands,
        view.refused, view.runtime_failing})
      assert.are.same({true, "HAProxy 7"},
        {view.snapshot_failing, view.snapshot_holder})
      assert.is_nil(view.snapshot_at)
      assert.is_nil(view.found)
      assert.are.same(one.spare:counts(), view.spare)
    end)

  it("lists its sessions by their names", function()
    new({world.config_of("web"), world.config_of("api", "/api", "a:1"),
      world.config_of("xyz", "/x", "other:2181")}, nil,
      {["zk:2181"] = "10.0.0.5:2181", ["a:1"] = "10.0.0.7:1",
        ["other:2181"] = "10.0.0.6:2181"})
    world.connect()
    one:ask()
    one:turn()
    local names = {}
    for i, session in ipairs(one.view.sessions) do
      names[i] = session.hosts
    end
    assert.are.same({"a:1", "other:2181", "zk:2181"}, names)
  end)

  it("reads all again, or one service", function()
    serve(world.config_of("api"), world.config_of("web"))
    local compared, connected = {}, {}
    function one.sync.compare(_, service)
      table.insert(compared, service.name)
    end
    for _, service in ipairs(one.services) do
      for _, source in ipairs(one.sessions:of(service)) do
        function source.connected(_, is_new)
          table.insert(connected, service.name .. " " .. tostring(is_new))
        end
      end
    end
    assert.are.equal("reading 1 service again", carry_out("resync", "web"))
    assert.are.same({"web"}, compared)
    assert.are.same({"web false"}, connected)
    assert.are.equal("reading 2 services again", carry_out("resync"))
    assert.are.same({"web", "api", "web"}, compared)
  end)

  it("leaves a frozen service as it is until it is thawed", function()
    serve(world.config_of("web"))
    carry_out("freeze", "web")
    assert.are.equal(1, log.count("warning: web: frozen by command"))
    world.happen({type = "watch", session = world.sessions[1],
      change = "child", path = "/web"})
    world.register("/web", "b_2", 81)
    world.pass(1)
    local before, told = #sent, #world.written
    assert.are.equal("web follows ZooKeeper again", carry_out("thaw", "web"))
    assert.are.equal(1, log.count("warning: web: thawed by command"))
    assert.is_true(was_sent("addr 10.0.0.1 port 81", before))
    world.obey()
    world.pass(3)
    assert.is_true(#world.written > told)
    local changes = {}
    for _, event in ipairs(one.journal.events:since(0)) do
      if event.from == "frozen" or event.to == "frozen" then
        table.insert(changes, event.from .. " " .. event.to)
      end
    end
    assert.are.same({"following frozen", "frozen following"}, changes)
  end)

  -- What HAProxy has of it may be other than when it was frozen.
  it("plans for a thawed service even if it missed nothing", function()
    serve(world.config_of("web"))
    carry_out("freeze", "web")
    local marked = {}
    one.sync.mark = function(_, service) table.insert(marked, service.name) end
    one:thaw("web")
    assert.are.same({"web"}, marked)
  end)

  it("asks for HAProxy's counters, and gives them", function()
    new({world.config_of("api"), world.config_of("web")})
    world.connect()
    world.obey()
    world.pass(1)
    one.deps.runtime.id = function(name) return name == "api" and 7 or 3 end
    local order = one:order("count_sessions", {"web", "gone"})
    assert.is_false(one:is_counted(order, {"web", "gone"}))
    assert.is_false(one:is_counted(order, {"gone"}))
    one:turn()
    assert.is_true(order.said)
    assert.are.equal("show stat 3 6 -1", sent[#sent])
    assert.is_false(one:is_counted(order, {"web", "gone"}))
    assert.is_true(one:is_counted(order, {"api", "gone"}))
    world.answer("# pxname\nweb,s1,0,0,9,9" .. (","):rep(60) .. "\n\n")
    assert.is_true(one:is_counted(order, {"web"}))
    assert.are.equal(9, one:counters_of("web", function() end).s1.sessions)
    assert.are.same({}, one:counters_of("api", function() end))
    assert.are.same({}, one:counters_of("gone", function() end))
  end)

  it("asks HAProxy about the sessions of a slot once in a tick", function()
    new({world.config_of("web")})
    local asked, number = 0, 4
    one.deps.runtime.sessions = function(backend, slot)
      assert.are.same({"web", "s1"}, {backend, slot})
      asked = asked + 1
      return number
    end
    local sessions = one.by_name.web.deps.sessions
    assert.are.equal(4, sessions("s1"))
    clock.pass(0.15)
    assert.is_true(sessions("s1") > 0)
    assert.are.equal(1, asked)
    number = 0
    clock.pass(0.1)
    assert.are.equal(0, sessions("s1"))
    -- It has none any more: it may get an instance, and so some.
    assert.are.equal(0, sessions("s1"))
    assert.are.equal(3, asked)
  end)

  it("waits for the configuration when it is told to", function()
    new({world.config_of("web")})
    assert.is_true(carry_out("pause"))
    assert.is_true(one.changes.is_paused)
    assert.is_true(carry_out("release"))
    assert.is_false(one.changes.is_paused)
  end)

  describe("with services that are found", function()
    local told, found

    before_each(function()
      told = {}
      found = setmetatable({is_unread = function() return true end,
        view = function() return {classes = 2} end},
        {__index = function(_, name)
          return function(_, argument)
            table.insert(told,
              type(argument) == "string" and name .. " " .. argument or name)
          end
        end})
      new({world.config_of("api"), world.config_of("web")}, nil, nil,
        {found = found})
      world.connect()
      world.obey()
      clock.pass(1)
      told = {}
    end)

    it("has them looked for in each turn, and ticks", function()
      one:turn()
      assert.are.same({"turn", "tick"}, told)
    end)

    it("is not ready before they are found", function()
      world.sessions[1].reply("/web", {children = {}})
      world.sessions[1].reply("/api", {children = {}})
      one:ask()
      one:turn()
      assert.are.same({"discover"}, one.view.unread)
      assert.is_false(one.is_ready)
      assert.are.same({classes = 2}, one.view.found)
    end)

    it("reads them again with all, and drops what waits for a pause",
      function()
        carry_out("resync", "web")
        assert.are.same({"turn", "tick"}, told)
        told = {}
        carry_out("resync")
        assert.are.equal("resync", told[1])
        told = {}
        carry_out("pause")
        assert.are.equal("dropped", told[1])
      end)

    it("tells it of a service that is gone", function()
      carry_out("configure", {{kind = "removed", name = "api"}})
      told = {}
      world.obey()
      assert.are.equal("forgotten api", told[2])
    end)
  end)

  it("lets those find services that are to, from the start", function()
    local begun
    local found = {begin = function(_, deps) begun = deps end,
      is_unread = function() return false end, view = function() end}
    new({world.config_of("web")}, nil, nil, {found = found})
    assert.are.equal(one.changes, begun.changes)
    assert.are.equal(one.sessions, begun.sessions)
    assert.is_false(begun.is_tired())
  end)
end)
