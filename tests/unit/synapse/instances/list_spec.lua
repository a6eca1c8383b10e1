local instance_list = require("synapse.instances.list")

local function made(key, sequence, weight)
  return {key = key, sequence = sequence, weight = weight}
end

local function keys(one)
  local list = {}
  for i, each in ipairs(one:list()) do
    list[i] = each.key
  end
  return table.concat(list, " ")
end

-- What a list of instances must list, worked out the slow way.
local function expected(instances)
  local newest, list = {}, {}
  for _, one in pairs(instances) do
    local other = newest[one.key]
    if not other or one.sequence > other.sequence then
      newest[one.key] = one
    end
  end
  for _, one in pairs(newest) do
    list[#list + 1] = one
  end
  table.sort(list, function(a, b) return a.key < b.key end)
  return list
end

describe("a list of instances", function()
  it("lists its instances sorted", function()
    assert.are.equal("a b c",
      keys(instance_list.new({made("c", 1), made("a", 1), made("b", 1)})))
  end)

  it("puts what came where it belongs", function()
    local one = instance_list.new({made("b", 1)})
    one:change({}, {made("c", 1), made("a", 1)})
    assert.are.equal("a b c", keys(one))
  end)

  it("takes out what is gone", function()
    local a, b = made("a", 1), made("b", 1)
    local one = instance_list.new({a, b})
    one:change({a}, {})
    assert.are.equal("b", keys(one))
  end)

  it("has each host:port once, as the newest znode has it", function()
    local old, new = made("a", 1), made("a", 2)
    for _, order in ipairs({{old, new}, {new, old}}) do
      local one = instance_list.new({order[1]})
      one:change({}, {order[2]})
      assert.are.equal(1, #one:list())
      assert.are.equal(new, one:list()[1])
    end
  end)

  it("has it once when another znode comes to many", function()
    local all = {}
    for i = 1, 30 do
      all[i] = made("k" .. i, 1)
    end
    local one, newer = instance_list.new(all), made("k7", 2)
    one:change({}, {newer})
    assert.are.equal(30, #one:list())
    one:change({all[7]}, {})
    assert.are.equal(30, #one:list())
    one:change({newer}, {})
    assert.are.equal(29, #one:list())
  end)

  it("has it once however many znodes have it", function()
    local all = {}
    for i = 1, 30 do
      all[i] = made("a", i)
    end
    assert.are.same({all[30]}, instance_list.new(all):list())
  end)

  it("has the older znode again when the newer one is gone", function()
    local old, new = made("a", 1), made("a", 2)
    local one = instance_list.new({old, new})
    one:change({new}, {})
    assert.are.equal(old, one:list()[1])
  end)

  it("leaves a list that it gave as it was", function()
    local one = instance_list.new({made("a", 1)})
    local before = one:list()
    one:change({}, {made("b", 1)})
    assert.are.equal(1, #before)
  end)

  it("ignores the end of what it does not have", function()
    local one = instance_list.new({made("a", 1)})
    local before = one:list()
    one:change({made("a", 1)}, {})
    assert.are.equal("a", keys(one))
    assert.is_true(instance_list.is_unchanged(
      instance_list.difference(before, one:list())))
  end)

  it("is right after any history of small and large changes", function()
    math.randomseed(1)
    local one, present = instance_list.new(), {}
    for step = 1, 150 do
      local gone, come = {}, {}
      for _ = 1, step % 10 == 0 and 30 or 2 do
        local key, znode = "k" .. math.random(40), math.random(60)
        gone[#gone + 1] = present[znode]
        present[znode] = made(key, step * 100 + znode)
        come[#come + 1] = present[znode]
      end
      -- One that came and went within the same change is in neither list.
      for i = #come, 1, -1 do
        for j = #gone, 1, -1 do
          if come[i] == gone[j] then
            table.remove(come, i)
            table.remove(gone, j)
            break
          end
        end
      end
      one:change(gone, come)
      assert.are.same(expected(present), one:list())
    end
  end)
end)

local function keys_of(instances)
  local found = {}
  for i, one in ipairs(instances) do
    found[i] = one.key
  end
  return found
end

describe("two lists of instances", function()
  it("differ by what came, wherever it is in order", function()
    local b = made("b:1")
    for _, key in ipairs({"a:1", "c:1"}) do
      local now = key < "b:1" and {made(key), b} or {b, made(key)}
      local found = instance_list.difference({b}, now)
      assert.are.same({key}, keys_of(found.added))
      assert.are.same({}, found.removed)
    end
  end)

  it("differ by what went, wherever it was in order", function()
    local a, b, c = made("a:1"), made("b:1"), made("c:1")
    local found = instance_list.difference({a, b, c}, {b})
    assert.are.same({"a:1", "c:1"}, keys_of(found.removed))
    assert.are.same({}, found.added)
  end)

  it("differ by an instance that serves otherwise", function()
    local before, now = made("a:1", 1, 1), made("a:1", 1, 0)
    local found = instance_list.difference({before}, {now})
    assert.are.equal(before, found.renewed[1].before)
    assert.are.equal(now, found.renewed[1].now)
    assert.is_false(instance_list.is_unchanged(found))
  end)

  it("are alike when all serve alike", function()
    local found = instance_list.difference({made("a:1", 1, 1)},
      {made("a:1", 1, 1)})
    assert.is_true(instance_list.is_unchanged(found))
  end)

  it("differ wholly when they share nothing", function()
    local found = instance_list.difference({made("a:1"), made("c:1")},
      {made("b:1"), made("d:1")})
    assert.are.same({"a:1", "c:1"}, keys_of(found.removed))
    assert.are.same({"b:1", "d:1"}, keys_of(found.added))
  end)

  -- What a change differs by is remembered, and must be what a comparison of
  -- the two lists finds.
  it("differ as a comparison finds, whatever has changed the list", function()
    local function copied(list)
      return table.move(list, 1, #list, 1, {})
    end
    math.randomseed(1)
    local one, there, number = instance_list.new(), {}, 0
    local lists = {one:list()}
    for _ = 1, 300 do
      local gone, come = {}, {}
      for _ = 1, math.random(0, 3) do
        gone[#gone + 1] = #there > 0 and
          table.remove(there, math.random(#there)) or nil
      end
      for _ = 1, math.random(0, 3) do
        number = number + 1
        -- A host:port twice now and then, and a weight.
        come[#come + 1] = made(string.format("k%02d", math.random(60)), number,
          math.random(0, 1))
      end
      table.move(come, 1, #come, #there + 1, there)
      one:change(gone, come)
      lists[#lists + 1] = one:list()
      for _, before in ipairs({lists[#lists - 1], lists[#lists - 2] or {}}) do
        assert.are.same(
          instance_list.difference(copied(before), copied(one:list())),
          instance_list.difference(before, one:list()))
      end
    end
  end)

  it("are not kept with all lists before them", function()
    local function weakly(list)
      return setmetatable({list}, {__mode = "v"})
    end
    local one = instance_list.new({made("a", 1)})
    local old = weakly(one:list())
    for i = 1, 3 do
      one:change({}, {made("b" .. i, 1)})
    end
    collectgarbage()
    assert.is_nil(old[1])
  end)

  it("are alike when both are empty", function()
    assert.is_true(instance_list.is_unchanged(instance_list.difference({}, {})))
  end)
end)

local A, B, C = made("a:1", 1), made("b:1", 1), made("c:1", 1)

describe("several sources", function()
  it("together have what any of them has, sorted", function()
    assert.are.same({A, B, C}, instance_list.resolve("union", {{C}, {A, B}}))
  end)

  it("together have each host:port once, as its newest znode says", function()
    local newer = made("a:1", 9)
    assert.are.same({newer, B},
      instance_list.resolve("union", {{A, B}, {newer}}))
  end)

  it("in a sequence are used one after the other", function()
    assert.are.same({A}, instance_list.resolve("sequential", {{A}, {B}}))
    assert.are.same({B}, instance_list.resolve("sequential", {{}, {B}, {C}}))
    assert.are.same({}, instance_list.resolve("sequential", {{}, {}}))
  end)
end)

describe("one source", function()
  it("is used as it is", function()
    local list = {A, B}
    assert.are.equal(list, instance_list.resolve(nil, {list}))
    -- A service that leaves has no source, and may still have news.
    assert.are.same({}, instance_list.resolve(nil, {}))
    assert.are.same({}, instance_list.resolve("union", {}))
  end)
end)
