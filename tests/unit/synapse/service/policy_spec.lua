local policy = require("synapse.service.policy")

local SEEDS = 60

local function always() return true end

local function instance(key, zone, more)
  local made = {key = key, labels = {zone = zone}}
  for field, value in pairs(more or {}) do
    made[field] = value
  end
  return made
end

local function prefer(value, least)
  return {{label = "zone", value = value, least = least or 1}}
end

local function subset(size, least)
  return {machine = "m", size = size, least = least or 0}
end

local function keys(list)
  local words = {}
  for i, one in ipairs(list) do
    words[i] = one.key .. (one.is_backup and "*" or "")
  end
  return table.concat(words, " ")
end

local LIST = {
  instance("a1", "a"), instance("a2", "a"), instance("b1", "b"),
  instance("b2", "b"),
}

local function all_but(...)
  local down = {}
  for _, key in ipairs({...}) do
    down[key] = true
  end
  return function(one) return not down[one.key] end
end

describe("a policy", function()
  it("that says nothing leaves the instances as they are", function()
    local one = policy.new({prefer = {}})
    assert.is_false(one:is_needed())
    assert.are.equal(LIST, one:apply(LIST, always))
  end)

  it("makes backups of what is not preferred, and says why", function()
    local one = policy.new({prefer = prefer("a")})
    assert.are.equal("a1 a2 b1* b2*", keys(one:apply(LIST, always)))
    assert.are.same({b1 = "other zone; 2 of zone a serve",
      b2 = "other zone; 2 of zone a serve"}, one.reasons)
    assert.are.equal("2 of zone a serve", one.state)
  end)

  it("gives the very same tables each time", function()
    local one = policy.new({prefer = prefer("a")})
    local first, second = one:apply(LIST, always), one:apply(LIST, always)
    for i = 1, #first do
      assert.are.equal(first[i], second[i])
    end
    assert.is_nil(LIST[3].is_backup)
  end)

  it("lets all serve when too few can", function()
    local one = policy.new({prefer = prefer("a", 2)})
    one:apply(LIST, always)
    assert.are.equal("a1 a2 b1 b2", keys(one:apply(LIST, all_but("a1"))))
    assert.are.same({}, one.reasons)
    assert.are.equal("a1 a2 b1* b2*", keys(one:apply(LIST, always)))
  end)

  -- HAProxy takes a server that leaves maint for a good one until its first
  -- check. A dead instance that moved to another slot would get requests.
  it("moves no instance that cannot take traffic", function()
    local one = policy.new({prefer = prefer("a", 2)})
    one:apply(LIST, always)
    assert.are.equal("a1 a2 b1* b2",
      keys(one:apply(LIST, all_but("a1", "b1"))))
    assert.are.equal("a1 a2 b1 b2", keys(one:apply(LIST, all_but("a1"))))
    assert.are.equal("a1 a2 b1* b2", keys(one:apply(LIST, all_but("b2"))))
  end)

  it("leaves it to HAProxy where one instance is enough", function()
    local one = policy.new({prefer = prefer("a")})
    assert.are.equal("a1 a2 b1* b2*",
      keys(one:apply(LIST, all_but("a1", "a2"))))
    assert.are.equal("other zone; serves while none of zone a can",
      one.reasons.b1)
  end)

  it("keeps a backup that its owner asked for", function()
    local spare = instance("a3", "a", {is_backup = true})
    local one = policy.new({prefer = prefer("a")})
    assert.are.equal("a1 a3* b1*", keys(one:apply(
      {LIST[1], spare, LIST[3]}, always)))
  end)

  it("leaves out what is not in the subset, and says why", function()
    local one = policy.new({prefer = {}, subset = subset(3)})
    assert.are.equal(3, #one:apply(LIST, always))
    assert.are.equal(1, #one.unused)
    assert.are.equal("not in this machine's subset of 3",
      one.reasons[one.unused[1].key])
    assert.is_nil(one.state)
  end)

  it("takes a subset of each level", function()
    local one = policy.new({prefer = prefer("a"), subset = subset(1)})
    local used = one:apply(LIST, always)
    assert.are.equal(2, #used)
    assert.is_nil(used[1].is_backup)
    assert.is_true(used[2].is_backup)
    assert.are.equal(2, #one.unused)
  end)

  it("has nothing to choose where there is a leader", function()
    local one = policy.new({prefer = prefer("a"), subset = subset(1),
      leader_election = true})
    assert.is_false(one:is_needed())
  end)

  -- Every instance is either used or has a reason; nothing is used twice; no
  -- backup is a serving one's better.
  it("accounts for every instance", function()
    for seed = 1, SEEDS do
      math.randomseed(seed)
      local one = policy.new({
        prefer = math.random(4) > 1 and prefer("a", math.random(3)) or {},
        subset = math.random(2) == 1 and
          subset(math.random(6), math.random(0, 3)) or nil,
      })
      local names, list, down = {"a", "b", "c"}, {}, {}
      for i = 1, math.random(0, 20) do
        list[i] = instance(string.format("i%02d", i), names[math.random(3)])
      end
      for _ = 1, 5 do
        for _, each in ipairs(list) do
          down[each.key] = math.random(3) == 1
        end
        local used = one:apply(list,
          function(each) return not down[each.key] end)
        local seen = {}
        for i, each in ipairs(used) do
          assert.is_nil(seen[each.key])
          seen[each.key] = true
          assert.is_true(i == 1 or used[i - 1].key < each.key)
        end
        for _, each in ipairs(one.unused) do
          assert.is_nil(seen[each.key])
          assert.is_string(one.reasons[each.key])
        end
        assert.are.equal(#list, #used + #one.unused)
      end
    end
  end)
end)

describe("a preference", function()
  it("is met while its instances serve alone", function()
    local one = policy.new({prefer = prefer("a")})
    assert.is_false(one:is_unmet())
    one:apply(LIST, always)
    assert.is_false(one:is_unmet())
    one:apply(LIST, all_but("a1", "a2"))
    assert.is_true(one:is_unmet())
    one:apply({}, always)
    assert.is_false(one:is_unmet())
    assert.is_nil(one.state)
  end)
end)
