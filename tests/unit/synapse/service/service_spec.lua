local cjson = require("cjson.safe")
local service = require("synapse.service.service")
local view = require("synapse.status.view")
local new_clock = dofile("tests/fake/clock.lua")
local new_log = dofile("tests/fake/log.lua")
local planned = dofile("tests/fake/planned.lua")

local function instance(last, weight)
  return {key = "10.0.0." .. last .. ":80", host = "10.0.0." .. last,
    port = 80, weight = weight, znode = "i_" .. last}
end

describe("a service", function()
  local clock, log, sessions, claimed, deferred, retained_by, deletes, one

  local function new(changes, record, size, backups)
    local pool, declared = {}, {}
    for i = 1, size or 4 do
      pool[i] = "s" .. i
      declared["s" .. i] = {weight = 10, maxconn = 0,
        is_backup = (backups or {})["s" .. i]}
    end
    local config = {name = "web", backend = "www", path = "/web",
      default_servers = {}, use_previous_backends = true,
      guard = {window = 10, share = 0.5, hold = 60},
      fixed = "server_options is not set"}
    for key, value in pairs(changes or {}) do
      config[key] = value
    end
    one = service.new({config = config, backend = "www", pool = pool,
      declared = declared,
      record = record, now = clock.now, wall = clock.now, log = log,
      is_claimed = function(key) return claimed[key] == true end,
      retained_by = retained_by,
      sessions = function(slot) return sessions[slot] or 0 end,
      id = function() return 3 end,
      address_is_deferred = deferred ~= nil, deletes_servers = deletes,
      is_at = function(slot, host, port)
        return deferred[slot] == host .. ":" .. port
      end})
    -- A service that does not wait is never asked whether it is due.
    function one.is_due(self)
      local is_due = service.is_due(self)
      assert.is_true(self:is_waiting() or not is_due)
      return is_due
    end
  end

  -- What HAProxy would say if every command of ours had been done.
  local function as_told()
    local states = {}
    for slot, server in pairs(one.actual.servers) do
      states[slot] = {id = tonumber(slot:match("%d+"))}
      for field, value in pairs(server) do
        states[slot][field] = value
      end
    end
    return states
  end

  local function texts()
    local list = {}
    for _, group in ipairs(planned(one)) do
      for _, command in ipairs(group) do
        list[#list + 1] = command.text
      end
    end
    return list
  end

  -- Sends what is planned; HAProxy does it all. Returns whether that makes
  -- more necessary.
  local function apply_round()
    local needs_more = false
    for _, group in ipairs(planned(one)) do
      for _, command in ipairs(group) do
        if command.field ~= "state" then
          one:sent(command)
          needs_more = one:done(command, "") or needs_more
        end
      end
    end
    return needs_more
  end

  -- The same for all that is to be done, which is two rounds where an address
  -- is told.
  local function apply()
    while apply_round() and not one:is_moving() do end
  end

  local function slot_of(last)
    for slot, key in pairs(one.placement.placed) do
      if key == "10.0.0." .. last .. ":80" then
        return slot
      end
    end
  end

  local function keys(instances)
    local list = {}
    for i, each in ipairs(instances) do
      list[i] = each.key
    end
    return list
  end

  -- Brings it to the given instances, all acknowledged.
  local function settle(...)
    one:observe(as_told())
    one:update({...})
    apply()
    assert.are.same({}, planned(one))
  end

  before_each(function()
    clock, log, sessions, claimed = new_clock(), new_log(), {}, {}
    retained_by, deletes = {}, nil
    new()
  end)

  it("tells since when there is something new of its instances", function()
    one:update({instance(1)}, 5)
    one:update({instance(1), instance(2)}, 7)
    local touched, since = one:take_touched()
    assert.are.same({["10.0.0.1:80"] = true, ["10.0.0.2:80"] = true}, touched)
    assert.are.equal(5, since)
    one:update({instance(1), instance(2)}, 9)
    touched, since = one:take_touched()
    assert.are.same({{}}, {touched, since})
    one:update({instance(1, 7), instance(2)}, 11)
    touched, since = one:take_touched()
    assert.are.same({["10.0.0.1:80"] = true}, touched)
    assert.are.equal(11, since)
  end)

  it("is told of anew when its instances come from elsewhere", function()
    settle(instance(1))
    local before = one.version
    one:update({instance(1)})
    assert.are.equal(before, one.version)
    one:update({})
    assert.are.same({"10.0.0.1:80"}, keys(one:serving()))
    assert.is_true(one.version > before)
  end)

  it("serves nobody once it leaves, whatever its configuration says",
    function()
      for _, changes in ipairs({
        {default_servers = {instance(9)}},
        {use_previous_backends = true}, {leader_election = true},
        {prefer = {{label = "zone", value = "a", least = 1}}},
      }) do
        new(changes)
        settle(instance(1), instance(2))
        one:leave()
        assert.are.same({}, one:serving())
        assert.is_true(one.is_leaving)
      end
    end)

  it("keeps what it was before it left, while it empties its slots",
    function()
      settle(instance(1), instance(2))
      local placed = {}
      for slot, key in pairs(one.placement.placed) do
        placed[slot] = key
      end
      one:leave()
      apply()
      assert.are.same({}, one.placement.placed)
      assert.are.same(placed, one:record().placed)
    end)

  it("asks for the state before it plans anything", function()
    one:update({instance(1)})
    assert.are.same({"show servers state www"}, texts())
  end)

  it("fills a slot for an instance that comes", function()
    one:observe(as_told())
    one:update({instance(1)})
    local slot = slot_of(1)
    assert.are.same({"set server www/" .. slot .. " addr 10.0.0.1 port 80"},
      texts())
    assert.is_true(apply_round())
    assert.are.same({"set server www/" .. slot .. " state ready"}, texts())
  end)

  it("plans nothing when all was acknowledged", function()
    settle(instance(1), instance(2))
    assert.is_false(one:update({instance(1), instance(2)}))
    assert.are.same({}, texts())
  end)

  it("empties the slot of an instance that goes", function()
    settle(instance(1), instance(2))
    local slot = slot_of(1)
    assert.is_true(one:update({instance(2)}))
    assert.are.same({"set server www/" .. slot .. " state maint"}, texts())
  end)

  it("plans again what was not acknowledged", function()
    settle(instance(1))
    one:update({instance(1, 0)})
    local first = texts()
    assert.are.same(first, texts())
  end)

  it("keeps its instances when ZooKeeper has none, and says so", function()
    settle(instance(1))
    one:update({})
    assert.are.same({}, texts())
    assert.are.equal(1,
      log.count("no instance in ZooKeeper, the previous one stays"))
  end)

  it("says how many previous ones stay", function()
    settle(instance(1), instance(2))
    one:update({})
    assert.are.equal(1, log.count("ZooKeeper, the 2 previous ones stay"))
  end)

  -- It said that ZooKeeper had no instance, where label_filters let none pass.
  it("says that no instance passes label_filters", function()
    settle(instance(1))
    one:update({}, nil, 2)
    assert.are.equal(1, log.count("web: 2 instances in ZooKeeper, none " ..
      "passes label_filters, the previous one stays"))
  end)

  it("empties its slots when it is not to keep previous ones", function()
    new({use_previous_backends = false})
    settle(instance(1))
    local slot = slot_of(1)
    one:update({})
    assert.are.same({"set server www/" .. slot .. " state maint"}, texts())
  end)

  -- It was referred to as long as the worker lived: a large snapshot stood in
  -- memory twice.
  it("lets go of its part of the snapshot", function()
    settle(instance(1))
    local record = one:record()
    local weak = setmetatable({record}, {__mode = "v"})
    new(nil, record)
    record = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    assert.is_nil(weak[1])
    assert.is_string(slot_of(1))
    assert.is_true(one.has_record)
  end)

  -- The default servers are for a service that has nobody else.
  it("has its default servers after a wipe once nobody is retained", function()
    new({default_servers = {instance(9)}}, nil, 8)
    settle(instance(1), instance(2), instance(3), instance(4))
    clock.pass(20)
    for i = 1, 4 do
      one.actual.servers[slot_of(i)].check = "passes"
    end
    one:update({})
    apply()
    assert.is_true(one:has_retained())
    assert.is_nil(slot_of(9))
    assert.are.equal("ready", one.actual.servers[slot_of(1)].admin)
    clock.pass(60)
    one:review()
    apply()
    assert.is_false(one:has_retained())
    assert.is_nil(slot_of(1))
    assert.are.equal("ready", one.actual.servers[slot_of(9)].admin)
  end)

  it("starts with its default servers where it knows nothing else", function()
    new({default_servers = {instance(9)}})
    assert.is_string(slot_of(9))
  end)

  describe("and weights", function()
    it("drains at weight 0, always", function()
      settle(instance(1))
      one:update({instance(1, 0)})
      assert.are.same({"set server www/" .. slot_of(1) .. " weight 0%"},
        texts())
    end)

    it("leaves other weights to the configuration", function()
      settle(instance(1))
      one:update({instance(1, 77)})
      assert.are.same({}, texts())
    end)

    it("applies other weights with use_nerve_weights", function()
      new({use_nerve_weights = true})
      settle(instance(1))
      one:update({instance(1, 77)})
      assert.are.same({"set server www/" .. slot_of(1) .. " weight 77"},
        texts())
    end)

    -- `balance source` refused each weight: the instance was pending, and the
    -- command sent again, for ever.
    it("leaves them to a static balancing algorithm, but drains", function()
      new({use_nerve_weights = true, has_fixed_weights = true})
      settle(instance(1))
      one:update({instance(1, 77)})
      assert.are.same({}, texts())
      one:update({instance(1, 0)})
      assert.are.same({"set server www/" .. slot_of(1) .. " weight 0%"},
        texts())
    end)

    it("returns to the configuration's when there is none any more",
      function()
        new({use_nerve_weights = true})
        settle(instance(1, 0))
        one:update({instance(1)})
        assert.are.same({"set server www/" .. slot_of(1) .. " weight 100%"},
          texts())
      end)
  end)

  describe("and what a znode says of its server", function()
    local function said(last, fields)
      local made = instance(last)
      for name, value in pairs(fields) do
        made[name] = value
      end
      made.options = cjson.encode(fields)
      return made
    end

    it("sets its weight, whatever use_nerve_weights says", function()
      settle(instance(1))
      one:update({said(1, {server_weight = 50})})
      assert.are.same({"set server www/" .. slot_of(1) .. " weight 50"},
        texts())
    end)

    it("goes by the weight of the znode first where that counts", function()
      new({use_nerve_weights = true})
      settle(said(1, {server_weight = 50, weight = 99}))
      assert.are.equal(99, one.actual.servers[slot_of(1)].weight)
    end)

    it("sets its maxconn, and the slot's own when it goes", function()
      settle(instance(1))
      one:update({said(1, {maxconn = 5})})
      assert.are.same({"set maxconn server www/" .. slot_of(1) .. " 5"},
        texts())
      apply()
      assert.is_truthy(one:summary():find("1 instance changed", 1, true))
      one:observe(as_told())
      assert.are.same({}, texts())
      one:update({instance(1)})
      assert.are.same({"set maxconn server www/" .. slot_of(1) .. " 0"},
        texts())
    end)

    it("sets a maxconn again whose answer was lost", function()
      settle(instance(1))
      one:update({said(1, {maxconn = 5})})
      one:sent(planned(one)[1][1])
      one:lost()
      one:observe(as_told())
      assert.are.same({"set maxconn server www/" .. slot_of(1) .. " 5"},
        texts())
    end)

    it("names who asks in vain to be a backup", function()
      settle(said(1, {is_backup = true}))
      assert.are.equal(1, log.count("web: instance 10.0.0.1:80: `backup` is " ..
        "not applied: no slot is declared `backup`"))
      assert.is_string(slot_of(1))
    end)

    it("moves who becomes a backup to a slot for them", function()
      new(nil, nil, 4, {s4 = true})
      settle(instance(1))
      local slot = slot_of(1)
      one:update({said(1, {is_backup = true})})
      assert.are.same({"set server www/s4 addr 10.0.0.1 port 80"}, texts())
      apply_round()
      assert.are.same({"set server www/s4 state ready",
        "set server www/" .. slot .. " state maint"}, texts())
    end)

    it("keeps the operator state of what becomes a backup", function()
      new(nil, nil, 4, {s4 = true})
      settle(instance(1))
      local states = as_told()
      states[slot_of(1)].admin = "maint"
      one:observe(states)
      one:update({said(1, {is_backup = true})})
      assert.are.same({"set server www/s4 addr 10.0.0.1 port 80"}, texts())
    end)

    it("adds a slot for a backup where those are taken", function()
      new({server_options = {text = "check maxconn 9", weight = 1,
        maxconn = 9}}, nil, 2, {s2 = true})
      settle(said(1, {is_backup = true}))
      one:update({said(1, {is_backup = true}), said(2, {is_backup = true})})
      assert.is_truthy(texts()[1]:find("^add server www/s3 .* backup$"))
      apply()
      assert.are.equal(9, one.actual.servers.s3.maxconn)
      apply()
      assert.are.equal("10.0.0.2:80", one.placement.placed.s3)
    end)
  end)

  -- The page told 200 errors of an instance that had answered nothing.
  it("asks for the errors of who was in a slot before, and keeps them",
    function()
      new(nil, nil, 1)
      settle(instance(1))
      one:observe(as_told())
      one:update({instance(2)})
      assert.are.same({"show stat 3 4 1", "set server www/s1 state maint",
        "set server www/s1 addr 10.0.0.2 port 80"}, texts())
      local command = planned(one)[1][1]
      local row = {"web", "s1"}
      for column = 3, 90 do
        row[column] = ({[14] = "4", [15] = "2"})[column] or ""
      end
      one:sent(command)
      assert.is_false(one:done(command, table.concat(row, ",")))
      assert.are.equal(6, one.errors_before.s1)
    end)

  -- 908 of 1,000 requests went to the instance that had left.
  describe("whose slots share connections", function()
    before_each(function()
      new({shares_connections = true}, nil, 1)
      settle(instance(1))
      sessions.s1 = 20
      one:update({instance(2)})
      apply()
    end)

    it("has an instance wait until the sessions of the last are gone",
      function()
        assert.is_nil(slot_of(2))
        assert.is_false(one:is_due())
        assert.is_truthy(one:summary():find("the sessions of its last instance",
          1, true))
        sessions.s1 = 0
        assert.is_true(one:is_due())
        apply()
        assert.are.equal("s1", slot_of(2))
        assert.are.equal("10.0.0.2", one.actual.servers.s1.host)
        assert.are.equal("ready", one.actual.servers.s1.admin)
        assert.is_false(one:is_due())
      end)

    it("lets the same instance back at once", function()
      one:update({instance(1)})
      assert.are.equal("s1", slot_of(1))
    end)
  end)

  describe("with more instances than slots", function()
    before_each(function()
      new(nil, nil, 2)
      settle(instance(1), instance(2), instance(3))
    end)

    it("tells who waits", function()
      assert.is_truthy(one:summary():find(
        "1 instance without a slot (10.0.0.3:80; server_options is not set)",
        1, true))
    end)

    it("gives the next free slot to an instance that waits", function()
      local slot = slot_of(1)
      one:update({instance(2), instance(3)})
      assert.are.equal(slot, slot_of(3))
    end)
  end)

  describe("that may add slots", function()
    local OPTIONS = {text = "check", has_check = true, weight = 1}

    before_each(function()
      new({server_options = OPTIONS}, nil, 1)
      settle(instance(1))
      one:update({instance(1), instance(2), instance(3)})
    end)

    it("adds one for each instance that waits, and fills it", function()
      assert.are.equal(6, #texts())
      apply_round()
      assert.are.same({
        "set server www/s2 addr 10.0.0.2 port 80",
        "set server www/s3 addr 10.0.0.3 port 80",
      }, texts())
      apply()
      assert.are.same({}, texts())
      assert.is_truthy(one:summary():find("2 slots added, 3 of 3", 1, true))
    end)

    it("says that there is more to do once a slot is added", function()
      local group = planned(one)[1]
      assert.is_false(one:done(group[1]))
      assert.is_false(one:done(group[2]))
      assert.is_true(one:done(group[3]))
    end)

    it("uses them again", function()
      apply()
      apply()
      one:update({instance(1)})
      apply()
      one:update({instance(1), instance(4), instance(5)})
      for _, text in ipairs(texts()) do
        assert.is_nil(text:find("add server", 1, true))
      end
      apply()
      assert.are.same({}, one.placement.waiting)
    end)

    it("repairs them like the others", function()
      apply()
      apply()
      local states = as_told()
      states.s2.weight = 5
      one:observe(states)
      assert.are.same({"set server www/s2 weight 100%"}, texts())
    end)

    it("is not said to have drifted because instances wait", function()
      assert.is_true(one:observe(as_told()))
      assert.are.equal(0, log.count("not as last set"))
    end)

    it("says once what HAProxy refused, asks for names, and tries again",
      function()
        for _, group in ipairs(planned(one)) do
          for _, command in ipairs(group) do
            one:sent(command)
            one:refuse(command, "No.")
          end
        end
        assert.are.equal(1, log.count("error: "))
        assert.are.equal(1, log.count("no slot can be added: `add server " ..
          "www/s2 127.0.0.1:1 id 2 pool-max-conn -1 pool-purge-delay 5s " ..
          "check` refused: No.; again in 1 s"))
        assert.are.equal("HAProxy refused to add a slot, `add server www/s2 " ..
          "127.0.0.1:1 id 2 pool-max-conn -1 pool-purge-delay 5s check`: No.",
          one:obstacle())
        assert.are.same({"show servers state www"}, texts())
        one:observe(as_told())
        assert.are.same({}, texts())
        assert.is_false(one:is_due())
        clock.pass(1)
        assert.is_true(one:is_due())
        assert.are.equal(6, #texts())
      end)

    it("grows again after a reload", function()
      apply()
      apply()
      local record = one:record()
      new({server_options = OPTIONS}, record, 1)
      one:observe(as_told())
      assert.are.equal("add server www/s2 127.0.0.1:1 id 2 pool-max-conn -1 " ..
        "pool-purge-delay 5s check", texts()[2])
    end)
  end)

  describe("that may delete slots", function()
    local OPTIONS = {text = "check", has_check = true, weight = 1}
    local KEPT = "Server still has connections attached to it, cannot " ..
      "remove it."
    local slot, command

    -- Sends what deletes the slot.
    local function send()
      for _, group in ipairs(planned(one)) do
        if group[1].deletes then
          command = group[1]
          one:sent(command)
        end
      end
    end

    before_each(function()
      deletes, command = true, nil
      new({server_options = OPTIONS}, nil, 1)
      settle(instance(1))
      one:update({instance(1), instance(2)})
      apply()
      apply()
      slot = slot_of(2)
      one:update({instance(1)})
      apply()
      one:summary()
    end)

    it("deletes an added slot that has been empty for a while", function()
      clock.pass(9)
      assert.is_false(one:is_due())
      assert.are.same({}, texts())
      clock.pass(1)
      assert.is_true(one:is_due())
      assert.are.same({"del server www/" .. slot}, texts())
      send()
      assert.is_false(one:is_due())
      assert.is_false(one:done(command, "Server deleted."))
      assert.are.same({}, texts())
      assert.are.same({"s1"}, one:view().slot_names)
      assert.are.equal("web: 1 command acknowledged, 1 slot deleted, 1 of 1 " ..
        "slot used", one:summary())
    end)

    it("adds it again when it is needed again", function()
      clock.pass(10)
      send()
      one:done(command, "Server deleted.")
      one:update({instance(1), instance(3)})
      assert.are.equal("add server www/s2 127.0.0.1:1 id 2 pool-max-conn -1 " ..
        "pool-purge-delay 5s check", texts()[1])
      apply()
      apply()
      assert.are.equal("s2", slot_of(3))
    end)

    it("deletes no slot that was declared", function()
      one:update({})
      apply()
      clock.pass(100)
      assert.are.same({"del server www/s2"}, texts())
    end)

    it("deletes none with sessions", function()
      sessions[slot] = 1
      clock.pass(10)
      assert.are.same({}, texts())
    end)

    it("deletes none while the service is frozen", function()
      clock.pass(10)
      one:freeze()
      assert.are.same({}, texts())
    end)

    it("deletes it before the service has left", function()
      one.deps.config.sources = {}
      one:leave()
      apply()
      assert.is_false(one:has_left())
      assert.is_true(one:is_due())
      send()
      assert.is_false(one:has_left())
      one:done(command, "Server deleted.")
      assert.is_true(one:has_left())
      assert.are.same({"s1"}, one:slots().pool)
    end)

    it("does not wait for its sessions where the service leaves", function()
      sessions[slot] = 1
      one:leave()
      apply()
      assert.is_false(one:has_left())
      assert.are.same({}, texts())
      assert.is_true(one:has_left())
    end)

    it("deletes none that an instance got", function()
      one:update({instance(1), instance(2)})
      apply()
      clock.pass(10)
      assert.are.same({}, texts())
    end)

    it("gives it to no instance while it may be deleted", function()
      clock.pass(10)
      send()
      one:update({instance(1), instance(3)})
      assert.are.same({"10.0.0.3:80"}, one.placement.waiting)
    end)

    it("uses it again if HAProxy keeps it", function()
      clock.pass(10)
      send()
      one:update({instance(1), instance(3)})
      assert.is_true(one:done(command, KEPT))
      assert.are.equal(slot, slot_of(3))
      assert.are.equal(0, log.count("error: "))
      assert.are.equal("set server www/s2 addr 10.0.0.3 port 80", texts()[1])
    end)

    it("tries again later if HAProxy keeps it", function()
      clock.pass(10)
      send()
      assert.is_false(one:done(command, KEPT))
      assert.is_false(one:is_due())
      clock.pass(10)
      assert.are.same({"del server www/" .. slot}, texts())
    end)

    it("says once what HAProxy refused, and tries again", function()
      clock.pass(10)
      send()
      one:refuse(command, "Permission denied")
      assert.are.equal(1, log.count("no slot can be deleted: `del server " ..
        "www/s2` refused: Permission denied; again in 60 s"))
      assert.are.same({"show servers state www"}, texts())
      one:observe(as_told())
      assert.is_false(one:is_due())
      clock.pass(60)
      assert.are.same({"del server www/" .. slot}, texts())
    end)

    it("learns from HAProxy's state what became of it", function()
      clock.pass(10)
      send()
      one:lost()
      one:observe(as_told())
      assert.are.same({"s1", "s2"}, one.placement.pool)
      clock.pass(10)
      send()
      one:lost()
      local states = as_told()
      states[slot] = nil
      one:observe(states)
      assert.are.same({"s1"}, one.placement.pool)
      assert.are.equal(0, log.count("is gone from HAProxy"))
    end)

    it("forgets it if somebody else deleted it", function()
      local states = as_told()
      states[slot] = nil
      one:observe(states)
      clock.pass(10)
      assert.are.same({}, texts())
    end)
  end)

  it("lets a slot rest while sessions of its last instance go on", function()
    settle(instance(1))
    local slot = slot_of(1)
    sessions[slot] = 3
    one:update({instance(2)})
    apply()
    one:update({instance(2), instance(3), instance(4), instance(5)})
    assert.are.equal("10.0.0.5:80", one.placement.placed[slot])
  end)

  it("gives an instance that returns the slot that it had", function()
    settle(instance(1))
    local slot = slot_of(1)
    sessions[slot] = 3
    one:update({instance(2)})
    apply()
    one:update({instance(1), instance(2)})
    assert.are.equal(slot, slot_of(1))
  end)

  describe("that an operator gives an order", function()
    before_each(function()
      settle(instance(1), instance(2))
    end)

    it("does it, and asks HAProxy", function()
      assert.is_true(one:operate("10.0.0.1:80", "maint", "disk", 60))
      assert.is_false(one:is_operated("10.0.0.1:80"))
      assert.are.same({"set server www/" .. slot_of(1) .. " state maint",
        "show servers state www"}, texts())
      apply()
      assert.is_true(one:is_operated("10.0.0.1:80"))
      one:observe(as_told())
      assert.are.same({"maint", "maint by an operator until " ..
        "1970-01-01T00:17:40Z: disk"}, {view.state(one, "10.0.0.1:80")})
      assert.are.equal(0, one.drift)
      assert.are.equal(1, log.count("10.0.0.1:80 ready -> maint by an " ..
        "operator until 1970-01-01T00:17:40Z: disk"))
    end)

    it("ends it in time", function()
      one:operate("10.0.0.1:80", "drain", nil, 60)
      apply()
      one:observe(as_told())
      assert.is_false(one:end_orders())
      clock.pass(60)
      assert.is_true(one:end_orders())
      assert.are.equal("set server www/" .. slot_of(1) .. " state ready",
        texts()[1])
      apply()
      one:observe(as_told())
      assert.are.equal("ready", (view.state(one, "10.0.0.1:80")))
    end)

    it("keeps it over a reload, with its reason", function()
      one:operate("10.0.0.1:80", "maint", "disk", 60)
      apply()
      new({}, one:record())
      assert.are.equal("disk", one.operator.orders["10.0.0.1:80"].reason)
      assert.are.same({maint = 0, maint_until = 1, drain = 0, drain_until = 0},
        one:view().operated)
    end)

    it("puts it off while the service is frozen", function()
      one:freeze()
      assert.is_true(one:operate("10.0.0.1:80", "maint"))
      for _, text in ipairs(texts()) do
        assert.is_nil(text:find("set server"))
      end
      one:thaw()
      assert.are.equal("set server www/" .. slot_of(1) .. " state maint",
        texts()[1])
    end)

    it("does not do it for an instance that it has not", function()
      assert.is_false(one:operate("10.0.0.9:80", "maint"))
    end)
  end)

  -- A znode that went and came back took an operator's maint with it.
  describe("whose instance an operator has put into maint", function()
    before_each(function()
      settle(instance(1), instance(2))
      local states = as_told()
      states[slot_of(1)].admin = "maint"
      one:observe(states)
      one:update({instance(2)})
      apply()
    end)

    it("has it in maint when it comes back", function()
      clock.pass(59)
      one:update({instance(1), instance(2)})
      apply()
      assert.are.equal("maint", one.actual.servers[slot_of(1)].admin)
    end)

    it("has it in maint when it comes back after a reload", function()
      local record = one:record()
      clock.pass(30)
      new(nil, record)
      settle(instance(1), instance(2))
      assert.are.equal("maint", one.actual.servers[slot_of(1)].admin)
    end)

    it("forgets it after the guard's hold", function()
      clock.pass(60)
      one:update({instance(1), instance(2)})
      apply()
      assert.are.equal("ready", one.actual.servers[slot_of(1)].admin)
    end)
  end)

  -- An instance that had left was the leader: its sequence was the smallest.
  it("never has a leader that is not registered", function()
    new({leader_election = true})
    local all = {}
    for i = 1, 5 do
      all[i] = instance(i)
      all[i].sequence = i
    end
    settle(table.unpack(all))
    clock.pass(10)
    one:update({all[5]})
    assert.are.same({"10.0.0.5:80"}, keys(one.wanted.serving))
    one:update({})
    assert.are.same({"10.0.0.5:80"}, keys(one.wanted.serving))
  end)

  describe("that loses most of its instances at once", function()
    -- Four instances, of which the first one has gone already.
    before_each(function()
      settle(instance(1), instance(2), instance(3), instance(4))
      clock.pass(10)
      one:update({instance(2), instance(3), instance(4)})
      apply()
    end)

    local function lose_most()
      return one:update({instance(4)})
    end

    it("keeps them in their slots, and brings back who went before",
      function()
        local placed = one:target()
        assert.is_true(lose_most())
        for slot, server in pairs(placed) do
          assert.are.equal(server.host, one:target()[slot].host)
        end
        assert.are.equal("set server www/" .. slot_of(1) .. " state ready",
          texts()[1])
        assert.are.equal(1, log.count("warning: web: 3 of 4 instances are " ..
          "gone within 10 s, 1 left: 3 instances (10.0.0.1:80, 10.0.0.2:80, " ..
          "10.0.0.3:80) retained while HAProxy's checks pass, 60 s at most"))
      end)

    -- An instance that came back from maint was in traffic at once, whether it
    -- still lived or not.
    it("brings them back as down, so that a check has to pass first",
      function()
        lose_most()
        local slot = slot_of(1)
        assert.are.same({
          "set server www/" .. slot .. " state ready",
          "set server www/" .. slot .. " health down",
        }, texts())
        apply()
        assert.are.equal("fails", one.actual.servers[slot].check)
        one:review()
        assert.are.equal(slot, slot_of(1))
      end)

    it("takes one out again whose health HAProxy would not set", function()
      lose_most()
      local slot = slot_of(1)
      for _, command in ipairs(planned(one)[1]) do
        one:sent(command)
        if command.field == "health" then
          one:refuse(command, "No.")
        else
          one:done(command)
        end
      end
      assert.are.equal("set server www/" .. slot .. " state maint", texts()[1])
    end)

    it("says which it retains, as long as it does", function()
      lose_most()
      assert.are.same({[one] = true}, retained_by["10.0.0.2:80"])
      one:update({instance(2), instance(4)})
      assert.is_nil(retained_by["10.0.0.2:80"])
      clock.pass(60)
      one:review()
      assert.are.same({}, retained_by)
    end)

    it("does not end the retention of another service", function()
      lose_most()
      local other = {}
      retained_by["10.0.0.2:80"][other] = true
      one:update({instance(2), instance(4)})
      assert.are.same({[other] = true}, retained_by["10.0.0.2:80"])
    end)

    it("tells whose state is another, although they stay", function()
      one:take_touched()
      local before = one.version
      lose_most()
      assert.are.same({["10.0.0.1:80"] = true, ["10.0.0.2:80"] = true,
        ["10.0.0.3:80"] = true}, (one:take_touched()))
      assert.is_true(one.version > before)
      one:update({instance(2), instance(4)})
      assert.is_true(one:take_touched()["10.0.0.2:80"])
    end)

    it("reviews them when there is news, and only then", function()
      lose_most()
      apply()
      one:review()
      assert.is_false(one:is_review_due())
      one:observe(as_told())
      assert.is_true(one:is_review_due())
      one:review()
      clock.pass(59)
      assert.is_false(one:is_review_due())
      clock.pass(1)
      assert.is_true(one:is_review_due())
    end)

    it("lets go at once whose check fails", function()
      lose_most()
      apply()
      local slot, states = slot_of(3), as_told()
      states[slot].check = "fails"
      one:observe(states)
      assert.is_true(one:review())
      assert.are.same("set server www/" .. slot .. " state maint", texts()[1])
      assert.are.equal(1, log.count("info: web: 1 instance (10.0.0.3:80) " ..
        "no longer retained: HAProxy's check fails"))
    end)

    it("keeps none whose slot another one has", function()
      one:update({instance(2), instance(3), instance(4), instance(5)})
      assert.is_string(slot_of(5))
      one:update({instance(5)})
      assert.is_nil(slot_of(1))
      assert.is_string(slot_of(2))
    end)

    it("keeps none whose address another znode has", function()
      claimed["10.0.0.2:80"] = true
      lose_most()
      assert.is_nil(slot_of(2))
      claimed["10.0.0.3:80"] = true
      assert.is_true(one:review())
      assert.is_nil(slot_of(3))
      assert.is_string(slot_of(1))
    end)

    it("lets them go when their time is over", function()
      lose_most()
      clock.pass(60)
      one:review()
      assert.is_false(one:has_retained())
      assert.are.same({"10.0.0.4:80"}, keys(one.wanted.serving))
    end)

    -- Checks that failed one by one left ten instances, nine, ... one, and the
    -- last one was the "previous list" that got all traffic for good.
    it("keeps the whole last list while ZooKeeper has none, whatever HAProxy's "
      .. "checks find", function()
      lose_most()
      apply()
      one:update({})
      for last = 1, 3 do
        local states = as_told()
        states[slot_of(last)].check = "fails"
        one:observe(states)
        one:review()
      end
      clock.pass(60)
      one:review()
      assert.are.equal(4, #one.wanted.serving)
      assert.are.equal("previous", one.wanted.source)
      assert.are.equal(1, log.count("no instance in ZooKeeper, the 4 prev"))
    end)

    it("keeps the previous ones for a while when the first one registers again",
      function()
        one:update({instance(1), instance(2), instance(3), instance(4)})
        one:update({})
        clock.pass(600)
        one:update({instance(2)})
        assert.are.equal(4, #one.wanted.serving)
        clock.pass(60)
        one:review()
        assert.are.same({"10.0.0.2:80"}, keys(one.wanted.serving))
      end)

    -- The instance came back into traffic that an operator had put into maint.
    it("brings one back in the operator's state", function()
      one:update({instance(1), instance(2), instance(3), instance(4)})
      apply()
      local states = as_told()
      states[slot_of(1)].admin = "maint"
      one:observe(states)
      one:update({instance(2), instance(3), instance(4)})
      apply()
      lose_most()
      assert.are.equal("maint", one:target()[slot_of(1)].admin)
      apply()
      assert.are.equal("maint", one.actual.servers[slot_of(1)].admin)
    end)

    it("has them in its record", function()
      lose_most()
      local before = one:record()
      assert.are.equal(clock.now() + 60, before.retained["10.0.0.2:80"])
      new(nil, before)
      assert.is_true(one:has_retained())
      one:update({instance(4)})
      assert.is_string(slot_of(2))
    end)
  end)

  -- An error between what is wanted and the slots (Lua's memory limit) left an
  -- instance without a slot for good: nothing differed any more.
  it("has a slot for each instance again after an error of its own", function()
    settle(instance(1))
    one.placement.change = function() error("not enough memory") end
    assert.has_error(function() one:update({instance(2), instance(3)}) end)
    one.placement.change = nil
    one:recover()
    one:lost()
    one:observe(as_told())
    apply()
    one:update({instance(2), instance(3)})
    assert.is_nil(slot_of(1))
    assert.are.equal("ready", one.actual.servers[slot_of(2)].admin)
    assert.are.equal("ready", one.actual.servers[slot_of(3)].admin)
  end)

  describe("whose command is refused", function()
    local function refuse(field)
      settle(instance(1))
      one:update({instance(1), instance(2, 0)})
      for _, group in ipairs(planned(one)) do
        for _, command in ipairs(group) do
          one:sent(command)
          if command.field == field then
            one:refuse(command, "No.")
          else
            one:done(command)
          end
        end
      end
    end

    it("says which, for what, and why", function()
      refuse("weight")
      assert.are.equal(1, log.count("error: web: www/" .. slot_of(2) ..
        " (10.0.0.2:80): `set server www/" .. slot_of(2) ..
        " weight 0%` refused: No.; again in 1 s"))
    end)

    -- The log had the cause, and the page said that something was refused.
    it("says so wherever its state is asked for", function()
      refuse("weight")
      local state, why = view.state(one, "10.0.0.2:80")
      assert.are.equal("pending", state)
      assert.are.equal("HAProxy refused `set server www/" .. slot_of(2) ..
        " weight 0%`: No.; it is tried again", why)
    end)

    it("leaves the field as it is until it is due", function()
      refuse("weight")
      apply()
      assert.are.same({}, texts())
      assert.is_false(one:is_due())
      clock.pass(1)
      assert.is_true(one:is_due())
      assert.are.same({"set server www/" .. slot_of(2) .. " weight 0%"},
        texts())
    end)

    -- In one batch with its address the slot was ready at the previous one,
    -- until the refusal was read.
    it("never serves from an address that is not the instance's", function()
      refuse("addr")
      assert.are.equal("maint", one.actual.servers[slot_of(2)].admin)
      assert.are.same({}, texts())
    end)

    it("waits longer each time, at most a minute", function()
      refuse("weight")
      for _, delay in ipairs({2, 4, 8, 16, 32, 60, 60}) do
        clock.pass(60)
        local command = planned(one)[1][1]
        one:sent(command)
        one:refuse(command, "No.")
        assert.is_truthy(log.lines[#log.lines]:find(
          "; again in " .. delay .. " s", 1, true))
      end
    end)

    it("forgets it when the instance goes", function()
      refuse("weight")
      one:update({instance(1)})
      clock.pass(1)
      assert.is_false(one:is_due())
    end)

    it("does not hold up the others", function()
      refuse("weight")
      apply()
      one:update({instance(1, 0), instance(2, 0)})
      assert.are.same({"set server www/" .. slot_of(1) .. " weight 0%"},
        texts())
    end)
  end)

  describe("that HAProxy tells of", function()
    it("repairs what is not as it was set, and says so", function()
      settle(instance(1))
      local states = as_told()
      states[slot_of(1)].weight = 99
      assert.is_true(one:observe(states))
      assert.are.same({"set server www/" .. slot_of(1) .. " weight 100%"},
        texts())
      assert.are.equal(1, log.count("warning: web: 1 slot not as last set ("))
    end)

    it("puts a slot into maint that should be empty", function()
      settle(instance(1))
      local states, empty = as_told(), nil
      for slot in pairs(states) do
        empty = not one.placement.placed[slot] and slot or empty
      end
      states[empty].admin = "ready"
      one:observe(states)
      assert.are.same({"set server www/" .. empty .. " state maint"}, texts())
    end)

    it("leaves an operator's maint alone, through a change of weight",
      function()
        settle(instance(1))
        local states = as_told()
        states[slot_of(1)].admin = "maint"
        local differs, is_operated = one:observe(states)
        assert.is_false(differs)
        assert.is_true(is_operated)
        one:update({instance(1, 0)})
        assert.are.same({"set server www/" .. slot_of(1) .. " weight 0%"},
          texts())
        assert.are.equal(1, log.count("10.0.0.1:80 ready -> maint by an op"))
      end)

    it("sends a lost ready again", function()
      settle()
      one:update({instance(1)})
      for _, group in ipairs(planned(one)) do
        for _, command in ipairs(group) do
          one:sent(command)
        end
      end
      one:lost()
      assert.are.same({"show servers state www"}, texts())
      local states = as_told()
      states[slot_of(1)].host, states[slot_of(1)].port = "10.0.0.1", 80
      local _, is_operated = one:observe(states)
      assert.is_false(is_operated)
      assert.are.same({"set server www/" .. slot_of(1) .. " state ready"},
        texts())
    end)

    -- The answer to a question asked before the change tells of the slot's last
    -- instance; its maint was taken for an operator's of the next one.
    it("takes nothing of a slot's last instance for a state of the next",
      function()
        new(nil, nil, 1)
        settle(instance(1))
        local states = as_told()
        states.s1.admin = "maint"
        one:observe(states)
        one:update({instance(2)})
        local _, is_operated = one:observe(states)
        assert.is_false(is_operated)
        assert.are.equal("ready", one:target().s1.admin)
      end)

    it("knows a slot for ready that HAProxy says is ready", function()
      settle(instance(1), instance(2))
      one:update({instance(2)})
      one:update({instance(1), instance(2)})
      one:observe(as_told())
      local states = as_told()
      states[slot_of(1)].admin = "maint"
      local _, is_operated = one:observe(states)
      assert.is_true(is_operated)
    end)

    -- A refusal of a slot that somebody deleted was due for ever, and its
    -- service was looked at five times a second.
    it("forgets what was refused of a slot that HAProxy has not", function()
      settle(instance(1))
      local states, slot = as_told(), slot_of(1)
      one:update({instance(1, 0)})
      local command = planned(one)[1][1]
      one:sent(command)
      one:refuse(command, "No such server.")
      states[slot] = nil
      one:observe(states)
      clock.pass(60)
      assert.is_false(one:is_due())
    end)

    it("uses a slot no more that HAProxy has not", function()
      settle(instance(1))
      local states, slot = as_told(), slot_of(1)
      states[slot] = nil
      one:observe(states)
      assert.is_string(slot_of(1))
      assert.are_not.equal(slot, slot_of(1))
      assert.are.equal(1, log.count("error: web: www/" .. slot ..
        " is gone from HAProxy"))
    end)
  end)

  it("asks for the state after its own commands", function()
    settle(instance(1))
    one:update({instance(1, 0)})
    one:ask()
    assert.are.same({"set server www/" .. slot_of(1) .. " weight 0%",
      "show servers state www"}, texts())
  end)

  it("tells by its revision when its part of the snapshot changed",
    function()
      settle(instance(1))
      local before = one.revision
      one:update({instance(1)})
      assert.are.equal(before, one.revision)
      one:update({instance(1), instance(2)})
      assert.are_not.equal(before, one.revision)
      apply()
      before = one.revision
      local states = as_told()
      states[slot_of(1)].admin = "maint"
      one:observe(states)
      assert.are_not.equal(before, one.revision)
    end)

  describe("of a HAProxy that uses an address after its answer", function()
    before_each(function()
      deferred = {}
      new()
      one:observe(as_told())
      one:update({instance(1)})
    end)

    after_each(function() deferred = nil end)

    -- HAProxy answers "IP changed from ..." and sends requests to the previous
    -- address until a task of its own has run.
    it("makes a slot ready only where it has come to its address", function()
      local slot = slot_of(1)
      assert.are.same({"set server www/" .. slot .. " addr 10.0.0.1 port 80"},
        texts())
      apply()
      assert.are.same({}, texts())
      assert.is_true(one:is_due())
      deferred[slot] = "10.0.0.1:80"
      assert.are.same({"set server www/" .. slot .. " state ready"}, texts())
      apply()
      assert.is_false(one:is_due())
      assert.are.same({}, texts())
    end)

    it("takes the address from a comparison too, which is no drift", function()
      local slot = slot_of(1)
      apply()
      local states = as_told()
      states[slot].host, states[slot].port = "10.0.0.1", 80
      assert.is_true(one:observe(states))
      assert.are.equal(0, one.drift)
      assert.are.same({"set server www/" .. slot .. " state ready"}, texts())
    end)

    -- A slot for a name is told an address where nothing is. HAProxy had
    -- resolved the name before that was seen, and the slot stayed in maint for
    -- half a minute.
    it("asks where a slot is that was not seen at its address", function()
      apply()
      deferred[slot_of(1)] = "10.0.0.9:80"
      assert.are.same({}, texts())
      clock.pass(2)
      assert.are.same({"show servers state www"}, texts())
    end)

    it("tells an address again that HAProxy has not come to", function()
      apply()
      clock.pass(2)
      one:observe(as_told())
      assert.are.equal(1, #texts())
      assert.is_truthy(texts()[1]:find("addr 10.0.0.1 port 80$"))
    end)
  end)

  describe("from a snapshot", function()
    local record

    before_each(function()
      new()
      settle(instance(1), instance(2))
      local states = as_told()
      states[slot_of(2)].admin = "drain"
      one:observe(states)
      record = one:record()
    end)

    it("has its instances in their slots, before any read", function()
      local first, second = slot_of(1), slot_of(2)
      new(nil, record)
      assert.are.equal(first, slot_of(1))
      assert.are.equal(second, slot_of(2))
      assert.are.equal("10.0.0.1", one:target()[first].host)
    end)

    it("keeps an operator's drain", function()
      new(nil, record)
      assert.are.equal("drain", one:target()[slot_of(2)].admin)
      one:filled(slot_of(2), one:target()[slot_of(2)])
      local _, is_operated = one:observe(as_told())
      assert.is_false(is_operated)
      assert.are.equal("drain", one:target()[slot_of(2)].admin)
    end)

    it("keeps whose check failed, and since when each one serves", function()
      local states = as_told()
      states[slot_of(1)].check, states[slot_of(2)].check = "fails", "passes"
      states[slot_of(2)].admin, states[slot_of(2)].warming = "ready", 5
      local before = one.revision
      local _, _, is_checked = one:observe(states)
      assert.is_true(is_checked)
      assert.are_not.equal(before, one.revision)
      record = one:record()
      assert.is_true(one:has_failing())
      assert.are.same({["10.0.0.1:80"] = true}, record.failing)
      assert.are.same({["10.0.0.2:80"] = clock.now() - 5}, record.since)
      new(nil, record)
      assert.are.equal("fails", one:target()[slot_of(1)].check)
      assert.is_nil(one:target()[slot_of(2)].check)
      assert.are.equal(clock.now() - 5, one:target()[slot_of(2)].since)
    end)

    it("leaves a server alone that was a slot", function()
      new(nil, record)
      local states, slot = as_told(), slot_of(1)
      states[slot].is_slot = nil
      one.deps.declared[slot].is_restored = true
      one:observe(states)
      assert.is_nil(one.placement.placed[slot])
      assert.are.equal(1, log.count(slot .. " has an address of its own"))
    end)

    it("knows what was filled before HAProxy began to serve", function()
      new(nil, record)
      for slot, server in pairs(one:target()) do
        one:filled(slot, server)
      end
      one:observe(as_told())
      assert.are.same({}, texts())
    end)

    it("has the default servers of the configuration, not the last ones",
      function()
        local old, fresh = instance(3), instance(4)
        old.znode, fresh.znode = nil, nil
        new({default_servers = {old}})
        record = one:record()
        new({default_servers = {fresh}}, record)
        assert.are.same({nil, "string"}, {slot_of(3), type(slot_of(4))})
      end)

    -- The snapshot was written again when another service was read, and after
    -- the next reload what was days old passed for what was there just now.
    it("that is old keeps it old until the service was read", function()
      local config = {read_as = "nerve"}
      record.is_old = true
      new(config, record)
      assert.is_nil(one:record().read_as)
      local before = one.revision
      one:update({instance(1), instance(2)})
      assert.are.equal("nerve", one:record().read_as)
      assert.are_not.equal(before, one.revision)
    end)

    -- The first look at HAProxy's checks emptied each service with a policy
    -- whose snapshot was old, before ZooKeeper had answered.
    it("that is old serves until ZooKeeper has answered", function()
      record.is_old = true
      new(nil, record)
      one:review()
      assert.are.same({"string", "string"}, {type(slot_of(1)),
        type(slot_of(2))})
      one:update({instance(2)})
      assert.are.same({nil, "string"}, {slot_of(1), type(slot_of(2))})
    end)

    it("fits into fewer slots as far as they go", function()
      new(nil, record, 1)
      assert.are.equal(1, #one.placement.waiting)
    end)
  end)

  it("that is frozen stays as it is, and is then as it should be", function()
    new()
    one:observe(as_told())
    one:update({instance(1)})
    apply()
    one:freeze()
    one:update({instance(2)})
    one:update({instance(3)})
    assert.are.same({}, texts())
    assert.is_falsy(one:review())
    one:thaw()
    apply()
    assert.are.same({nil, "string"}, {slot_of(1), type(slot_of(3))})
    assert.are.same({}, texts())
  end)

  -- All services without a snapshot had one table of addresses: what one had
  -- learnt was no news to another, and what one forgot all lost.
  it("shares no address of a host name with another", function()
    new()
    local other = one.host_names.addresses
    new()
    assert.are_not.equal(other, one.host_names.addresses)
  end)

  it("does what was missed while frozen, not only what ZooKeeper said",
    function()
      local config = {default_servers = {}, keep_default_servers = true}
      new(config)
      one:observe(as_told())
      one:update({instance(1)})
      apply()
      one:freeze()
      local found = instance(5)
      found.znode = nil
      config.default_servers[1] = found
      assert.is_falsy(one:review())
      one:thaw()
      assert.is_string(slot_of(5))
    end)

  describe("with what a record says", function()
    local function record(more)
      local made = {instances = {instance(1), instance(2)},
        placed = {s1 = "10.0.0.1:80", s2 = "10.0.0.2:80"}, states = {},
        retained = {}, addresses = {}, departed = {}, failing = {},
        since = {}, orders = {}}
      for key, value in pairs(more or {}) do
        made[key] = value
      end
      return made
    end

    it("retains who was retained, and tells so from the start", function()
      new(nil, record({retained = {["10.0.0.2:80"] = clock.now() + 30}}))
      assert.are.same({["10.0.0.2:80"] = {[one] = true}}, retained_by)
      assert.is_false(one:is_review_due())
      assert.is_false(one:has_failing())
      clock.pass(30)
      assert.is_true(one:is_review_due())
    end)

    -- The time of `now` begins anew when the machine does.
    it("ends an order of an earlier boot by the time of day", function()
      local function begin(boot)
        local order = {since = 0, till = clock.now() + 600,
          ends = clock.now() + 60}
        new(nil, record({states = {["10.0.0.1:80"] = "maint"}, boot = boot,
          orders = {["10.0.0.1:80"] = order}}))
        clock.pass(61)
        return one:end_orders()
      end
      assert.is_true(begin(nil))
      assert.is_false(begin("another"))
    end)
  end)

  it("says which instance asks in vain to be a backup, also later", function()
    settle(instance(1))
    local now = instance(1)
    now.is_backup = true
    one:update({now})
    assert.are.equal(1, log.count("web: instance 10.0.0.1:80: `backup` is " ..
      "not applied: no slot is declared `backup`"))
    one:update({now, instance(2)})
    assert.are.equal(1, log.count("`backup` is not applied"))
  end)

  it("has nothing to do while it is frozen", function()
    settle(instance(1))
    one:freeze()
    assert.is_false(one:update({instance(1), instance(2)}))
    assert.are.same({"10.0.0.1:80"}, keys(one:serving()))
    assert.is_true(one:thaw())
    assert.are.same({"10.0.0.1:80", "10.0.0.2:80"}, keys(one:serving()))
  end)

  describe("with a policy", function()
    local function zoned(last, zone, weight)
      local made = instance(last, weight)
      made.labels = {zone = zone}
      return made
    end

    local function prefer(least)
      return {prefer = {{label = "zone", value = "a", least = least}}}
    end

    local BACKUPS = {s5 = true, s6 = true, s7 = true, s8 = true}
    local ALL

    before_each(function()
      ALL = {zoned(1, "a"), zoned(2, "a"), zoned(3, "b"), zoned(4, "b")}
    end)

    -- HAProxy tells that the check of an instance says so.
    local function check(last, found)
      local states = as_told()
      states[slot_of(last)].check = found
      return one:observe(states)
    end

    local function are_backups()
      local list = {}
      for last = 1, 4 do
        list[last] = BACKUPS[slot_of(last)] == true
      end
      return list
    end

    it("has those that are not preferred in slots for backups", function()
      new(prefer(1), nil, 8, BACKUPS)
      settle(table.unpack(ALL))
      assert.are.same({false, false, true, true}, are_backups())
    end)

    -- Before HAProxy has told anything, the record says who can serve.
    it("begins with those that can serve as far as the record says", function()
      local function begin(states, weight)
        local instances =
          {zoned(1, "a", weight), zoned(2, "a"), zoned(3, "b")}
        new(prefer(2), {instances = instances, placed = {}, states = states,
          retained = {}, addresses = {}, departed = {}, failing = {},
          since = {}, orders = {}}, 8, BACKUPS)
        return BACKUPS[slot_of(3)] == true
      end
      assert.is_true(begin({}))
      assert.is_false(begin({["10.0.0.1:80"] = "maint"}))
      assert.is_false(begin({}, 0))
    end)

    -- Of two commands the first fills: a request between them finds an
    -- instance twice, and never not at all.
    it("moves them when too few can serve, and back", function()
      new(prefer(2), nil, 8, BACKUPS)
      settle(table.unpack(ALL))
      assert.is_true(check(1, "fails"))
      assert.are.same({false, false, false, false}, are_backups())
      assert.are.equal(1, log.count("fewer than 2 of zone a can serve, so " ..
        "other zone serves too"))
      local commands, has_emptied = texts(), false
      assert.is_true(#commands >= 4)
      for _, text in ipairs(commands) do
        has_emptied = has_emptied or text:find("maint") ~= nil
        assert.is_false(has_emptied and text:find("ready") ~= nil)
      end
      apply()
      assert.is_true(check(1, "passes"))
      assert.are.same({false, false, true, true}, are_backups())
      apply()
      assert.are.same({}, texts())
      assert.are.equal(1, log.count("2 of zone a serve"))
    end)

    it("moves nothing where HAProxy does it alone", function()
      new(prefer(1), nil, 8, BACKUPS)
      settle(table.unpack(ALL))
      check(1, "fails")
      check(2, "fails")
      assert.are.same({}, texts())
      assert.are.equal(1, log.count("no instance of zone a can serve"))
    end)

    it("counts neither a weight of 0 nor what an operator holds", function()
      new(prefer(2), nil, 8, BACKUPS)
      settle(zoned(1, "a", 0), ALL[2], ALL[3], ALL[4])
      assert.are.same({false, false, false, false}, are_backups())
      new(prefer(2), nil, 8, BACKUPS)
      settle(table.unpack(ALL))
      local states = as_told()
      states[slot_of(1)].admin = "maint"
      one:observe(states)
      assert.are.same({false, false, false, false}, are_backups())
    end)

    -- A reload must not move what stays as it was.
    it("begins as its snapshot has it", function()
      new(prefer(1), nil, 8, BACKUPS)
      settle(table.unpack(ALL))
      local before = one:record()
      new(prefer(1), {instances = before.instances, placed = before.placed,
        states = {}, retained = {}, addresses = {}}, 8, BACKUPS)
      assert.are.same(before.placed, one.placement.placed)
      for _, known in ipairs(before.instances) do
        assert.is_nil(known.is_backup)
      end
    end)

    it("has no slot for what its subset leaves out", function()
      new({subset = {size = 2, least = 1, machine = "m"}})
      settle(table.unpack(ALL))
      assert.are.equal(2, #one.wanted.serving)
      assert.are.equal(4, #one:record().instances)
      assert.are.equal(2, #one.wanted.policy.unused)
    end)

    -- The data of the ensemble is wiped. The guard counts all that were there;
    -- those with a slot, whose check can pass, stay.
    it("lets the guard see what there is before the subset", function()
      new({subset = {size = 2, least = 1, machine = "m"}})
      settle(table.unpack(ALL))
      clock.pass(20)
      local states = as_told()
      for _, key in pairs(one.placement.placed) do
        states[slot_of(key:match("(%d+):"))].check = "passes"
      end
      one:observe(states)
      local used = one.wanted.serving
      one:update({one.wanted.policy.unused[1]})
      assert.are.equal(1, log.count("3 of 4 instances are gone"))
      assert.are.same(used, one.wanted.serving)
      assert.are.same({}, texts())
    end)

    it("warns once of a size that is too small", function()
      new({subset = {size = 2, least = 1, machine = "m", machines = 10}})
      settle(table.unpack(ALL))
      one:update({ALL[1], ALL[2], ALL[3]})
      assert.are.equal(1, log.count("web: with 10 machines a `subset.size` " ..
        "of 2 loads the 4 instances unevenly; 4 would be even"))
    end)
  end)

  describe("with another configuration", function()
    local function configure(changes)
      local config = {}
      for key, value in pairs(one.deps.config) do
        config[key] = value
      end
      for key, value in pairs(changes) do
        config[key] = value
      end
      one:configure(config)
    end

    local function serve(...)
      one:update({...})
      apply()
    end

    -- Of four instances; the guard retains them.
    local function lose_three()
      serve(instance(1), instance(2), instance(3), instance(4))
      clock.pass(20)
      one:update({instance(4)})
      assert.is_true(one:has_retained())
    end

    before_each(function()
      new({sources = {}, named_servers = {}})
      one:observe(as_told())
      serve(instance(1), instance(2))
    end)

    it("goes on with its instances in their slots", function()
      local slot = slot_of(1)
      configure({max_instances = 7})
      assert.are.same({}, texts())
      assert.are.equal(slot, slot_of(1))
      serve(instance(2), instance(3))
      assert.is_nil(slot_of(1))
      assert.is_truthy(slot_of(3))
    end)

    it("serves from the old path until the new one has an instance", function()
      configure({path = "/other"})
      assert.are.same({}, texts())
      assert.is_false(one:review())
      assert.is_false(one:update({}))
      assert.is_false(one:update({}))
      assert.are.equal(1, log.count("no instance in ZooKeeper, the 2 previous"))
      assert.are.same({}, texts())
      serve(instance(3))
      assert.is_nil(slot_of(1))
      assert.is_truthy(slot_of(3))
      serve()
      assert.is_truthy(slot_of(3))
    end)

    it("does the same for znodes that are read in another way", function()
      configure({read_as = "spring"})
      assert.is_false(one:update({}))
      assert.is_truthy(slot_of(1))
      serve(instance(3))
      assert.is_nil(slot_of(1))
    end)

    it("is told of anew", function()
      local before = one.version
      configure({use_nerve_weights = true})
      assert.is_true(one.version > before)
    end)

    it("forgets what it missed while it was frozen", function()
      one:freeze()
      one:update({instance(9)})
      configure({max_instances = 7})
      one:thaw()
      assert.is_nil(slot_of(9))
    end)

    it("does the same for another ensemble", function()
      configure({sources = {{hosts = "other:2181"}}})
      assert.is_false(one:update({}))
      assert.is_truthy(slot_of(1))
      serve(instance(3))
      assert.is_nil(slot_of(1))
    end)

    it("keeps that through one more configuration", function()
      configure({path = "/other"})
      configure({path = "/other", max_instances = 7})
      assert.is_false(one:update({}))
      assert.is_truthy(slot_of(1))
    end)

    it("takes the new path's word where previous instances do not count",
      function()
        configure({path = "/other", use_previous_backends = false})
        serve()
        assert.is_nil(slot_of(1))
      end)

    it("retains nobody of another path", function()
      serve(instance(1), instance(2), instance(3), instance(4))
      configure({path = "/other"})
      serve(instance(5))
      assert.is_false(one:has_retained())
      assert.are.same({}, retained_by)
    end)

    it("keeps what its guard retains", function()
      lose_three()
      local retained = one.wanted:retained()
      configure({max_instances = 7})
      assert.are.same(retained, one.wanted:retained())
      assert.is_truthy(next(retained_by))
      configure({guard = {window = 10, share = 0.5, hold = 0}})
      assert.is_false(one:has_retained())
      assert.are.same({}, retained_by)
    end)

    it("gives its instances the weights that it goes by now", function()
      serve(instance(1, 3), instance(2))
      assert.are.same({}, texts())
      configure({use_nerve_weights = true})
      assert.are.same({"set server www/" .. slot_of(1) .. " weight 3"},
        texts())
    end)

    it("uses other default servers", function()
      serve()
      configure({use_previous_backends = false,
        default_servers = {instance(9)}})
      serve()
      assert.is_truthy(slot_of(9))
    end)

    it("empties its slots where it leaves", function()
      assert.is_false(one:has_left())
      one:leave()
      assert.is_false(one:has_left())
      assert.are.equal(2, #texts())
      assert.is_true(one:view().leaving)
      apply()
      assert.is_true(one:has_left())
      one:lost()
      assert.is_false(one:has_left())
    end)

    it("leaves nobody behind who was retained", function()
      lose_three()
      one:leave()
      assert.are.same({}, retained_by)
      apply()
      assert.is_true(one:has_left())
    end)

    it("leaves though it is frozen", function()
      one:freeze()
      one:leave()
      apply()
      assert.is_true(one:has_left())
      assert.are.equal(1, log.count("web: frozen, and leaves"))
    end)

    -- The other service went on with the tables of this one, and each changed
    -- what the other had.
    it("hands over slots that are not its own any more", function()
      local slots = one:slots()
      assert.are.same({"s1", "s2", "s3", "s4"}, slots.pool)
      table.remove(slots.pool)
      slots.declared.s1.weight = 7
      assert.are.equal(4, #one.placement.pool)
      assert.are_not.equal(7, one.deps.declared.s1.weight)
    end)

    it("tells in which of its slots instances were", function()
      local slot = slot_of(1)
      one:leave()
      apply()
      assert.is_true(one:slots().vacated[slot])
      sessions[slot] = 1
      one = service.new({config = {name = "x", backend = "www",
        default_servers = {}, shares_connections = true, guard = {hold = 0}},
        backend = "www", pool = {slot},
        declared = {[slot] = {weight = 1, maxconn = 0}},
        vacated = one:slots().vacated, now = clock.now, wall = clock.now,
        log = log, retained_by = {}, is_claimed = function() end,
        sessions = function(name) return sessions[name] or 0 end})
      one:update({instance(9)})
      assert.are.same({"10.0.0.9:80"}, one.placement.waiting)
    end)

    -- What an operator did to an instance that was gone stayed for ever.
    it("leaves its operator states with their ends", function()
      one:operate("10.0.0.1:80", "maint", "why")
      one:operate("10.0.0.2:80", "maint", "why")
      serve(instance(2))
      one:leave()
      local record = one:inheritance(
        {name = "web", backend = "other", sources = {}}, "other")
      assert.are.same({["10.0.0.2:80"] = "maint"}, record.states)
      assert.is_truthy(record.departed["10.0.0.1:80"].till)
      assert.are.equal("why", record.departed["10.0.0.1:80"].order.reason)
      assert.are.same({}, record.placed)
    end)

    -- They have the options of the service that added them.
    it("hands over no slot that was added", function()
      one.placement:grow("s5", "backup")
      one.deps.declared.s5 = {weight = 1, maxconn = 0}
      local slots = one:slots()
      assert.are.equal(4, #slots.pool)
      assert.is_nil(slots.declared.s5)
    end)
  end)
end)
