local placement = require("synapse.service.placement")

local PLAIN = {weight = 1, maxconn = 0}
local BACKUP = {weight = 1, maxconn = 0, is_backup = true}
local NAMED = {weight = 1, maxconn = 0, is_for_names = true}
local NAMED_BACKUP = {weight = 1, maxconn = 0, is_for_names = true,
  is_backup = true}

describe("the kind of a slot", function()
  it("is told by what the configuration makes of it", function()
    assert.are.same({s = "plain", b = "backup", n = "name", m = "name"},
      placement.kinds_of_slots({
        s = PLAIN, b = BACKUP, n = NAMED, m = NAMED_BACKUP,
      }))
  end)

  it("is plain where all are backups", function()
    assert.are.same({b = "plain", c = "plain", n = "name"},
      placement.kinds_of_slots({b = BACKUP, c = BACKUP, n = NAMED}))
  end)
end)

describe("an instance", function()
  it("is to have a slot of its kind, where there are some", function()
    assert.are.equal("plain", placement.kind_of_instance({}, true))
    assert.are.equal("backup",
      placement.kind_of_instance({is_backup = true}, true))
    assert.are.equal("plain",
      placement.kind_of_instance({is_backup = true}, false))
    assert.are.equal("name",
      placement.kind_of_instance({is_backup = true, is_name = true}, true))
  end)

  it("that asks in vain to be a backup is told why", function()
    assert.is_nil(placement.backup_objection({}, false))
    assert.is_nil(placement.backup_objection({is_backup = true}, true))
    assert.are.equal("no slot is declared `backup`",
      placement.backup_objection({is_backup = true}, false))
    assert.are.equal("a host name has no slot for that",
      placement.backup_objection({is_backup = true, is_name = true}, true))
  end)
end)

local function pool_of(size)
  local pool = {}
  for i = 1, size do
    pool[i] = "s" .. i
  end
  return pool
end

