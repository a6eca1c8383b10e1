--- What changed in a service since its last summary line.
--
-- Pure.
--
-- @module synapse.service.summary

local plural = require("synapse.plural")

local summary = {}

local NAMED = 3

--- Returns an empty summary.
-- @treturn table `added`, `removed`, `changed`: lists of keys; `done`: how many
--   commands were acknowledged; `grown`, `deleted`: how many slots were
function summary.new()
  return {added = {}, removed = {}, changed = {}, done = 0, grown = 0,
    deleted = 0}
end

local function add_keys(keys, instances)
  for _, instance in ipairs(instances) do
    keys[#keys + 1] = instance.key
  end
end

--- Adds a change of the instances.
-- @tparam table self
-- @tparam difference difference
function summary.add(self, difference)
  add_keys(self.added, difference.added)
  add_keys(self.removed, difference.removed)
  for _, renewed in ipairs(difference.renewed) do
    local before, now = renewed.before, renewed.now
    if before.weight ~= now.weight or before.options ~= now.options then
      table.insert(self.changed, now.key)
    end
  end
end

local function first(keys)
  return table.concat(keys, ", ", 1, math.min(#keys, NAMED)) ..
    (#keys > NAMED and ", ..." or "")
end

local function part(keys, what, why)
  if #keys == 0 then
    return nil
  end
  return string.format("%s %s (%s%s)", plural(#keys, "instance"), what,
    first(keys), why and "; " .. why or "")
end

local function slots(number, what)
  return number > 0 and plural(number, "slot") .. " " .. what or nil
end

--- Names instances.
-- @tparam {string,...} keys at least one
-- @treturn string how many, and the first ones
function summary.names(keys)
  return string.format("%s (%s)", plural(#keys, "instance"), first(keys))
end

local function used_slots(placed)
  local used = 0
  for _ in pairs(placed) do
    used = used + 1
  end
  return used
end

--- Returns the summary line, or nil if there is nothing to report.
-- @tparam table self
-- @tparam string name of the service
-- @tparam table placement with `placed`, `pool` and `waiting`
-- @tparam ?string why instances wait for a slot
-- @treturn ?string
function summary.line(self, name, placement, why)
  local parts = {}
  for _, what in ipairs({"added", "removed", "changed"}) do
    parts[#parts + 1] = part(self[what], what)
  end
  if #parts == 0 and self.done == 0 then
    return nil
  end
  parts[#parts + 1] = plural(self.done, "command") .. " acknowledged"
  parts[#parts + 1] = slots(self.grown, "added")
  parts[#parts + 1] = slots(self.deleted, "deleted")
  parts[#parts + 1] = part(placement.waiting, "without a slot", why)
  parts[#parts + 1] = string.format("%d of %s used",
    used_slots(placement.placed), plural(#placement.pool, "slot"))
  return name .. ": " .. table.concat(parts, ", ")
end

return summary
