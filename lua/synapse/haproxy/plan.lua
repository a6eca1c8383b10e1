--- What a slot is to be, and the commands that lead there from what it is.
--
-- Pure: the same input always gives the same commands in the same order.
--
-- @module synapse.haproxy.plan

local hostname = require("synapse.instances.hostname")

local plan = {}

--- What a slot is, or is to be.
-- @table server
-- @tfield string host     where a name is wanted: the last address known of it,
--   or nil
-- @tfield ?string fqdn    the name that HAProxy resolves
-- @tfield integer port
-- @tfield integer weight
-- @tfield integer initial the weight that the configuration gives the slot
-- @tfield ?integer maxconn 0: no limit; nil: nobody knows
-- @tfield string admin "ready", "drain" or "maint"
-- @tfield ?{host,port} moving the address that it was told and that HAProxy may
--   not use yet; it is told no other until then
-- @tfield ?boolean starts_down it gets no traffic before HAProxy's check of it
--   has passed, where it leaves maint

--- One change of one slot.
-- @table command
-- @tfield string slot
-- @tfield string field "addr", "fqdn", "weight", "maxconn", "admin" or "health"
-- @tfield string text what is sent, without a separator
-- @tfield table change the fields of the server that hold once it is
--   acknowledged

-- Weight 0 always drains. Another weight of the znode counts only if the
-- configuration says so, and then more than the one in its server options. A
-- static balancing algorithm takes only 0 and the first weight.
local function weight_of(instance, config, initial)
  if instance.weight == 0 then
    return 0
  elseif config.has_fixed_weights then
    return initial
  elseif instance.weight and config.use_nerve_weights then
    return instance.weight
  end
  return instance.server_weight or initial
end

-- HAProxy resolves a name; until then the last known address serves.
local function host_of(instance, address)
  if instance.is_name then
    return address
  end
  return instance.host
end

--- Returns the server wanted for an instance.
-- @tparam instance instance
-- @tparam service config
-- @tparam table slot `weight` and `maxconn`: what HAProxy's configuration gives
--   it; `operator_state`: the one that an operator gave, or nil;
--   `address`: the last one of its name, or nil; `is_retained`: whether the
--   guard keeps the instance
-- @treturn server
function plan.server(instance, config, slot)
  return {
    fqdn = instance.is_name and instance.host or nil,
    host = host_of(instance, slot.address),
    port = instance.port,
    weight = weight_of(instance, config, slot.weight),
    initial = slot.weight,
    maxconn = instance.maxconn or slot.maxconn,
    admin = slot.operator_state or "ready",
    starts_down = slot.is_retained,
  }
end

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

-- HAProxy counts a server that leaves maint as up until its check fails. This
-- command, in one line with the admin state, sets the server down first.
local function set_down(backend, slot)
  return set(backend, slot, "health", "health down",
    {check = "fails", is_rising = true})
end

local function set_address(backend, slot, host, port)
  return set(backend, slot, "addr",
    string.format("addr %s port %d", host, port), {host = host, port = port})
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

local function set_maxconn(backend, slot, maxconn)
  return {
    slot = slot, field = "maxconn", change = {maxconn = maxconn},
    text = string.format("set maxconn server %s/%s %d", backend, slot, maxconn),
  }
end

-- No request may reach the new address under the old server's state, and
-- HAProxy 2.6 does not change address and port as one.
local function move(backend, slot, host, port, admin)
  local commands = {}
  if admin ~= "maint" then
    commands[1] = set_admin(backend, slot, "maint")
  end
  commands[#commands + 1] = set_address(backend, slot, host, port)
  return commands
end

local function set_name(backend, slot, wanted)
  return set(backend, slot, "fqdn", "fqdn " .. wanted.fqdn,
    {fqdn = wanted.fqdn})
end

-- Until HAProxy has resolved a name, the last address of that name may serve,
-- but not the address of another name. HAProxy says "-" for an address that has
-- gone, and then accepts no command with an address until the name has another.
local function give_name(backend, slot, wanted, actual)
  if wanted.host and wanted.host == actual.host and
    wanted.port == actual.port
  then
    return {set_name(backend, slot, wanted)}
  end
  local commands = {}
  if actual.host ~= "-" then
    commands = move(backend, slot, hostname.NOWHERE, wanted.port, actual.admin)
  elseif actual.admin ~= "maint" then
    commands = {set_admin(backend, slot, "maint")}
  end
  commands[#commands + 1] = set_name(backend, slot, wanted)
  return commands
end

-- Lists the commands that lead to the wanted address; none if the slot has it.
local function go_to(backend, slot, wanted, actual)
  if actual.moving then
    return {}
  elseif not wanted.fqdn then
    return (wanted.host ~= actual.host or wanted.port ~= actual.port) and
      move(backend, slot, wanted.host, wanted.port, actual.admin) or {}
  elseif wanted.fqdn ~= actual.fqdn then
    return give_name(backend, slot, wanted, actual)
  end
  return hostname.is_resolved(actual) and wanted.port ~= actual.port and
    move(backend, slot, actual.host, wanted.port, actual.admin) or {}
end

-- HAProxy may refuse an address, and some versions use it only later. Until it
-- is known that HAProxy uses it, requests would go to the previous one, so the
-- slot becomes ready in a later plan. A name without an address is out of
-- traffic. If its address has only gone ("-"), HAProxy itself takes the server
-- out, and in again.
local function admin_of(wanted, now)
  if now.is_moving then
    return "maint"
  elseif wanted.fqdn and now.host ~= "-" and not hostname.is_resolved(now) then
    return "maint"
  elseif wanted.fqdn and now.host == "-" then
    return now.admin
  end
  return wanted.admin
end

local function fill(backend, slot, wanted, actual)
  local commands, now = go_to(backend, slot, wanted, actual), {
    host = actual.host, admin = actual.admin,
    is_moving = actual.moving ~= nil,
  }
  for _, command in ipairs(commands) do
    now.host = command.change.host or now.host
    now.admin = command.change.admin or now.admin
    now.is_moving = now.is_moving or command.field == "addr"
  end
  if wanted.weight ~= actual.weight then
    commands[#commands + 1] = set_weight(backend, slot, wanted)
  end
  if wanted.maxconn ~= actual.maxconn then
    commands[#commands + 1] = set_maxconn(backend, slot, wanted.maxconn)
  end
  local admin = admin_of(wanted, now)
  if admin ~= now.admin then
    commands[#commands + 1] = set_admin(backend, slot, admin)
    if wanted.starts_down and now.admin == "maint" then
      commands[#commands + 1] = set_down(backend, slot)
    end
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

return plan
