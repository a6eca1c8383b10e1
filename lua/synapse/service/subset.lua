--- Chooses the instances of a large service that this machine uses.
--
-- Each machine of a fleet checks and connects to a few instances only.
-- Rendezvous hashing chooses them: an instance has a score on each machine, a
-- hash of both names, and a machine uses the instances with the highest scores.
-- An instance that comes or goes therefore changes at most one place on a
-- machine, a machine that comes or goes changes nothing on the others, and
-- nobody has to know how many machines there are.
--
-- Weights do not count here: every instance is chosen by equally many machines,
-- and each of these gives it its share by weight.
--
-- Pure. Scores are remembered, because a service changes by one instance of a
-- thousand.
--
-- @module synapse.service.subset

local instance_list = require("synapse.instances.list")

local subset = {}
subset.__index = subset

--- How many instances a machine uses.
-- @table settings
-- @tfield integer size
-- @tfield integer least while fewer of the chosen instances can take traffic,
--   the machine uses the next ones in its order too
-- @tfield string machine the name of this machine
-- @tfield ?integer machines how many machines there are

local FNV_OFFSET = 0xcbf29ce484222325
local FNV_PRIME = 0x100000001b3

local function fnv(hash, text)
  for i = 1, #text do
    hash = (hash ~ text:byte(i)) * FNV_PRIME
  end
  return hash
end

-- Names that differ in their last byte have nearly equal FNV hashes. The last
-- steps of MurmurHash3 spread such a difference over all bits.
local function mix(hash)
  hash = (hash ~ hash >> 33) * 0xff51afd7ed558ccd
  hash = (hash ~ hash >> 33) * 0xc4ceb9fe1a85ec53
  return hash ~ hash >> 33
end

--- Returns a chooser.
-- @tparam settings settings
-- @treturn subset
function subset.new(settings)
  return setmetatable({
    settings = settings,
    -- The zero separates the names: "ab" and "c" is not "a" and "bc".
    seed = fnv(FNV_OFFSET, settings.machine .. "\0"),
    scores = {},
    number = 0,
  }, subset)
end

-- With this many machines for each instance, the least and the most loaded
-- instance are within a third of the mean, see tests/bench/subset.lua.
local MACHINES_EACH = 60

--- Returns the size that loads instances evenly, if the settings say how many
-- machines there are and their size does not.
-- @tparam settings settings with `machines`, or without
-- @tparam integer number of instances
-- @treturn ?integer
function subset.better_size(settings, number)
  local machines = settings.machines
  if not machines or number <= settings.size or
    machines * settings.size >= MACHINES_EACH * number
  then
    return nil
  end
  return math.min(number, math.ceil(MACHINES_EACH * number / machines))
end

local function score_of(self, key)
  local score = self.scores[key]
  if not score then
    score = mix(fnv(self.seed, key))
    self.scores[key] = score
    self.number = self.number + 1
  end
  return score
end

-- Forgets the scores of instances that are gone.
local function forget(self, instances)
  if self.number > 2 * #instances + 100 then
    self.scores, self.number = {}, 0
  end
end

local function is_before(self, a, b)
  local score_a, score_b = score_of(self, a.key), score_of(self, b.key)
  if score_a ~= score_b then
    return score_a > score_b
  end
  return a.key < b.key
end

-- Lists the first instances in the machine's order. The list is short, so an
-- insertion is cheaper than sorting all instances.
local function first(self, instances, size)
  local list = {}
  for _, instance in ipairs(instances) do
    local place = #list + 1
    while place > 1 and is_before(self, instance, list[place - 1]) do
      place = place - 1
    end
    if place <= size then
      table.insert(list, place, instance)
      list[size + 1] = nil
    end
  end
  return list
end

-- Each missing instance is replaced by the next one in the order, until there
-- are enough or no more.
local function enough(self, instances, can_serve)
  local size = self.settings.size
  local list = first(self, instances, size)
  local missing = self.settings.least - instance_list.count(list, can_serve)
  while missing > 0 and size < #instances do
    size = size + missing
    list = first(self, instances, size)
    missing = self.settings.least - instance_list.count(list, can_serve)
  end
  return list
end

--- Chooses instances.
-- @tparam {instance,...} instances sorted by key
-- @tparam function can_serve tells whether an instance can take traffic, as far
--   as is known
-- @treturn {instance,...} those that this machine uses, sorted by key; the very
--   table given when it uses all
function subset:choose(instances, can_serve)
  forget(self, instances)
  if #instances <= self.settings.size then
    return instances
  end
  local list = enough(self, instances, can_serve)
  if #list == #instances then
    return instances
  end
  table.sort(list, function(a, b) return a.key < b.key end)
  return list
end

return subset
