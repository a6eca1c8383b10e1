-- What the agent has in its snapshot and in the services' files, and when.
local new_world = dofile("tests/fake/world.lua")

describe("the agent's files", function()
  local world, clock, written, files, one

  local function new(...)
    one = world.new(...)
  end

  local function with_file(...)
    local config = world.config_of(...)
    config.has_file = true
    return config
  end

  local function record(...)
    return {path = "/web", instances = {...}, placed = {}, states = {},
      retained = {}, addresses = {}, departed = {}, failing = {}, since = {},
      orders = {}}
  end

  local function snapshot_has(text)
    return written[#written]:find(text, 1, true) ~= nil
  end

  -- Which services have, from here on, something new for their files.
  local function listen()
    local told = {}
    function one.output.changed(_, service)
      table.insert(told, service.name)
    end
    return told
  end

  before_each(function()
    world = new_world()
    clock, written, files = world.clock, world.written, world.files
  end)

  it("has a service's instances in its file once they are known", function()
    new({with_file("web"), world.config_of("api")})
    one:fill()
    world.connect()
    world.obey()
    world.pass(3)
    assert.is_nil(files["web.json"])
    world.register("/web", "a_1", 80)
    world.pass(3)
    assert.are.equal("web.json\n", files[".myelin"])
    assert.is_truthy(files["web.json"]:find('"host":"10.0.0.1"', 1, true))
    assert.is_nil(files["api.json"])
    world.sessions[1].reply("/api", {children = {}})
    world.pass(2)
    assert.is_nil(files["api.json"])
  end)

  it("follows what changes later, in both", function()
    new({with_file("web")})
    one:fill()
    world.connect()
    world.obey()
    world.register("/web", "a_1", 80)
    world.obey()
    world.pass(3)
    world.happen({type = "watch", session = world.sessions[1],
      change = "child", path = "/web"})
    world.register("/web", "b_2", 81)
    assert.is_false(snapshot_has('"znode":"b_2"'))
    world.pass(3)
    assert.is_truthy(files["web.json"]:find('"port":81', 1, true))
    assert.is_true(snapshot_has('"znode":"b_2"'))
  end)

  -- An empty file says that there are no instances.
  it("has an empty list only once a service was read without instances",
    function()
      new({with_file("web")})
      one:fill()
      world.connect()
      world.obey()
      world.pass(3)
      assert.is_nil(files["web.json"])
      local before = #written
      world.sessions[1].reply("/web", {children = {}})
      world.pass(3)
      assert.are.equal("[]", files["web.json"])
      assert.is_true(#written > before)
    end)

  it("tells a service's file once that it was read", function()
    new({with_file("web")})
    world.connect()
    world.obey()
    local told = listen()
    world.sessions[1].reply("/web", {children = {}})
    one:turn()
    assert.are.same({"web"}, told)
    world.happen({type = "watch", session = world.sessions[1],
      change = "child", path = "/web"})
    world.sessions[1].reply("/web", {children = {}})
    one:turn()
    assert.are.same({"web"}, told)
  end)

  it("has the instances of the snapshot in the file from the start",
    function()
      local alone = with_file("alone")
      alone.sources = {}
      new({alone, with_file("api"), with_file("web")},
        {web = record({key = "10.0.0.1:80", host = "10.0.0.1", port = 80,
          znode = "a_1"})})
      one:fill()
      one:open()
      world.happen({type = "session", session = world.sessions[1],
        state = "connecting"})
      world.pass(5)
      assert.is_truthy(files["web.json"]:find('"port":80', 1, true))
      assert.are.equal("[]", files["alone.json"])
      assert.is_nil(files["api.json"])
    end)

  it("writes the file again where the configuration has changed what is known",
    function()
      local function reconfigure(config)
        one:order("configure", {{kind = "changed", name = config.name,
          keys = {}, config = config}})
        one:turn()
      end
      local alone, served = with_file("alone"), with_file("served")
      alone.sources = {}
      served.default_servers =
        {{key = "10.0.0.9:80", host = "10.0.0.9", port = 80}}
      new({alone, with_file("read"), served, with_file("unread")})
      one:fill()
      world.connect()
      world.sessions[1].reply("/read", {children = {}})
      one:turn()
      local told = listen()
      reconfigure(with_file("unread"))
      assert.are.same({}, told)
      reconfigure(alone)
      reconfigure(with_file("read"))
      reconfigure(served)
      assert.are.same({"alone", "read", "served"}, told)
    end)

  it("snapshots what a changed configuration has made of a service", function()
    new({world.config_of("web")})
    one:fill()
    world.connect()
    world.obey()
    world.register("/web", "a_1", 80)
    world.obey()
    world.pass(3)
    assert.is_true(snapshot_has('"znode":"a_1"'))
    one:order("configure", {{kind = "changed", name = "web", keys = {},
      config = world.config_of("web", "/other")}})
    one:turn()
    world.pass(3)
    assert.is_true(snapshot_has('other'))
  end)

  it("has no service in the snapshot that has left", function()
    new({world.config_of("api"), world.config_of("web")})
    one:fill()
    world.connect()
    world.obey()
    world.sessions[1].reply("/web", {children = {}})
    world.pass(3)
    assert.is_true(snapshot_has('"name":"api"'))
    one:order("configure", {{kind = "removed", name = "api"}})
    one:turn()
    world.pass(1)
    world.obey()
    world.pass(3)
    assert.is_false(snapshot_has('"name":"api"'))
    assert.is_true(snapshot_has('"name":"web"'))
  end)

  -- The rest of the list would have been encoded at other places of it.
  it("encodes the snapshot from its start where the list has changed",
    function()
      new({world.config_of("api"), world.config_of("web")})
      one:fill()
      world.connect()
      world.obey()
      one.changes.deps.unused.a = {pool = {"s1"},
        declared = {s1 = {weight = 1, maxconn = 0}}}
      one.encoder.whole = {number = 1}
      one.looked_at, one.sync.retained_at = 1, 1
      local looked_at
      function one.client.tick()
        looked_at = {one.looked_at, one.sync.retained_at}
      end
      clock.pass(1)
      one:order("configure",
        {{kind = "added", name = "a", config = world.config_of("a")}})
      one:turn()
      assert.are.same({0, 0}, looked_at)
      world.obey()
      world.pass(3)
      assert.is_true(snapshot_has('"name":"a"'))
      assert.is_true(snapshot_has('"name":"api"'))
      local changed = 0
      function one.keeper.changed()
        changed = changed + 1
      end
      one.changes.deps.listed()
      assert.are.equal(1, changed)
    end)

  it("keeps nothing of a service that is gone", function()
    new({world.config_of("api"), world.config_of("web")}, nil, nil)
    one:fill()
    world.connect()
    world.obey()
    world.sessions[1].reply("/api", {children = {}})
    one:turn()
    world.pass(3)
    local gone = one.by_name.api
    one.counters:ask({gone})
    world.obey()
    one.ordered[gone] = true
    assert.is_true(one.known[gone])
    assert.is_truthy(one.counters.answers[gone])
    one:order("configure", {{kind = "removed", name = "api"}})
    one:turn()
    world.obey()
    assert.is_nil(one.by_name.api)
    local kept = {known = one.known[gone], ordered = one.ordered[gone],
      text = one.encoder.parts[gone], answer = one.counters.answers[gone],
      counted = one.usable.counted[gone]}
    assert.are.same({}, kept)
  end)

  it("snapshots an address that a name has got", function()
    local config = world.config_of("web")
    config.named_servers = {{hosts = "spare:1", place = "web",
      fields = {host = "127.0.0.1", port = 80}}}
    new({config})
    one:fill()
    world.connect()
    world.obey()
    world.pass(1)
    assert.are.same({"spare:1"}, world.looked_up)
    world.happen({type = "addresses", request = 501, addresses = "10.0.0.9:1"})
    world.pass(3)
    assert.is_true(snapshot_has('"spare:1":"10.0.0.9:1"'))
  end)

  it("fills no service whose configuration is another by now", function()
    local config = world.config_of("web")
    new({config})
    local reviewed, changed = 0, 0
    function one.keeper.changed()
      changed = changed + 1
    end
    function one.by_name.web.review()
      reviewed = reviewed + 1
      return false
    end
    local filled = one.deps.lookup.deps.filled
    filled(world.config_of("web"))
    filled(world.config_of("api"))
    assert.are.same({0, 0}, {reviewed, changed})
    filled(config)
    assert.are.same({1, 1}, {reviewed, changed})
  end)

  -- It is only for the charts of the page.
  it("lets the last hour of a service wait for the next snapshot", function()
    new({world.config_of("web")})
    one:fill()
    world.connect()
    world.obey()
    local is_other, waiting = false, 0
    one.journal.settle = function() return is_other end
    one.keeper.changed_a_little = function() waiting = waiting + 1 end
    one.sync:compare(one.by_name.web)
    one:turn()
    world.obey()
    assert.are.equal(0, waiting)
    is_other = true
    one.sync:compare(one.by_name.web)
    one:turn()
    world.obey()
    assert.is_true(waiting > 0)
  end)

  it("writes nothing more once HAProxy stops", function()
    new({with_file("web")})
    one:fill()
    world.connect()
    world.obey()
    world.pass(3)
    assert.is_truthy(files[".myelin"])
    world.register("/web", "a_1", 80)
    local before = #written
    one:stop()
    assert.is_false(one:turn())
    world.pass(3)
    one.keeper:tick()
    one.output:tick()
    assert.are.equal(before, #written)
    assert.is_nil(files["web.json"])
  end)

  it("is ready from the start with a snapshot of all services", function()
    new({world.config_of("web")}, {web = record()})
    assert.is_false(one.is_ready)
    one:fill()
    assert.is_true(one.is_ready)
  end)

  it("takes what HAProxy was told to restore", function()
    local blank = world.config_of("web")
    blank.blank = "spare-1"
    new({world.config_of("api"), blank}, nil, nil,
      {restored = {["spare-1"] = {s1 = "10.0.0.1:80"}}})
    assert.are.same({api = {}, ["spare-1"] = {s1 = "10.0.0.1:80"}},
      world.restored)
  end)

  it("empties the slots that HAProxy has restored for nothing", function()
    local emptied, filled = {}, {}
    new({world.config_of("web")}, {web = record({key = "10.0.0.1:80",
      host = "10.0.0.1", port = 80, znode = "a_1"})})
    local runtime, web = one.deps.runtime, one.by_name.web
    function runtime.empty(backend, slot)
      table.insert(emptied, backend .. "/" .. slot)
    end
    function web.filled(_, slot, server)
      table.insert(filled, slot .. " " .. server.host)
    end
    one:fill()
    local slot = next(web.placement.placed)
    assert.are.same({"web/" .. (slot == "s1" and "s2" or "s1")}, emptied)
    assert.are.same({slot .. " 10.0.0.1"}, filled)
    -- HAProxy refuses an address now and then: then it is set as a command.
    runtime.fill = function() return false end
    one:fill()
    assert.are.equal(1, #filled)
  end)
end)
