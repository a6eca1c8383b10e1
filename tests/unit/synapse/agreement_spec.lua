-- HAProxies that never spoke to one another, and how far their tables agree.
-- With `hash-type consistent` a request's key goes to the same instance on two
-- of them only where both have this instance in the same slot.
local placement = require("synapse.service.placement")

local INSTANCES, CHANGES, SEEDS, HISTORIES = 50, 10, 100, 300

local function instance()
  return {key = string.format("10.%d.%d.%d:%d", math.random(0, 255),
    math.random(0, 255), math.random(0, 255), math.random(1024, 65535))}
end

local function fresh(instances, size)
  local pool, kinds = {}, {}
  for i = 1, size do
    pool[i] = "s" .. i
    kinds[pool[i]] = "plain"
  end
  return placement.new(pool, {}, instances, function() return 0 end, kinds)
end

local function shuffled(list)
  local copy = table.move(list, 1, #list, 1, {})
  for i = #copy, 2, -1 do
    local j = math.random(i)
    copy[i], copy[j] = copy[j], copy[i]
  end
  return copy
end

local function random_instances()
  local list = {}
  for i = 1, INSTANCES do
    list[i] = instance()
  end
  return list
end

-- A HAProxy that has come to these instances by ten changes of its own: each
-- time one that is none of them went, and one of them came.
local function with_history(instances, size)
  local final = shuffled(instances)
  local first = table.move(final, CHANGES + 1, #final, 1, {})
  local others = {}
  for i = 1, CHANGES do
    others[i] = instance()
    first[#first + 1] = others[i]
  end
  local one = fresh(first, size)
  for i = 1, CHANGES do
    one:change({added = {}, removed = {others[i]}, renewed = {}})
    one:change({added = {final[i]}, removed = {}, renewed = {}})
  end
  return one
end

local function agreement(a, b)
  local same = 0
  for key, slot in pairs(a.slot_of) do
    same = same + (b.slot_of[key] == slot and 1 or 0)
  end
  return same / INSTANCES
end

-- Of many pairs of histories, sorted.
local function agreements(size)
  local found = {}
  for i = 1, HISTORIES do
    local instances = random_instances()
    found[i] = agreement(with_history(instances, size),
      with_history(instances, size))
  end
  table.sort(found)
  return found
end

local function share_of(found, least)
  local enough = 0
  for _, one in ipairs(found) do
    enough = enough + (one >= least and 1 or 0)
  end
  return enough / #found
end

describe("two HAProxies", function()
  before_each(function()
    math.randomseed(1)
  end)

  it("have equal tables of equal instances, in whatever order these came",
    function()
      for _ = 1, SEEDS do
        local instances = random_instances()
        local size = math.random(INSTANCES, 5 * INSTANCES)
        assert.are.same(fresh(instances, size).placed,
          fresh(shuffled(instances), size).placed)
      end
    end)

  -- It is chance, and some histories part two HAProxies further: how many keep
  -- to the limit is promised too, and what none of them falls below.
  local PROMISES = {
    {slots = 64, least = 0.4, share = 0.86, worst = 0.16},
    {slots = 128, least = 0.7, share = 0.8, worst = 0.4},
    {slots = 256, least = 0.85, share = 0.72, worst = 0.54},
  }
  for _, promise in ipairs(PROMISES) do
    it(string.format("agree on %g of 50 instances in %d slots after ten " ..
      "changes each, by the median and in %g of the histories",
      promise.least, promise.slots, promise.share), function()
      local found = agreements(promise.slots)
      assert.is_true(found[HISTORIES // 2] >= promise.least)
      assert.is_true(share_of(found, promise.least) >= promise.share)
      assert.is_true(found[1] >= promise.worst)
    end)
  end
end)
