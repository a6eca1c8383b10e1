--- Gives each instance a slot of the backend, and keeps it there.
--
-- The first choice comes from a hash of the instance's identity, so that
-- HAProxies which never spoke to one another mostly agree; a taken slot makes
-- it the next one (open addressing). Instances are placed in sorted order:
-- equal sets placed fresh give equal tables.
--
-- Pure.
--
-- @module synapse.service.slots

local slots = {}

local FNV_OFFSET = 0x811c9dc5
local FNV_PRIME = 0x01000193

-- FNV-1a spreads its last byte badly over the low bits; the shifts at the end
-- repair that, since the low bits choose the slot.
local function hash(text)
  local value = FNV_OFFSET
  for i = 1, #text do
    value = (value ~ text:byte(i)) * FNV_PRIME & 0xffffffff
  end
  value = (value ~ value >> 16) * 0x85ebca6b & 0xffffffff
  return value ~ value >> 13
end

-- What stays: every slot of the pool whose instance is still wanted.
local function keep(pool, placed, wanted)
  local kept, has_slot = {}, {}
  for _, slot in ipairs(pool) do
    local key = placed[slot]
    if key and wanted[key] and not has_slot[key] then
      kept[slot] = key
      has_slot[key] = true
    end
  end
  return kept, has_slot
end

--- Chooses the slot for one more instance.
-- @tparam {string,...} pool the backend's slots, in order
-- @tparam {[string]=string} placed key of the instance in each slot
-- @tparam string key of the instance
-- @tparam function is_resting see `slots.assign`
-- @treturn ?string nil when all are taken
function slots.choose(pool, placed, key, is_resting)
  local first = #pool > 0 and hash(key) % #pool
  local resting
  for step = 0, #pool - 1 do
    local slot = pool[(first + step) % #pool + 1]
    if not placed[slot] then
      if not is_resting(slot) then
        return slot
      end
      resting = resting or slot
    end
  end
  return resting
end

--- Assigns instances to slots.
-- @tparam {string,...} pool the backend's slots, in order
-- @tparam {[string]=string} placed key of the instance in each slot until now
-- @tparam {string,...} keys of the instances wanted, sorted
-- @tparam function is_resting whether a free slot should rest a while because
--   sessions of its last instance go on; used only where no other is free
-- @treturn {[string]=string} key of the instance in each slot
-- @treturn {string,...} keys that found no slot
function slots.assign(pool, placed, keys, is_resting)
  local wanted, waiting = {}, {}
  for _, key in ipairs(keys) do
    wanted[key] = true
  end
  local assigned, has_slot = keep(pool, placed, wanted)
  local is_full = false
  for _, key in ipairs(keys) do
    if not has_slot[key] then
      local slot = not is_full and slots.choose(pool, assigned, key, is_resting)
      if slot then
        assigned[slot] = key
        has_slot[key] = true
      else
        is_full = true
        waiting[#waiting + 1] = key
      end
    end
  end
  return assigned, waiting
end

return slots
