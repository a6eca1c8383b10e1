local prefer = require("synapse.service.prefer")

local SEEDS = 60

local function always() return true end

local function instance(key, zone)
  return {key = key, labels = zone and {zone = zone} or nil}
end

local function zone(value, least)
  return {label = "zone", value = value, least = least or 1}
end

local function keys(levels)
  local list = {}
  for i, level in ipairs(levels) do
    local words = {}
    for j, one in ipairs(level) do
      words[j] = one.key
    end
    list[i] = table.concat(words, " ")
  end
  return list
end

-- A function that knows of some instances that they cannot serve.
local function all_but(...)
  local down = {}
  for _, key in ipairs({...}) do
    down[key] = true
  end
  return function(one) return not down[one.key] end
end

describe("the levels of instances", function()
  it("are those that match, in order, and the rest", function()
    local list = {
      instance("a1", "a"), instance("b1", "b"), instance("c1", "c"),
      instance("x1"), instance("a2", "a"),
    }
    assert.are.same({"a1 a2", "b1", "c1 x1"},
      keys(prefer.levels({zone("a"), zone("b")}, list)))
  end)

  it("put an instance into the first one that it matches", function()
    local both = {key = "1", labels = {zone = "a", rack = "r"}}
    assert.are.same({"1", "", ""}, keys(prefer.levels({
      {label = "rack", value = "r"}, {label = "zone", value = "a"},
    }, {both})))
  end)

  it("compare numbers and booleans as JSON writes them", function()
    local list = {
      {key = "1", labels = {rack = 7.0}}, {key = "2", labels = {rack = "7"}},
      {key = "3", labels = {rack = true}},
    }
    assert.are.same({"1 2", "3"},
      keys(prefer.levels({{label = "rack", value = "7"}}, list)))
    assert.are.same({"3", "1 2"},
      keys(prefer.levels({{label = "rack", value = "true"}}, list)))
  end)

  it("have every instance once", function()
    for seed = 1, SEEDS do
      math.randomseed(seed)
      local list, names = {}, {"a", "b", "c", "d"}
      for i = 1, math.random(0, 30) do
        list[i] = instance("i" .. i, names[math.random(5)])
      end
      local seen, number = {}, 0
      for _, level in ipairs(prefer.levels({zone("a"), zone("b")}, list)) do
        for _, one in ipairs(level) do
          assert.is_nil(seen[one.key])
          seen[one.key] = true
          number = number + 1
        end
      end
      assert.are.equal(#list, number)
    end
  end)
end)

describe("the levels that serve", function()
  local A1, A2, B1, C1 = instance("a1", "a"), instance("a2", "a"),
    instance("b1", "b"), instance("c1", "c")

  local function serving(preferences, can_serve)
    local levels = prefer.levels(preferences, {A1, A2, B1, C1})
    return {prefer.serving(preferences, levels, can_serve)}
  end

  it("are the first one alone while enough of it can serve", function()
    assert.are.same({1, 2}, serving({zone("a", 2)}, always))
    assert.are.same({1, 1}, serving({zone("a", 1)}, all_but("a1")))
  end)

  it("are all of them when fewer than `least` can serve", function()
    assert.are.same({2, 3}, serving({zone("a", 2)}, all_but("a1")))
    assert.are.same({2, 2}, serving({zone("a", 2)}, all_but("a1", "a2")))
    assert.are.same({2, 4}, serving({zone("a", 3)}, always))
  end)

  -- HAProxy uses its backups when no other server is left, so that nothing has
  -- to move to another slot.
  it("stay where one would be enough and there is none", function()
    assert.are.same({1, 0}, serving({zone("a", 1)}, all_but("a1", "a2")))
  end)

  it("go on in the order of preference", function()
    local order = {zone("a", 2), zone("b", 2)}
    assert.are.same({1, 2}, serving(order, always))
    assert.are.same({2, 2}, serving(order, all_but("a1")))
    assert.are.same({3, 2}, serving(order, all_but("a1", "b1")))
    assert.are.same({2, 1},
      serving({zone("a"), zone("b")}, all_but("a1", "a2")))
  end)

  -- Serving levels are a beginning of all levels, and no more of them than are
  -- needed: what a reader of the reference may rely on.
  it("are as few as have enough", function()
    for seed = 1, SEEDS do
      math.randomseed(seed)
      local names, list, down = {"a", "b", "c"}, {}, {}
      for i = 1, math.random(0, 12) do
        list[i] = instance("i" .. i, names[math.random(3)])
        down["i" .. i] = math.random(2) == 1
      end
      local order = {zone("a", math.random(4)), zone("b", math.random(4))}
      local levels = prefer.levels(order, list)
      local function can_serve(one) return not down[one.key] end
      local number, able = prefer.serving(order, levels, can_serve)
      local sum = 0
      for i = 1, number do
        for _, one in ipairs(levels[i]) do
          sum = sum + (can_serve(one) and 1 or 0)
        end
        local is_enough = order[i] ~= nil and sum >= order[i].least
        assert.is_true(i == number or not is_enough)
      end
      assert.are.equal(sum, able)
      assert.is_true(number == 3 or able >= order[number].least or
        able == 0 and order[2].least == 1)
    end
  end)
end)

describe("the words of a preference", function()
  local ORDER = {zone("a", 2), zone("b", 3)}

  it("say why an instance is a backup", function()
    assert.are.equal("other zone; 3 of zone a serve",
      prefer.why({zone("a")}, 2, 1, 3))
    assert.are.equal("zone b; 3 of zone a serve", prefer.why(ORDER, 2, 1, 3))
    assert.are.equal("other zone; 4 of zone a, zone b serve",
      prefer.why(ORDER, 3, 2, 4))
    assert.are.equal("other zone; serves while none of zone a can",
      prefer.why({zone("a")}, 2, 1, 0))
  end)

  it("say which levels serve", function()
    assert.are.equal("3 of zone a serve", prefer.state({zone("a")}, 1, 3))
    assert.are.equal("fewer than 2 of zone a can serve, so zone b serves too",
      prefer.state(ORDER, 2, 4))
    assert.are.equal("fewer than 3 of zone a, zone b can serve, so other " ..
      "zone serves too", prefer.state(ORDER, 3, 4))
    assert.are.equal("no instance of zone a can serve, the backups do",
      prefer.state({zone("a")}, 1, 0))
  end)
end)
