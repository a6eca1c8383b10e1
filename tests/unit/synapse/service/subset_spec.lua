local subset = require("synapse.service.subset")

local SEEDS = 30

local function always() return true end

local function by_key(a, b)
  return a.key < b.key
end

local function random_instances(number)
  local list, seen = {}, {}
  while #list < number do
    local key = string.format("10.%d.%d.%d:%d", math.random(0, 3),
      math.random(0, 255), math.random(0, 255), math.random(8000, 8010))
    if not seen[key] then
      seen[key] = true
      list[#list + 1] = {key = key}
    end
  end
  table.sort(list, by_key)
  return list
end

local function chooser(machine, size, least)
  return subset.new({machine = machine, size = size, least = least or 0})
end

local function set(list)
  local keys, number = {}, 0
  for _, instance in ipairs(list) do
    keys[instance.key] = true
    number = number + 1
  end
  return keys, number
end

-- How many of the first list are not in the second.
local function missing(list, other)
  local keys, number = set(other), 0
  for _, instance in ipairs(list) do
    number = number + (keys[instance.key] and 0 or 1)
  end
  return number
end

-- Calls a function with other random instances each time.
local function for_all(body)
  for seed = 1, SEEDS do
    math.randomseed(seed)
    body(random_instances(math.random(2, 200)), math.random(1, 60),
      "m" .. seed)
  end
end

describe("a subset", function()
  it("is all instances where there are no more than its size", function()
    local list = random_instances(20)
    assert.are.equal(list, chooser("m", 20):choose(list, always))
  end)

  it("has its size, sorted by key, from the instances given", function()
    for_all(function(list, size, machine)
      local chosen = chooser(machine, size):choose(list, always)
      assert.are.equal(math.min(size, #list), #chosen)
      assert.are.equal(0, missing(chosen, list))
      for i = 2, #chosen do
        assert.is_true(chosen[i - 1].key < chosen[i].key)
      end
    end)
  end)

  it("is the same on every machine that computes it", function()
    for_all(function(list, size, machine)
      assert.are.same(chooser(machine, size):choose(list, always),
        chooser(machine, size):choose(list, always))
    end)
  end)

  -- Else each upgrade would move the connections of a whole fleet.
  it("is the same with every version of the agent", function()
    local list = {}
    for i = 0, 9 do
      list[#list + 1] = {key = "10.0.0." .. i .. ":80"}
    end
    local function chosen(machine)
      local keys = {}
      for i, instance in ipairs(chooser(machine, 3):choose(list, always)) do
        keys[i] = instance.key
      end
      return keys
    end
    assert.are.same({"10.0.0.0:80", "10.0.0.3:80", "10.0.0.9:80"},
      chosen("web1"))
    assert.are.same({"10.0.0.5:80", "10.0.0.7:80", "10.0.0.9:80"},
      chosen("web2"))
  end)

  it("is another one on another machine", function()
    local list = random_instances(200)
    assert.is_true(missing(chooser("m1", 20):choose(list, always),
      chooser("m2", 20):choose(list, always)) > 5)
  end)

  it("changes by one place at most when an instance goes", function()
    for_all(function(list, size, machine)
      local one = chooser(machine, size)
      local fewer = table.move(list, 1, #list, 1, {})
      local gone = table.remove(fewer, math.random(#list))
      local before = one:choose(list, always)
      local after = one:choose(fewer, always)
      assert.is_true(missing(after, before) <= 1)
      assert.are.equal(set(before)[gone.key] and 1 or 0,
        missing(before, after))
    end)
  end)

  it("changes by one place at most when an instance comes", function()
    for_all(function(list, size, machine)
      local one = chooser(machine, size)
      local fewer = table.move(list, 1, #list, 1, {})
      local come = table.remove(fewer, math.random(#list))
      local before = one:choose(fewer, always)
      local after = one:choose(list, always)
      assert.is_true(missing(before, after) <= 1)
      assert.are.equal(set(after)[come.key] and 1 or 0,
        missing(after, before))
    end)
  end)

  it("comes back as it was with an instance that comes back", function()
    for_all(function(list, size, machine)
      local one = chooser(machine, size)
      local before = one:choose(list, always)
      local fewer = table.move(list, 2, #list, 1, {})
      one:choose(fewer, always)
      assert.are.same(before, one:choose(list, always))
    end)
  end)

  it("grows by one beyond what another size has", function()
    for_all(function(list, size, machine)
      local small = chooser(machine, size):choose(list, always)
      local large = chooser(machine, size + 1):choose(list, always)
      assert.are.equal(0, missing(small, large))
    end)
  end)

  it("takes the next ones while fewer than `least` can serve", function()
    for_all(function(list, size, machine)
      local least = math.random(1, size)
      local down = set(chooser(machine, size):choose(list, always))
      local chosen = chooser(machine, size, least):choose(list,
        function(instance) return not down[instance.key] end)
      local left = math.max(#list - size, 0)
      assert.are.equal(math.min(size, #list) + math.min(least, left), #chosen)
    end)
  end)

  it("goes back to its size when they can serve again", function()
    for_all(function(list, size, machine)
      local one = chooser(machine, size, size)
      local before = one:choose(list, always)
      one:choose(list, function() return false end)
      assert.are.same(before, one:choose(list, always))
    end)
  end)

  it("leaves the list that it was given as it was", function()
    local list = random_instances(50)
    local copy = table.move(list, 1, #list, 1, {})
    chooser("m", 5, 5):choose(list, function() return false end)
    assert.are.same(copy, list)
  end)

  it("parts the names of machine and instance", function()
    local list = {{key = "a:1"}, {key = "ba:1"}}
    local many = 0
    for i = 1, 64 do
      local one = chooser("m" .. i, 1):choose(list, always)[1]
      local other = chooser("m" .. i .. "b", 1):choose(list, always)[1]
      many = many + (one ~= other and 1 or 0)
    end
    assert.is_true(many > 16 and many < 48)
  end)

  -- Without a good end to the hash this is 0 for some and 3 for others. The
  -- figures of the reference come from tests/bench/subset.lua.
  it("gives each instance its share of the machines", function()
    math.randomseed(1)
    local list, uses = random_instances(60), {}
    for machine = 1, 300 do
      for _, chosen in ipairs(
        chooser("web" .. machine, 12):choose(list, always))
      do
        uses[chosen.key] = (uses[chosen.key] or 0) + 1
      end
    end
    for _, instance in ipairs(list) do
      local share = (uses[instance.key] or 0) / (300 * 12 / 60)
      assert.is_true(share > 0.6 and share < 1.4, instance.key .. share)
    end
  end)

  it("tells a better size where there are too few machines", function()
    local function better(size, machines, number)
      return subset.better_size({size = size, machines = machines}, number)
    end
    assert.is_nil(better(20, nil, 1000))
    assert.is_nil(better(20, 1000, 300))
    assert.is_nil(better(20, 900, 300))
    assert.are.equal(21, better(20, 899, 300))
    assert.are.equal(300, better(20, 200, 1000))
    assert.are.equal(100, better(20, 10, 100))
    assert.is_nil(better(20, 10, 20))
  end)

  it("remembers the scores of instances that stay", function()
    local list, one = random_instances(50), chooser("m", 2)
    one:choose(list, always)
    local scores, number = one.scores, 0
    one:choose(list, always)
    assert.are.equal(scores, one.scores)
    for _ in pairs(scores) do
      number = number + 1
    end
    assert.are.equal(50, number)
  end)

  it("forgets the scores of instances that went", function()
    local one = chooser("m", 2)
    for i = 1, 1000 do
      one:choose({{key = "a:" .. i}, {key = "b:" .. i}, {key = "c:" .. i}},
        always)
    end
    local number = 0
    for _ in pairs(one.scores) do
      number = number + 1
    end
    assert.is_true(number < 200)
  end)
end)
