local report = require("synapse.status.report")
local new_world = dofile("tests/fake/world.lua")

describe("the agent", function()
  local world, clock, log, events, sent, written, opened, sessions, one
  local looked_up, config_of, connect, happen, answer, answer_empty_slots
  local register, obey

  local function new(...)
    one = world.new(...)
  end

  before_each(function()
    world = new_world()
    clock, log, events, sent = world.clock, world.log, world.events, world.sent
    written, opened, sessions = world.written, world.opened, world.sessions
    looked_up, config_of = world.looked_up, world.config_of
    connect, happen, register = world.connect, world.happen, world.register
    answer, answer_empty_slots = world.answer, world.answer_empty_slots
    obey = world.obey
  end)

  it("takes an instance from its znode to HAProxy and to the snapshot",
    function()
      new({config_of("web")})
      connect()
      answer_empty_slots()
      register("/web", "a_1", 80)
      assert.is_truthy(sent[#sent]:find(
        "^set server web/s%d addr 10.0.0.1 port 80$"))
      answer("IP changed from '127.0.0.1' to '10.0.0.1'\n\n")
      assert.is_truthy(sent[#sent]:find("^set server web/s%d state ready$"))
      answer("\n")
      assert.are.equal(1, log.count("web: 1 instance added (10.0.0.1:80), 2"))
      clock.pass(0.1)
      one:turn()
      assert.is_truthy(written[#written]:find('"znode":"a_1"', 1, true))
    end)

  it("gives the next worker the last hour of a service", function()
    local before = {path = "/web", instances = {}, placed = {}, states = {},
      retained = {}, addresses = {}, departed = {}, failing = {}, since = {},
      orders = {}, history = "15 3 3 9 9"}
    new({config_of("web")}, {web = before})
    one:fill()
    connect()
    answer_empty_slots()
    register("/web", "a_1", 80)
    answer("IP changed from '127.0.0.1' to '10.0.0.1'\n\n")
    answer("\n")
    clock.pass(0.1)
    one:turn()
    -- The clock began at 1000, in the 16th minute.
    assert.is_truthy(written[#written]:find(
      '"history":"15 3 3 9 9 16 1 0 1 0"', 1, true))
  end)

  it("has one session for each ensemble, and reads each path once", function()
    new({config_of("a", "/x"), config_of("b", "/x"), config_of("c", "/y"),
      config_of("d", "/x", "other:2181")})
    connect()
    table.sort(opened)
    assert.are.same({"10.0.0.5:2181", "10.0.0.6:2181"}, opened)
    local asked = {}
    for _, session in ipairs(sessions) do
      table.move(session.open(), 1, 9, #asked + 1, asked)
    end
    table.sort(asked)
    assert.are.same({"get_children /x", "get_children /x",
      "get_children /y"}, asked)
  end)

  it("fills all services of one path", function()
    new({config_of("a", "/x"), config_of("b", "/x")})
    connect()
    register("/x", "i_1", 80)
    for _, service in ipairs(one.services) do
      assert.are.equal("10.0.0.1:80", service.wanted.serving[1].key)
    end
  end)

  it("fills its slots from the snapshot before anything else", function()
    local made = {key = "10.0.0.1:80", host = "10.0.0.1", port = 80,
      znode = "a_1"}
    new({config_of("web")}, {web = {name = "web", path = "/web",
      instances = {made}, placed = {s2 = made.key}, states = {},
      retained = {}, addresses = {}, departed = {}, failing = {}, since = {}}})
    one:fill()
    assert.are.same({"fill web/s2 10.0.0.1 ready"}, sent)
  end)

  it("uses no snapshot of another path", function()
    local made = {key = "10.0.0.1:80", host = "10.0.0.1", port = 80}
    new({config_of("web")}, {web = {name = "web", path = "/staging",
      instances = {made}, placed = {}, states = {},
      retained = {}, addresses = {}, departed = {}, failing = {}, since = {}}})
    one:fill()
    assert.are.same({}, sent)
  end)

  -- The names of an ensemble were looked up at load and never again.
  it("opens a session once the names of its ensemble have addresses",
    function()
      new({config_of("web")}, nil, {})
      one:open()
      assert.are.same({}, opened)
      clock.pass(1)
      one:turn()
      assert.are.same({"zk:2181"}, looked_up)
      happen({type = "addresses", request = 501, addresses = "10.0.0.7:2181"})
      assert.are.same({"10.0.0.7:2181"}, opened)
      clock.pass(1)
      one:turn()
      assert.is_truthy(written[#written]:find(
        '"addresses":{"zk:2181":"10.0.0.7:2181"}', 1, true))
    end)

  it("gives a session the addresses that its ensemble has now", function()
    new({config_of("web")})
    connect()
    local hosts
    sessions[1].set_hosts = function(_, text) hosts = text end
    happen({type = "session", session = sessions[1], state = "connecting"})
    clock.pass(1)
    one:turn()
    happen({type = "addresses", request = 501, addresses = "10.0.0.7:2181"})
    assert.are.equal("10.0.0.7:2181", hosts)
  end)

  it("hears of files that have changed", function()
    new({config_of("web")})
    local told = 0
    one.live = {notice = function() told = told + 1 end}
    happen({type = "files"})
    assert.are.equal(1, told)
  end)

  it("uses a default server once its name has an address", function()
    local config = config_of("web")
    config.named_servers = {{hosts = "spare:1", place = "web",
      fields = {host = "127.0.0.1", port = 80}}}
    new({config})
    connect()
    answer_empty_slots()
    clock.pass(1)
    one:turn()
    assert.are.same({"spare:1"}, looked_up)
    happen({type = "addresses", request = 501, addresses = "10.0.0.9:1"})
    assert.is_truthy(sent[#sent]:find("addr 10.0.0.9 port 80", 1, true))
  end)

  it("sends nothing while no thread can be started", function()
    new({config_of("web")})
    one:open()
    happen({type = "session", session = sessions[1], state = "no_threads"})
    assert.are.same({}, sent)
    assert.are.equal(1, log.count("alert: "))
  end)

  it("compares soon when the number of usable servers changes", function()
    new({config_of("web")})
    connect()
    answer_empty_slots()
    register("/web", "a_1", 80)
    world.active = 1
    answer("IP changed from '127.0.0.1' to '10.0.0.1'\n\n")
    answer("\n")
    clock.pass(1)
    one:turn()
    local before = #sent
    world.active = 5
    clock.pass(1)
    one:turn()
    clock.pass(1)
    one:turn()
    assert.are.equal("show servers state web", sent[before + 1])
  end)

  it("asks HAProxy at once where somebody sees another number of servers",
    function()
      new({config_of("web")})
      connect()
      answer_empty_slots()
      register("/web", "a_1", 80)
      world.active = 1
      answer("IP changed from '127.0.0.1' to '10.0.0.1'\n\n")
    answer("\n")
      local web, before = one.services[1], #sent
      local function see(usable)
        return one:order("see", {{name = "web", usable = usable, idle = 0}})
      end
      local order = see(1)
      one:turn()
      assert.is_true(one.is_answered(order))
      world.active = 0
      order = see(0)
      -- A turn that is interrupted may be taking the queue apart.
      assert.are.same({}, one.sync.queue)
      assert.is_false(one.is_answered(order))
      one:turn()
      assert.is_true(web.asking)
      assert.is_false(one.is_answered(order))
      assert.are.equal("show servers state web", sent[before + 1])
      see(0)
      one:turn()
      assert.are.equal(before + 1, #sent)
    end)

  it("repeats a line of the client library once a minute at most", function()
    new({config_of("web")})
    for i = 1, 100 do
      happen({type = "log", level = "error", message = "attempt " .. i})
    end
    assert.are.equal(1, log.count("zookeeper: attempt"))
    clock.pass(61)
    happen({type = "log", level = "error", message = "attempt 101",
      dropped = 36})
    assert.are.equal(2, log.count("zookeeper: attempt"))
    assert.are.equal(1, log.count("attempt 101 (36 lines dropped before)"))
  end)

  it("reads everything again after an overflow", function()
    new({config_of("web")})
    connect()
    sessions[1].reply("/web", {children = {}})
    happen({type = "overflow"})
    assert.are.same({"get_children /web"}, sessions[1].open())
  end)

  it("ends a turn that takes too long, and says that there is more", function()
    new({config_of("web")})
    for _ = 1, 10 do
      table.insert(events, {type = "log", message = "x"})
    end
    local poll = one.client.poll
    one.client.poll = function()
      clock.pass(0.001)
      return poll()
    end
    assert.is_true(one:turn())
    assert.are.equal(6, #events)
    assert.is_true(one:is_tired())
    one.turned_at = clock.now() - 0.002
    assert.is_false(one:is_tired())
    assert.is_true(one:is_tired(0.5))
    local turns = 1
    while one:turn() do
      turns = turns + 1
      if #events == 0 then
        one.client.poll = poll
      end
    end
    assert.are.equal(0, #events)
    assert.is_true(turns < 10)
  end)

  it("sends its commands in the next turn where the events took all of one",
    function()
      new({config_of("web")})
      local poll = one.client.poll
      one.client.poll = function()
        clock.pass(0.004)
        return nil
      end
      assert.is_true(one:turn())
      assert.are.same({}, sent)
      one.client.poll = poll
      assert.is_true(one:turn())
      assert.are.equal(1, #sent)
      assert.is_false(one:turn())
    end)

  -- Together they held HAProxy's thread for 9 ms with 1,000 services.
  it("sums up in the next turn where the views took all of one", function()
    new({config_of("web")})
    one:fill()
    local make = one.journal.make_views
    one.journal.make_views = function(...)
      clock.pass(0.004)
      return make(...)
    end
    local view, number = one.view, one:ask()
    assert.is_true(one:turn())
    assert.are.equal(view, one.view)
    assert.is_true(one.journal.published < number)
    one.journal.make_views = make
    one:turn()
    assert.are_not.equal(view, one.view)
    assert.are.equal(number, one.journal.published)
  end)

  -- HAProxy interrupts a long turn for other traffic, whose time was counted:
  -- the log told of turns that had held up nobody.
  it("tells how long a turn kept the thread from other work", function()
    new({config_of("web")})
    local poll, steps = one.client.poll, nil
    one.client.poll = function()
      local step = table.remove(steps, 1)
      if not step then
        return poll()
      end
      clock.pass(0.0002)
      world.worked = world.worked + step.works
      world.wall = world.wall + (step.is_interrupted and 1 or 0)
      return {type = "log", message = "x"}
    end
    local function blocked_by(all)
      steps, world.wall = all, 100
      one:turn()
      return one:blocked()
    end
    assert.are.equal(0, blocked_by({}))
    assert.are.equal(6, blocked_by({{works = 2}, {works = 4}}))
    assert.are.equal(4, blocked_by({
      {works = 1}, {works = 3}, {works = 50, is_interrupted = true},
      {works = 2},
    }))
    assert.are.equal(5, blocked_by({
      {works = 1}, {works = 50, is_interrupted = true}, {works = 5},
    }))
  end)

  it("does nothing any more once HAProxy stops", function()
    new({config_of("web")})
    connect()
    one:stop()
    local before = #sent
    happen({type = "answer", request = before, data = ""})
    assert.are.equal(before, #sent)
    assert.are.equal(1, #events)
    one:close()
    assert.is_true(sessions[1].closed)
  end)

  -- An alert on its age would have fired for ever.
  it("tells of no snapshot's age where none is kept", function()
    local function age()
      one:fill()
      return one.view.snapshot_at
    end
    new({config_of("web")})
    one.keeper.written_at = 5
    assert.are.equal(5, age())
    one.deps.write_snapshot = nil
    assert.is_nil(age())
  end)

  -- HAProxy interrupts a long turn, and a command that came in that moment
  -- changed what the turn was in the middle of.
  it("does in its next turn what a command asks for", function()
    new({config_of("web")})
    local order = one:order("freeze", "web")
    assert.is_nil(order.said)
    assert.is_nil(one.services[1].frozen_at)
    one:turn()
    assert.is_truthy(order.said:find("web is frozen", 1, true))
    assert.is_truthy(one.services[1].frozen_at)
  end)

  it("publishes what it knows for who asks, in its turn", function()
    new({config_of("web"), config_of("api")})
    one:fill()
    assert.is_false(one.is_ready)
    assert.are.same({"web", "api"}, one.view.unread)
    assert.are.equal("down", one.journal.views.web.state)
    connect()
    answer_empty_slots()
    register("/web", "a_1", 80)
    assert.are.equal(0, one.journal.views.web.number)
    local before, view = one.journal.views.web, one.view
    local number = one:ask()
    assert.is_true(one.journal.published < number)
    one:turn()
    assert.are.equal(number, one.journal.published)
    assert.are.equal(1, one.journal.views.web.number)
    assert.are.equal(0, before.number)
    assert.are.same({"web", "api"}, view.unread)
    assert.are.same({"api"}, one.view.unread)
    assert.are.equal("connected", one.view.sessions[1].state)
  end)

  -- One path that could be read no more made every HAProxy of a fleet unready.
  it("is ready once everything was read, and stays so", function()
    new({config_of("web")})
    one:fill()
    connect()
    sessions[1].reply("/web", {children = {}})
    one:ask()
    one:turn()
    assert.is_true(one.is_ready)
    one:resync()
    sessions[1].reply("/web", {code = -102, error = "not authenticated"})
    one:ask()
    one:turn()
    assert.are.same({"web"}, one.view.unread)
    assert.is_true(one.is_ready)
  end)

  it("starts again, after a pause, when it broke", function()
    new({config_of("web")})
    connect()
    answer_empty_slots()
    register("/web", "a_1", 80)
    one:recover()
    local before = #sent
    one:turn()
    assert.are.equal(before, #sent)
    clock.pass(1)
    one:turn()
    assert.are.equal("show servers state web", sent[#sent])
    assert.are.same({"get_children /web"}, sessions[1].open())
  end)

  describe("whose configuration changes", function()
    local function unused(...)
      local slots = {}
      for _, name in ipairs({...}) do
        slots[name] = {pool = {"s1", "s2"}, declared = {
          s1 = {weight = 1, maxconn = 0}, s2 = {weight = 1, maxconn = 0}}}
      end
      return slots
    end

    local function names()
      local list = {}
      for i, service in ipairs(one.services) do
        list[i] = service.name
      end
      return list
    end

    local function change(...)
      local order = one:order("configure", {...})
      one:turn()
      assert.is_true(order.said)
    end

    local function moved(name, path, backend)
      local config = config_of(name, path)
      config.backend = backend
      return {kind = "added", name = name, config = config}
    end

    before_each(function()
      new({config_of("b"), config_of("d")}, nil, nil)
      one.changes.deps.unused = unused("c", "e")
      one:fill()
      connect()
    end)

    it("adds a service among the others, and reads it", function()
      change({kind = "added", name = "c", config = config_of("c")})
      assert.are.same({"b", "c", "d"}, names())
      assert.are.same({"b", "c", "d"}, one.journal.names)
      assert.is_true(one.changes:are_done())
      assert.are.equal("get_children /c", sessions[1].open()[2])
      assert.is_nil(one.changes.deps.unused.c)
      register("/c", "i_1", 80)
      assert.are.equal("10.0.0.1:80", one.by_name.c.wanted.serving[1].key)
    end)

    -- A file without instances told other programs that there are none.
    it("writes no file of a service before anything is known of it", function()
      local told = {}
      function one.output.changed(_, service)
        table.insert(told, service.name)
      end
      change({kind = "added", name = "c", config = config_of("c")})
      assert.are.same({}, told)
      register("/c", "i_1", 80)
      assert.are.equal("c", told[1])
    end)

    it("changes a service in place", function()
      local service = one.by_name.b
      local config = config_of("b", "/other")
      change({kind = "changed", name = "b", keys = {"discovery.path"},
        config = config})
      assert.are.equal(service, one.by_name.b)
      assert.are.equal(config, one.changes:configured()[1])
      assert.are.equal("get_children /other", sessions[1].open()[3])
      assert.are.equal("discovery.path", one.journal.events:since(0)[2].to)
    end)

    it("serves a service by its blank backend, which rests after it",
      function()
        local told = {}
        local function note(what)
          return function(_, one_of_them)
            table.insert(told, what .. " " .. (one_of_them.name or one_of_them))
          end
        end
        local is_taken, prepared = true, nil
        one.changes.deps.unused = unused("spare-web-1")
        one.changes.deps.spare = {
          take = note("take"), leave = note("leave"), rest = note("rest"),
          configure = note("configure"),
          is_taken = function() return is_taken end,
          prepare = function() return prepared end,
        }
        one.deps.runtime.counters = function(backend)
          assert.are.equal("spare-web-1", backend)
          return {errors = 7}
        end
        local config = config_of("c")
        config.blank = "spare-web-1"
        change({kind = "added", name = "c", config = config})
        assert.are.same({}, told)
        is_taken = false
        one:turn()
        assert.are.same({}, told)
        prepared = "spare-web-1"
        one:turn()
        assert.are.same({"take c"}, told)
        assert.are.equal("spare-web-1", one.by_name.c.backend)
        assert.are.equal(7, one.by_name.c.errors_before.BACKEND)
        assert.are.equal("spare-web-1", one.by_name.c:record().blank)
        obey()
        change({kind = "changed", name = "c", keys = {"haproxy.slots"},
          config = config})
        change({kind = "removed", name = "c"})
        obey()
        assert.are.same({"take c", "configure c", "leave c", "rest c"}, told)
        assert.are.same({"b", "d"}, names())
        assert.are.same({"s1", "s2"},
          one.changes.deps.unused["spare-web-1"].pool)
      end)

    it("forgets a service once HAProxy has emptied its slots", function()
      obey()
      change({kind = "removed", name = "b"})
      assert.are.equal("d", one.changes:configured()[1].name)
      obey()
      assert.are.same({"d"}, names())
      assert.are.same({"d"}, one.journal.names)
      assert.is_nil(one.by_name.b)
      assert.are.same({"s1", "s2"}, one.changes.deps.unused.b.pool)
      assert.is_true(one.changes:has_slots("b"))
      assert.is_true(one.changes:has_slots("d"))
      assert.is_false(one.changes:has_slots("x"))
    end)

    it("lets a service wait for the backend of another", function()
      obey()
      local config = config_of("x")
      config.backend = "b"
      change({kind = "removed", name = "b"},
        {kind = "added", name = "x", config = config})
      obey()
      assert.are.same({"d", "x"}, names())
      assert.is_true(one.changes:are_done())
    end)

    it("lets the slots of another rest", function()
      obey()
      register("/b", "i_1", 80)
      obey()
      local slot = next(one.by_name.b.placement.placed)
      change({kind = "removed", name = "b"}, moved("x", "/x", "b"))
      obey()
      assert.is_true(one.by_name.x.placement.vacated[slot])
    end)

    -- Those that waited stayed at the front, and the others never had a turn.
    it("does what can be done before it tries again what cannot", function()
      one.changes.deps.is_tired = function() return true end
      change(moved("x", "/x", "b"), {kind = "added", name = "c",
        config = config_of("c")})
      one:turn()
      assert.are.same({"b", "c", "d"}, names())
    end)

    -- Until ZooKeeper is read again, and that may be down.
    it("keeps the instances of a service with another backend", function()
      obey()
      register("/b", "i_1", 80)
      obey()
      one:operate({key = "10.0.0.1:80", state = "maint", reason = "why"})
      obey()
      change({kind = "removed", name = "b"}, moved("b", "/b", "c"))
      assert.is_false(one.changes:are_done())
      obey()
      local service = one.by_name.b
      assert.are.equal("c", service.backend)
      assert.are.equal("10.0.0.1:80", service.wanted.serving[1].key)
      assert.are.equal("maint", service.operator.states["10.0.0.1:80"])
      assert.are.equal("why", service.operator.orders["10.0.0.1:80"].reason)
      assert.is_true(service.has_record)
      assert.are.same({}, one.changes.gone)
    end)

    it("has them serve until there is one at another path", function()
      obey()
      register("/b", "i_1", 80)
      obey()
      change({kind = "removed", name = "b"}, moved("b", "/other", "c"))
      obey()
      local wanted = one.by_name.b.wanted
      assert.are.equal("10.0.0.1:80", wanted.serving[1].key)
      assert.are.same({true, true}, {wanted.is_moved, wanted.is_old})
    end)

    it("keeps the instances and slots of a service with another name",
      function()
        obey()
        register("/b", "i_1", 80)
        obey()
        local placed = one.by_name.b:record().placed
        local slot = next(placed)
        change({kind = "removed", name = "b"}, moved("x", "/b", "b"))
        obey()
        assert.are.equal("10.0.0.1:80",
          one.by_name.x.placement.placed[slot])
      end)

    it("gives another service nothing of what was in the backend", function()
      obey()
      register("/b", "i_1", 80)
      obey()
      change({kind = "removed", name = "b"}, moved("x", "/x", "b"))
      obey()
      assert.are.same({}, one.by_name.x:instances())
      assert.is_false(one.by_name.x.has_record)
    end)

    it("keeps them where it comes back before it has left", function()
      obey()
      register("/b", "i_1", 80)
      obey()
      change({kind = "removed", name = "b"})
      assert.are.equal("10.0.0.1:80", one.by_name.b:record().instances[1].key)
      assert.is_truthy(next(one.by_name.b:record().placed))
      one:order("pause")
      one:turn()
      obey()
      assert.is_nil(one.by_name.b)
      change(moved("b", "/b", "b"))
      assert.are.equal("10.0.0.1:80", one.by_name.b.wanted.serving[1].key)
    end)

    it("does nothing of changes that were found when it was another",
      function()
        change({kind = "removed", name = "x"},
          {kind = "changed", name = "x", keys = {}, config = config_of("x")},
          {kind = "added", name = "b", config = config_of("b")})
        assert.are.same({"b", "d"}, names())
        assert.is_true(one.changes:are_done())
      end)

    it("adds a service as it was told last", function()
      local first, last = config_of("c", "/first"), config_of("c", "/last")
      one.changes:also({kind = "added", name = "c", config = first})
      one.changes:also({kind = "removed", name = "b"})
      one.changes:also({kind = "added", name = "c", config = last})
      assert.are.equal(2, #one.changes.pending)
      obey()
      assert.are.same({"c", "d"}, names())
      assert.are.equal(last, one.by_name.c.deps.config)
    end)

    it("forgets what it has not done when others are about to be found",
      function()
        obey()
        change({kind = "removed", name = "b"}, moved("x", "/x", "b"))
        assert.is_true(one:order("pause") ~= nil)
        one:turn()
        assert.is_true(one.changes:are_done())
        obey()
        assert.are.same({"d"}, names())
      end)

    -- The journal never learned of the service, and each view raised an error.
    it("tells the journal of a service even if an error follows", function()
      local follow = one.sessions.follow
      one.sessions.follow = function() error("broken") end
      one:order("configure",
        {{kind = "added", name = "c", config = config_of("c")}})
      assert.has_error(function() one:turn() end)
      one.sessions.follow = follow
      one:recover()
      clock.pass(1)
      one:ask()
      one:turn()
      assert.are.same({"b", "c", "d"}, one.journal.names)
    end)

    it("takes along what a service had, over an error too", function()
      obey()
      register("/b", "i_1", 80)
      obey()
      change({kind = "removed", name = "b"})
      one:recover()
      clock.pass(2)
      obey()
      assert.are.same({"d"}, names())
      change(moved("x", "/b", "b"))
      assert.are.equal("10.0.0.1:80", one.by_name.x.wanted.serving[1].key)
    end)

    it("does nothing more with a service that is gone", function()
      obey()
      local gone = one.by_name.b
      change({kind = "removed", name = "b"})
      obey()
      gone.update = function() error("gone") end
      gone.review = gone.update
      table.insert(one.reviews, gone)
      one.sessions.next_changed = function()
        one.sessions.next_changed = function() end
        return gone
      end
      one:turn()
      assert.are.same({}, one.reviews)
      local order = one:order("freeze", "b")
      one:turn()
      assert.are.equal("b leaves, as its configuration says", order.said)
      order = one:order("thaw", "b")
      one:turn()
      assert.are.equal("b is not frozen", order.said)
    end)

    it("ends the session that nobody needs any more", function()
      change({kind = "changed", name = "b", keys = {},
        config = config_of("b", "/b", "other:2181")})
      clock.pass(1)
      one:turn()
      happen({type = "addresses", request = 501, addresses = "10.0.0.6:2181"})
      assert.are.equal("10.0.0.6:2181", opened[#opened])
      change({kind = "changed", name = "d", keys = {},
        config = config_of("d", "/d", "other:2181")})
      assert.is_true(sessions[1].closed)
    end)

    it("does as many changes in a turn as there is time for", function()
      local list = {}
      for i = 1, 20 do
        list[i] = {kind = "changed", name = "b", keys = {"guard"},
          config = config_of("b")}
      end
      one:order("configure", list)
      local get = clock.now
      one.deps.now = function()
        clock.pass(0.001)
        return get()
      end
      assert.is_true(one:turn())
      assert.is_false(one.changes:are_done())
      while not one.changes:are_done() do
        one:turn()
      end
    end)

    it("does nothing of a change that needs a reload", function()
      change({kind = "added", name = "x", reload = {"no backend"}},
        {kind = "changed", name = "b", keys = {}, reload = {"lines"}})
      assert.are.same({"b", "d"}, names())
    end)

    it("tells what the files have that is not done", function()
      assert.are.same({}, report.troubles(one))
      one.live = {path = "/f", errors = {"a", "b"}, needs = {"c"}}
      assert.are.same({"/f: the configuration on disk is wrong, and nothing " ..
        "of it is applied: a (and 1 more)", "/f: the configuration on disk " ..
        "has changes that need a reload of HAProxy: c"}, report.troubles(one))
      assert.are.same({"the configuration on disk is wrong, and nothing of " ..
        "it is applied", "the configuration on disk has changes that need a " ..
        "reload of HAProxy"}, report.troubles(one, true))
    end)

    it("has the files read again after an error of its own", function()
      local is_distrusted = false
      one.live = {distrust = function() is_distrusted = true end}
      one:order("configure",
        {{kind = "added", name = "c", config = config_of("c")}})
      one:recover()
      assert.is_true(is_distrusted)
    end)

    it("answers requests that still name a service that is gone", function()
      assert.are.same({}, one:see({{name = "x", usable = 1, idle = 0}}))
      assert.is_true(one:count_sessions({"x"}))
      assert.is_true(one:is_counted({said = true}, {"x"}))
      assert.are.same({}, one:counters_of("x", function() end))
    end)
  end)
end)
