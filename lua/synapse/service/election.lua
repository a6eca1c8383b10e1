--- Elects a leader among instances, the same in every HAProxy.
--
-- It is the one with the smallest sequence, so the one that has been registered
-- longest. An instance without a sequence cannot be compared and is never
-- elected.
--
-- Pure.
--
-- @module synapse.service.election

local election = {}

local function is_before(a, b)
  if a.sequence ~= b.sequence then
    return a.sequence < b.sequence
  end
  return a.key < b.key
end

--- Elects the leader.
-- @tparam {instance,...} instances
-- @treturn {instance,...} the leader alone, or nobody
function election.leader(instances)
  local leader
  for _, one in ipairs(instances) do
    if one.sequence and (not leader or is_before(one, leader)) then
      leader = one
    end
  end
  return {leader}
end

return election
