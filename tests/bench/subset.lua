-- Simulates fleets of machines that each use a subset of a service: how evenly
-- the instances are used, and how much a change moves.
--
--     make && LUA_PATH="lua/?.lua;;" lua5.3 tests/bench/subset.lua [SEED]
--
-- The figures in lua/README.md are these, rounded. A line takes seconds: a
-- machine hashes every instance once.
local policy = require("synapse.service.policy")

local function always() return true end

local function by_key(a, b)
  return a.key < b.key
end

local ZONES = {"a", "b", "c"}

-- Weights from 1 to 10 and zones in turn, so that both are everywhere.
local function fleet_instances(number)
  local list, seen = {}, {}
  while #list < number do
    local key = string.format("10.%d.%d.%d:%d", math.random(0, 31),
      math.random(0, 255), math.random(0, 255), math.random(31000, 32000))
    if not seen[key] then
      seen[key] = true
      list[#list + 1] = {
        key = key, weight = #list % 10 + 1,
        labels = {zone = ZONES[#list % #ZONES + 1]},
      }
    end
  end
  table.sort(list, by_key)
  return list
end

-- One machine of each zone in turn, or of no zone.
local function fleet_machines(number, size, has_zones)
  local machines = {}
  for i = 1, number do
    machines[i] = policy.new({
      prefer = has_zones and {{label = "zone", least = 1,
        value = ZONES[(i - 1) % #ZONES + 1]}} or {},
      subset = {machine = string.format("host-%d.example", i), size = size,
        least = 0},
    })
  end
  return machines
end

local function keys_of(list)
  local keys = {}
  for _, instance in ipairs(list) do
    keys[instance.key] = true
  end
  return keys
end

-- What each instance gets when every machine has one unit of traffic, and gives
-- its instances that serve their share of it.
local function loads(machines, instances, weight_of)
  local load = {}
  for _, machine in ipairs(machines) do
    local serving, sum = {}, 0
    for _, instance in ipairs(machine:apply(instances, always)) do
      if not instance.is_backup then
        serving[#serving + 1] = instance
        sum = sum + weight_of(instance)
      end
    end
    for _, instance in ipairs(serving) do
      load[instance.key] = (load[instance.key] or 0) +
        weight_of(instance) / sum
    end
  end
  return load
end

-- The least and the most of what an instance gets, where 1 is its fair share.
local function evenness(machines, instances, weight_of)
  local load, all = loads(machines, instances, weight_of), 0
  for _, instance in ipairs(instances) do
    all = all + weight_of(instance)
  end
  local least, most = math.huge, 0
  for _, instance in ipairs(instances) do
    local fair = #machines * weight_of(instance) / all
    local share = (load[instance.key] or 0) / fair
    least, most = math.min(least, share), math.max(most, share)
  end
  return least, most
end

-- How many places change on a machine when one instance goes: on average, and
-- at most.
local function churn(machines, instances)
  local fewer = table.move(instances, 1, #instances, 1, {})
  table.remove(fewer, math.random(#fewer))
  local sum, most = 0, 0
  for _, machine in ipairs(machines) do
    local before = keys_of(machine:apply(instances, always))
    local changed = 0
    for key in pairs(keys_of(machine:apply(fewer, always))) do
      changed = changed + (before[key] and 0 or 1)
    end
    sum, most = sum + changed, math.max(most, changed)
  end
  return sum / #machines, most
end

local function same(_)
  return 1
end

local function own(instance)
  return instance.weight
end

local function row(...)
  print(string.format("%8d %9d %4d  %4.2f %4.2f   %4.2f %4.2f   %4.2f %d",
    ...))
end

local function simulate(number, many, size, has_zones)
  local instances = fleet_instances(many)
  local machines = fleet_machines(number, size, has_zones)
  local least, most = evenness(machines, instances, same)
  local weighted_least, weighted_most = evenness(machines, instances, own)
  row(number, many, size, least, most, weighted_least, weighted_most,
    churn(machines, instances))
end

local HEADING =
  "machines instances size  load: least, most of the mean; the same with\n" ..
  "                         weights 1 to 10; places that change on a\n" ..
  "                         machine when an instance goes: mean, most"

math.randomseed(tonumber(arg and arg[1]) or 1)
print(HEADING)
for _, case in ipairs({
  {1000, 300, 20}, {1000, 300, 50}, {1000, 40, 10}, {300, 300, 60},
  {200, 1000, 20},
}) do
  simulate(case[1], case[2], case[3], false)
end
print("with a `prefer` for the zone of each machine, three zones:")
for _, case in ipairs({{999, 300, 20}, {999, 300, 50}, {300, 300, 60}}) do
  simulate(case[1], case[2], case[3], true)
end
