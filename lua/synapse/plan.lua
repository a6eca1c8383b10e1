--- Turns the difference between two backend states into runtime commands.
--
-- Pure: the same input always gives the same commands in the same order.
--
-- @module synapse.plan

local plan = {}

--- What a slot is, or is to be.
-- @table server
-- @tfield string host
-- @tfield integer port
-- @tfield integer weight
-- @tfield integer initial the weight that the configuration gives the slot
-- @tfield string admin "ready", "drain" or "maint"

--- One change of one slot.
-- @table command
-- @tfield string slot
-- @tfield string field "addr", "weight" or "admin"
-- @tfield string text what is sent, without a separator
-- @tfield table change the fields of the server that hold once it is
--   acknowledged

local function set(backend, slot, field, words, change)
  return {
    slot = slot,
    field = field,
    text = string.format("set server %s/%s %s", backend, slot, words),
    change = change,
  }
end

local function set_admin(backend, slot, admin)
  return set(backend, slot, "admin", "state " .. admin, {admin = admin})
end

local function set_address(backend, slot, server)
  return set(backend, slot, "addr",
    string.format("addr %s port %d", server.host, server.port),
    {host = server.host, port = server.port})
end

-- Percents of the initial weight work with every balancing algorithm; a
-- static one refuses plain numbers.
local function set_weight(backend, slot, server)
  local words = string.format("weight %d", server.weight)
  if server.weight == 0 then
    words = "weight 0%"
  elseif server.weight == server.initial then
    words = "weight 100%"
  end
  return set(backend, slot, "weight", words, {weight = server.weight})
end

local function fill(backend, slot, wanted, actual)
  local commands, admin = {}, actual.admin
  if wanted.host ~= actual.host or wanted.port ~= actual.port then
    -- No request may reach the new address under the old server's state, and
    -- HAProxy 2.6 does not change address and port as one.
    if admin ~= "maint" then
      commands[#commands + 1] = set_admin(backend, slot, "maint")
      admin = "maint"
    end
    commands[#commands + 1] = set_address(backend, slot, wanted)
  end
  if wanted.weight ~= actual.weight then
    commands[#commands + 1] = set_weight(backend, slot, wanted)
  end
  if wanted.admin ~= admin then
    commands[#commands + 1] = set_admin(backend, slot, wanted.admin)
  end
  return commands
end

--- Lists the commands that bring one slot to its wanted state.
-- @tparam string backend
-- @tparam string slot
-- @tparam ?server wanted nil: the slot is to be empty
-- @tparam server actual
-- @treturn {command,...} to be sent together and in this order
function plan.slot(backend, slot, wanted, actual)
  if wanted then
    return fill(backend, slot, wanted, actual)
  elseif actual.admin ~= "maint" then
    return {set_admin(backend, slot, "maint")}
  end
  return {}
end

--- Lists the commands that bring a backend to its wanted state, by slot.
-- @tparam string backend
-- @tparam {string,...} pool its slots, in order
-- @tparam {[string]=server} wanted a slot left out is to be empty
-- @tparam {[string]=server} actual all slots
-- @treturn {{command,...},...} one group for each slot that differs
function plan.diff(backend, pool, wanted, actual)
  local groups = {}
  for _, slot in ipairs(pool) do
    local commands = plan.slot(backend, slot, wanted[slot], actual[slot])
    if #commands > 0 then
      groups[#groups + 1] = commands
    end
  end
  return groups
end

return plan