local function keys_of(first, last)
  local keys = {}
  for i = first, last do
    keys[#keys + 1] = string.format("10.0.%d.%d:80", i // 250, i % 250 + 1)
  end
  table.sort(keys)
  return keys
end

local function none_rests()
  return nil
end

local function slot_of(placed, key)
  for slot, other in pairs(placed) do
    if other == key then
      return slot
    end
  end
end

describe("instances", function()
  it("are placed each in a slot of its own", function()
    local keys = keys_of(1, 50)
    local placed, waiting = placement.assign(pool_of(64), {}, keys, none_rests)
    for _, key in ipairs(keys) do
      assert.is_string(slot_of(placed, key))
    end
    assert.are.same({}, waiting)
  end)

  it("are placed alike wherever they are placed fresh", function()
    local keys = keys_of(1, 50)
    assert.are.same((placement.assign(pool_of(64), {}, keys, none_rests)),
      (placement.assign(pool_of(64), {}, keys, none_rests)))
  end)

  it("are placed alike by every version of the agent", function()
    for key, slot in pairs({["10.0.0.1:80"] = "s7", ["10.0.0.2:80"] = "s10",
      ["[2001:db8::1]:8080"] = "s13"})
    do
      assert.are.equal(slot,
        placement.choose_slot(pool_of(16), {}, key, none_rests))
    end
  end)

  it("keep their slots while others come and go", function()
    local pool = pool_of(64)
    local before = placement.assign(pool, {}, keys_of(1, 40), none_rests)
    local after = placement.assign(pool, before, keys_of(21, 60), none_rests)
    for _, key in ipairs(keys_of(21, 40)) do
      assert.are.equal(slot_of(before, key), slot_of(after, key))
    end
    for _, key in ipairs(keys_of(1, 20)) do
      assert.is_nil(slot_of(after, key))
    end
  end)

  it("wait when all slots are taken, the last in order", function()
    local keys = keys_of(1, 5)
    local placed, waiting = placement.assign(pool_of(3), {}, keys, none_rests)
    assert.is_nil(slot_of(placed, keys[4]))
    assert.are.same({keys[4], keys[5]}, waiting)
  end)

  it("that wait take the slot that becomes free", function()
    local keys = keys_of(1, 3)
    local before = placement.assign(pool_of(2), {}, keys, none_rests)
    local after, waiting =
      placement.assign(pool_of(2), before, {keys[2], keys[3]}, none_rests)
    assert.are.equal(slot_of(before, keys[1]), slot_of(after, keys[3]))
    assert.are.same({}, waiting)
  end)

  it("leave a resting slot alone while another is free", function()
    local key = keys_of(1, 1)[1]
    local first =
      slot_of(placement.assign(pool_of(4), {}, {key}, none_rests), key)
    local placed = placement.assign(pool_of(4), {}, {key},
      function(slot) return slot == first and "may be used" or nil end)
    assert.is_string(slot_of(placed, key))
    assert.are_not.equal(first, slot_of(placed, key))
  end)

  it("use a resting slot rather than none", function()
    local placed, waiting = placement.assign(pool_of(2), {}, keys_of(1, 2),
      function() return "may be used" end)
    assert.is_string(placed.s1)
    assert.is_string(placed.s2)
    assert.are.same({}, waiting)
  end)

  it("wait for a slot whose connections are in use", function()
    local keys = keys_of(1, 2)
    local placed, waiting = placement.assign(pool_of(2), {}, keys,
      function(slot) return slot == "s1" and "in use" or nil end)
    assert.is_nil(placed.s1)
    assert.is_string(placed.s2)
    assert.are.equal(1, #waiting)
  end)

  it("in a slot that is not in the pool any more move", function()
    local placed = placement.assign(pool_of(2), {s9 = "10.0.0.1:80"},
      {"10.0.0.1:80"}, none_rests)
    assert.is_nil(placed.s9)
    assert.is_string(slot_of(placed, "10.0.0.1:80"))
  end)

  it("found in two slots keep one", function()
    local placed = placement.assign(pool_of(2),
      {s1 = "a:1", s2 = "a:1"}, {"a:1"},
      none_rests)
    assert.are.same({s1 = "a:1"}, placed)
  end)

  it("wait without any slot", function()
    local placed, waiting = placement.assign({}, {}, {"a:1"}, none_rests)
    assert.are.same({}, placed)
    assert.are.same({"a:1"}, waiting)
  end)

  it("spread over the slots", function()
    local placed =
      placement.assign(pool_of(256), {}, keys_of(1, 50), none_rests)
    local low = 0
    for slot in pairs(placed) do
      low = low + (tonumber(slot:sub(2)) <= 128 and 1 or 0)
    end
    assert.is_true(low > 12 and low < 38)
  end)
end)

local function instance(key, weight)
  return {key = key, weight = weight}
end

local function found(changes)
  return {added = changes.added or {}, removed = changes.removed or {},
    renewed = changes.renewed or {}}
end

describe("a placement", function()
  local sessions, one

  local function new(...)
    sessions = {}
    one = placement.new({"s1", "s2"}, {}, {...},
      function(slot) return sessions[slot] or 0 end,
      {s1 = "plain", s2 = "plain"})
  end

  it("has each instance in a slot", function()
    new(instance("a"), instance("b"))
    local keys = {one:at("s1").key, one:at("s2").key}
    table.sort(keys)
    assert.are.same({"a", "b"}, keys)
  end)

  it("tells which slot an instance left", function()
    new(instance("a"))
    local slot = one.slot_of.a
    local left, touched = one:change(found({removed = {instance("a")}}))
    assert.are.same({slot}, left)
    assert.are.same({}, touched)
    assert.is_nil(one:at(slot))
  end)

  it("tells which slot an instance got, or has renewed", function()
    new(instance("a"))
    local now = instance("a", 7)
    local _, touched = one:change(found({added = {instance("b")},
      renewed = {{before = instance("a"), now = now}}}))
    table.sort(touched)
    assert.are.same({"s1", "s2"}, touched)
    assert.are.equal(now, one:at(one.slot_of.a))
  end)

  -- The newcomer's own slot was the one that was left. The last instance of a
  -- service was replaced there, and for milliseconds nobody served.
  it("replaces an instance in another slot while one is free", function()
    for i = 1, 20 do
      local newcomer = instance("b" .. i)
      new(instance("a"))
      local slot = one.slot_of.a
      one:change(found({removed = {instance("a")}, added = {newcomer}}))
      assert.are_not.equal(slot, one.slot_of[newcomer.key])
      one:change(found({added = {instance("c")}}))
      assert.is_truthy(one.slot_of.c)
    end
  end)

  it("replaces an instance in its slot where no other is free", function()
    new(instance("a"), instance("b"))
    local slot = one.slot_of.a
    one:change(found({removed = {instance("a")}, added = {instance("c")}}))
    assert.are.equal(slot, one.slot_of.c)
  end)

  it("gives the slot of an instance that left to one that waits", function()
    new(instance("a"), instance("b"), instance("c"))
    assert.are.same({"c"}, one.waiting)
    local slot = one.slot_of.a
    one:change(found({removed = {instance("a")}}))
    assert.are.equal("c", one:at(slot).key)
    assert.are.same({}, one.waiting)
  end)

  it("forgets one that waited and went", function()
    new(instance("a"), instance("b"), instance("c"))
    one:change(found({removed = {instance("c")}}))
    assert.are.same({}, one.waiting)
  end)

  it("asks for sessions only where a slot was left", function()
    new(instance("a"))
    local asked = 0
    one.sessions = function()
      asked = asked + 1
      return 0
    end
    one:change(found({added = {instance("b")}}))
    assert.are.equal(0, asked)
  end)

  it("gives an added slot to an instance that waits", function()
    new(instance("a"), instance("b"), instance("d"), instance("c"))
    one:grow("s3", "plain")
    assert.are.equal("c", one:at("s3").key)
    assert.are.same({"d"}, one.waiting)
    assert.are.equal("s3", one.slot_of.c)
    one:grow("s4", "plain")
    one:grow("s5", "plain")
    assert.is_nil(one:at("s5"))
  end)

  it("gives nobody a slot that was removed", function()
    new(instance("a"), instance("b"), instance("c"))
    one:grow("s3", "plain")
    local key = one:at("s3").key
    one:change(found({removed = {instance(key)}}))
    assert.are.equal("s3", one:home(key))
    assert.are.equal("plain", one:remove("s3"))
    assert.is_nil(one:home(key))
    one:change(found({added = {instance(key)}}))
    assert.are.same({key}, one.waiting)
    assert.are.same({"s1", "s2"}, one.pool)
    one:grow("s3", "plain")
    assert.are.equal(key, one:at("s3").key)
  end)

  it("keeps nothing of a slot that was removed", function()
    new(instance("a"), instance("b"), instance("c"))
    one:grow("s3", "plain")
    one:change(found({removed = {one:at("s3")}}))
    one:remove("s3")
    assert.are.same({}, {last = one.last.s3, vacated = one.vacated.s3,
      kind = one.kinds.s3, is_added = one.is_added.s3})
  end)

  it("leads only the last instance of a slot home", function()
    new(instance("a"), instance("b"))
    local slot = one.slot_of.a
    one:change(found({removed = {instance("a")}}))
    assert.are.equal(slot, one:home("a"))
    one:change(found({added = {instance("c")}}))
    one:change(found({removed = {instance("c")}}))
    assert.is_nil(one:home("a"))
    assert.are.equal(slot, one:home("c"))
  end)

  it("leads an instance to the slot that it left last", function()
    new(instance("a"), instance("b"))
    local first, second = one.slot_of.a, one.slot_of.b
    one:change(found({removed = {instance("a")}}))
    one:change(found({added = {instance("c")}}))
    one:change(found({removed = {instance("b")}, added = {instance("a")}}))
    one:change(found({removed = {instance("a")}}))
    assert.are.equal(second, one:home("a"))
    one:change(found({removed = {instance("c")}}))
    assert.are.equal(second, one:home("a"))
    one:change(found({added = {instance("d")}}))
    one:remove(first)
    assert.are.equal(second == one.slot_of.d and nil or second, one:home("a"))
  end)

  it("leads nobody home to a slot that is lost", function()
    new(instance("a"), instance("b"))
    local slot = one.slot_of.a
    one:change(found({removed = {instance("a")}}))
    one:shrink({slot == "s1" and "s2" or "s1"})
    assert.is_nil(one:home("a"))
    assert.are_not.equal(one:has_slot("s1"), one:has_slot("s2"))
  end)

  it("has those that wait in order", function()
    new(instance("a"), instance("b"), instance("e"))
    one:change(found({added = {instance("d"), instance("f")}}))
    assert.are.same({"d", "e", "f"}, one.waiting)
  end)

  it("lets the instance of a lost slot move, or wait", function()
    new(instance("a"), instance("b"))
    one:shrink({"s1"})
    assert.is_not_nil(one:at("s1"))
    assert.are.equal(1, #one.waiting)
  end)
end)

-- HAProxy may use the connections of a slot's last instance for the next one.
describe("a placement whose slots rest", function()
  local sessions, one

  local function any(key, is_backup)
    return {key = key, is_backup = is_backup or nil}
  end

  local function new(...)
    sessions = {}
    one = placement.new({"s1", "s2", "b1"}, {}, {...},
      function(slot) return sessions[slot] or 0 end,
      {s1 = "plain", s2 = "plain", b1 = "backup"}, true)
  end

  it("gives a slot away once the sessions of its last instance are gone",
    function()
      new(any("a"), any("b"))
      assert.are.same({false, false}, {one:resting()})
      local slot = one.slot_of.a
      sessions[slot] = 2
      one:change(found({removed = {any("a")}, added = {any("c")}}))
      assert.are.same({"c"}, one.waiting)
      assert.are.same({true, false}, {one:resting()})
      assert.are.same({}, one:enter_rested())
      sessions[slot] = 0
      assert.are.same({true, true}, {one:resting()})
      assert.are.same({slot}, one:enter_rested())
      assert.are.equal("c", one:at(slot).key)
      assert.are.same({false, false}, {one:resting()})
    end)

  it("has none that rests where others are awaited", function()
    new(any("a"), any("x", true), any("y", true))
    assert.are.same({"y"}, one.waiting)
    assert.are.same({false, false}, {one:resting()})
  end)

  it("has none that rests where all have an instance", function()
    new(any("a"), any("b"), any("c"))
    assert.are.same({"c"}, one.waiting)
    assert.are.same({false, false}, {one:resting()})
  end)

  it("moves nobody to a slot that rests", function()
    new(any("a"), any("x", true))
    sessions.b1 = 1
    one:change(found({removed = {any("x", true)}}))
    one:change(found({renewed = {{before = any("a"), now = any("a", true)}}}))
    assert.are.equal("plain", one.kinds[one.slot_of.a])
    assert.are.same({}, one.waiting)
    sessions.b1 = 0
    one:change(found({}))
    assert.are.equal("b1", one.slot_of.a)
  end)

  it("moves nobody to a slot for which another waits", function()
    new(any("a"), any("x", true))
    sessions.b1 = 1
    one:change(found({removed = {any("x", true)}, added = {any("y", true)}}))
    assert.are.same({"y"}, one.waiting)
    sessions.b1 = 0
    one:change(found({renewed = {{before = any("a"), now = any("a", true)}}}))
    assert.are.equal("b1", one.slot_of.y)
    assert.are.equal("plain", one.kinds[one.slot_of.a])
    assert.are.same({}, one.waiting)
  end)

  it("does not wait for one that has gone meanwhile", function()
    new(any("a"), any("x", true))
    sessions.b1 = 1
    one:change(found({removed = {any("x", true)}, added = {any("y", true)}}))
    sessions.b1 = 0
    one:change(found({removed = {any("y", true)},
      renewed = {{before = any("a"), now = any("a", true)}}}))
    assert.are.equal("b1", one.slot_of.a)
  end)

  it("lets no plain one that waits keep a backup's slot", function()
    new(any("a"), any("b"), any("c"))
    assert.are.same({"c"}, one.waiting)
    one:change(found({renewed = {{before = any("a"), now = any("a", true)}}}))
    assert.are.equal("b1", one.slot_of.a)
    assert.is_string(one.slot_of.c)
  end)

  it("has those that wait for slots of any kind in order", function()
    new(any("a"), any("b"), any("z"), any("x", true), any("y", true))
    assert.are.same({"y", "z"}, one.waiting)
  end)
end)

describe("host names", function()
  local function any(key)
    return {key = key, is_name = key:find("^%a") ~= nil or nil}
  end

  local function place(placed, ...)
    local list = {}
    for i, key in ipairs({...}) do
      list[i] = any(key)
    end
    return placement.new({"s1", "n1"}, placed, list, function() return 0 end,
      {s1 = "plain", n1 = "name"})
  end

  it("and addresses have slots of their own", function()
    local one = place({}, "10.0.0.1:80", "a.b:80")
    assert.are.same({s1 = "10.0.0.1:80", n1 = "a.b:80"}, one.placed)
  end)

  it("wait for a slot of theirs, and for no other", function()
    local one = place({}, "a.b:80", "c.d:80")
    assert.are.same({"c.d:80"}, one.waiting)
    assert.are.same({}, one:growable())
    one:change({added = {any("10.0.0.1:80"), any("10.0.0.2:80")},
      removed = {}, renewed = {}})
    assert.are.same({"plain"}, one:growable())
    one:grow("s2", "plain")
    assert.are.equal("10.0.0.2:80", one.placed.s2)
    assert.are.same({"c.d:80"}, one.waiting)
    one:change({added = {}, removed = {any("a.b:80")}, renewed = {}})
    assert.are.equal("c.d:80", one.placed.n1)
  end)

  it("leave a slot that is not for them any more", function()
    local one = place({s1 = "a.b:80"}, "a.b:80")
    assert.are.same({n1 = "a.b:80"}, one.placed)
  end)
end)

describe("backups", function()
  local one

  local function any(key, is_backup)
    return {key = key, is_backup = is_backup}
  end

  local function renewed(before, now)
    return found({renewed = {{before = before, now = now}}})
  end

  local function place(...)
    one = placement.new({"s1", "s2", "b1"}, {}, {...},
      function() return 0 end, {s1 = "plain", s2 = "plain", b1 = "backup"})
  end

  it("and the others have slots of their own", function()
    place(any("a"), any("b", true), any("c"), any("d"))
    assert.are.equal("b", one:at("b1").key)
    assert.are.same({"d"}, one.waiting)
    assert.are.same({"plain"}, one:growable())
  end)

  it("wait for a slot of theirs, which can be added", function()
    place(any("a", true), any("b", true))
    local waits = one.waiting[1]
    assert.are.same({"backup"}, one:growable())
    one:grow("s3", "backup")
    assert.are.equal(waits, one:at("s3").key)
    assert.are.same({}, one.waiting)
  end)

  it("are like the others where no slot is for them", function()
    one = placement.new({"s1"}, {}, {any("a", true)},
      function() return 0 end, {s1 = "plain"})
    assert.are.equal("a", one:at("s1").key)
    assert.is_false(one:has("backup"))
  end)

  it("leave a slot of the others when they become ones, and come back",
    function()
      place(any("a"))
      local slot = one.slot_of.a
      local left, touched = one:change(renewed(any("a"), any("a", true)))
      assert.are.same({slot}, left)
      assert.are.same({"b1"}, touched)
      left, touched = one:change(renewed(any("a", true), any("a")))
      assert.are.same({"b1"}, left)
      assert.are.equal(one.slot_of.a, touched[1])
      assert.are_not.equal("b1", one.slot_of.a)
    end)

  it("may become ones while they wait, and wait once", function()
    place(any("a"), any("b"), any("c"))
    local waits = one.waiting[1]
    one:change(renewed(any(waits), any(waits, true)))
    assert.are.same({}, one.waiting)
    assert.are.equal(waits, one:at("b1").key)
  end)

  it("do not return to the slot that they had as something else", function()
    place(any("a"))
    one:change(found({removed = {any("a")}}))
    one:change(found({added = {any("a", true)}}))
    assert.are.equal("b1", one.slot_of.a)
  end)
end)

describe("a placement of instances that become backups, or none", function()
  local one

  local function instance_of(key, is_backup)
    return {key = key, is_backup = is_backup or nil}
  end

  local function new(plain, backups, ...)
    local pool, kinds = {}, {}
    for i = 1, plain do
      pool[#pool + 1] = "s" .. i
      kinds["s" .. i] = "plain"
    end
    for i = 1, backups do
      pool[#pool + 1] = "b" .. i
      kinds["b" .. i] = "backup"
    end
    one = placement.new(pool, {}, {...}, function() return 0 end, kinds)
  end

  local function become(key, is_backup, more)
    more = more or {}
    more.renewed = more.renewed or {}
    table.insert(more.renewed, {before = one.by_key[key],
      now = instance_of(key, is_backup)})
    return one:change(found(more))
  end

  it("moves each to a slot of the other kind, and back home", function()
    new(4, 4, instance_of("a"), instance_of("b", true))
    local home = one.slot_of.b
    local left, touched = become("b", false)
    assert.are.same({home}, left)
    assert.are.same({one.slot_of.b}, touched)
    assert.are.equal("plain", one.kinds[one.slot_of.b])
    become("b", true)
    assert.are.equal(home, one.slot_of.b)
  end)

  -- Out of a backup's slot and into none an instance would serve nobody, just
  -- when too few others do.
  it("leaves one where it is while no such slot is free", function()
    new(1, 1, instance_of("a"), instance_of("b", true))
    local left, touched = become("b", false)
    assert.are.same({}, left)
    assert.are.same({"b1"}, touched)
    assert.are.same({}, one.waiting)
    assert.are.same({"plain"}, one:growable())
    assert.are.same({"s1", "b1"},
      (one:change(found({removed = {instance_of("a")}}))))
    assert.are.equal("s1", one.slot_of.b)
    assert.are.same({}, one:growable())
  end)

  it("needs no other slot for one that changes back", function()
    new(1, 1, instance_of("a"), instance_of("b", true))
    become("b", false)
    assert.are.same({"plain"}, one:growable())
    become("b", true)
    assert.are.same({}, one:growable())
  end)

  it("gives it a slot that is added, and tells which it left", function()
    new(1, 1, instance_of("a"), instance_of("b", true))
    become("b", false)
    assert.are.equal("b1", one:grow("s2", "plain"))
    assert.are.equal("s2", one.slot_of.b)
    assert.are.equal("b", one:at("s2").key)
    assert.is_nil(one:at("b1"))
    assert.is_nil(one:grow("s3", "plain"))
  end)

  -- Agents that know nothing of each other are to agree.
  it("gives the slots that are added to the first in order", function()
    local list = {instance_of("a")}
    for i = 1, 8 do
      list[#list + 1] = instance_of("b" .. i, true)
    end
    new(1, 8, table.unpack(list))
    for i = 8, 1, -1 do
      become("b" .. i, false)
    end
    for i = 1, 8 do
      one:grow("t" .. i, "plain")
      assert.are.equal("b" .. i, one:at("t" .. i).key)
    end
  end)

  it("lets a newcomer have the last free slot", function()
    new(2, 1, instance_of("a"), instance_of("z", true))
    become("z", false, {added = {instance_of("c")}})
    assert.are.equal("b1", one.slot_of.z)
    assert.is_string(one.slot_of.c)
    assert.are.same({}, one.waiting)
  end)

  it("forgets one that goes from a slot of the wrong kind", function()
    new(1, 1, instance_of("a"), instance_of("b", true))
    become("b", false)
    one:change(found({removed = {one.by_key.b}}))
    assert.are.same({}, one:growable())
  end)

  -- It moved as what it had been, and that was then taken for what it is: a
  -- backup served beside the preferred instances.
  it("knows what one is that changes again while it waits to move", function()
    new(1, 1, instance_of("a"), instance_of("b", true))
    become("b", false)
    become("b", true, {removed = {instance_of("a")}})
    assert.is_true(one.by_key.b.is_backup)
    assert.are.equal("b1", one.slot_of.b)
  end)

  -- Whatever becomes of them, nobody who had a slot is without one.
  it("never leaves one without a slot that had one", function()
    for seed = 1, 100 do
      math.randomseed(seed)
      local list = {}
      for i = 1, 6 do
        list[i] = instance_of("i" .. i, i > 3)
      end
      new(math.random(3, 6), math.random(3, 6), table.unpack(list))
      for _ = 1, 10 do
        local changes = {}
        for i = 1, 6 do
          if math.random(2) == 1 then
            changes[#changes + 1] = {before = one.by_key["i" .. i],
              now = instance_of("i" .. i, math.random(2) == 1)}
          end
        end
        one:change(found({renewed = changes}))
        assert.are.same({}, one.waiting)
        local seen = {}
        for i = 1, 6 do
          local slot = one.slot_of["i" .. i]
          assert.is_string(slot)
          assert.is_nil(seen[slot])
          seen[slot] = true
        end
        for _, renewed in ipairs(changes) do
          assert.are.equal(renewed.now, one.by_key[renewed.now.key])
        end
      end
    end
  end)
end)
