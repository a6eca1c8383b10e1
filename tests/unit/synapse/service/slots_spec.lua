local slots = require("synapse.service.slots")

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
  return false
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
    local placed, waiting = slots.assign(pool_of(64), {}, keys, none_rests)
    for _, key in ipairs(keys) do
      assert.is_string(slot_of(placed, key))
    end
    assert.are.same({}, waiting)
  end)

  it("are placed alike wherever they are placed fresh", function()
    local keys = keys_of(1, 50)
    assert.are.same((slots.assign(pool_of(64), {}, keys, none_rests)),
      (slots.assign(pool_of(64), {}, keys, none_rests)))
  end)

  it("keep their slots while others come and go", function()
    local pool = pool_of(64)
    local before = slots.assign(pool, {}, keys_of(1, 40), none_rests)
    local after = slots.assign(pool, before, keys_of(21, 60), none_rests)
    for _, key in ipairs(keys_of(21, 40)) do
      assert.are.equal(slot_of(before, key), slot_of(after, key))
    end
    for _, key in ipairs(keys_of(1, 20)) do
      assert.is_nil(slot_of(after, key))
    end
  end)

  it("wait when all slots are taken, the last in order", function()
    local keys = keys_of(1, 5)
    local placed, waiting = slots.assign(pool_of(3), {}, keys, none_rests)
    assert.is_nil(slot_of(placed, keys[4]))
    assert.are.same({keys[4], keys[5]}, waiting)
  end)

  it("that wait take the slot that becomes free", function()
    local keys = keys_of(1, 3)
    local before = slots.assign(pool_of(2), {}, keys, none_rests)
    local after, waiting =
      slots.assign(pool_of(2), before, {keys[2], keys[3]}, none_rests)
    assert.are.equal(slot_of(before, keys[1]), slot_of(after, keys[3]))
    assert.are.same({}, waiting)
  end)

  it("leave a resting slot alone while another is free", function()
    local key = keys_of(1, 1)[1]
    local first = slot_of(slots.assign(pool_of(4), {}, {key}, none_rests), key)
    local placed = slots.assign(pool_of(4), {}, {key},
      function(slot) return slot == first end)
    assert.is_string(slot_of(placed, key))
    assert.are_not.equal(first, slot_of(placed, key))
  end)

  it("use a resting slot rather than none", function()
    local placed, waiting = slots.assign(pool_of(2), {}, keys_of(1, 2),
      function() return true end)
    assert.is_string(placed.s1)
    assert.is_string(placed.s2)
    assert.are.same({}, waiting)
  end)

  it("in a slot that is not in the pool any more move", function()
    local placed = slots.assign(pool_of(2), {s9 = "10.0.0.1:80"},
      {"10.0.0.1:80"}, none_rests)
    assert.is_nil(placed.s9)
    assert.is_string(slot_of(placed, "10.0.0.1:80"))
  end)

  it("found in two slots keep one", function()
    local placed = slots.assign(pool_of(2), {s1 = "a:1", s2 = "a:1"}, {"a:1"},
      none_rests)
    assert.are.same({s1 = "a:1"}, placed)
  end)

  it("wait without any slot", function()
    local placed, waiting = slots.assign({}, {}, {"a:1"}, none_rests)
    assert.are.same({}, placed)
    assert.are.same({"a:1"}, waiting)
  end)

  it("spread over the slots", function()
    local placed = slots.assign(pool_of(256), {}, keys_of(1, 50), none_rests)
    local low = 0
    for slot in pairs(placed) do
      low = low + (tonumber(slot:sub(2)) <= 128 and 1 or 0)
    end
    assert.is_true(low > 12 and low < 38)
  end)
end)
