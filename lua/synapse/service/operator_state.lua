--- Tells an operator's maint or drain from one that is to be repaired.
--
-- A slot out of traffic is the operator's doing only where our last
-- *acknowledged* command made it ready. Otherwise a command of ours was lost,
-- and the comparison sends it again.
--
-- Pure.
--
-- @module synapse.service.operator_state

local holds = {}

--- Compares what HAProxy says with what was acknowledged.
-- @tparam {[string]=string} placed key of the instance in each slot
-- @tparam {[string]=string} held "maint" or "drain" by the key of the instance
--   that an operator holds
-- @tparam {[string]=string} acknowledged the admin state of each slot that
--   HAProxy last acknowledged, or "unknown" after a lost command
-- @tparam {[string]=server} actual by slot
-- @treturn {[string]=string} the holds from now on
-- @treturn {{key, from, to},...} what changed, sorted by key
function holds.observe(placed, held, acknowledged, actual)
  local now, changes = {}, {}
  for slot, key in pairs(placed) do
    local before, admin = held[key], actual[slot].admin
    if admin ~= "ready" and (before or acknowledged[slot] == "ready") then
      now[key] = admin
    end
    if now[key] ~= before then
      changes[#changes + 1] = {
        key = key, from = before or "ready", to = now[key] or "ready",
      }
    end
  end
  table.sort(changes, function(a, b) return a.key < b.key end)
  return now, changes
end

return holds
