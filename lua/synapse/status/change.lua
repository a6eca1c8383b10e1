--- The commands `synapse ...` of the stats socket, which change something.
--
-- HAProxy does not tell a Lua command the level of its socket. It tells the
-- socket's `name`, and the configuration has the level for that name. So a
-- command may change something over a socket with a name and at least `level
-- operator`, and over any other socket only if `runtime_changes` allows it.
--
-- @module synapse.status.change

local duration = require("synapse.duration")
local json = require("synapse.status.json")
local operator_order = require("synapse.service.operator_order")
local stats_sockets = require("synapse.haproxy.stats_sockets")

local change = {}

-- Seconds that a command waits for the agent's next turn, and for HAProxy.
local PATIENCE = 5
-- Thousands of services take a while to read.
local RELOAD_PATIENCE = 20

local ORDER = " ADDRESS [for TIME] [reason TEXT]"

--- The help text of each command.
change.USAGES = {
  resync = "synapse resync [NAME] : read everything from ZooKeeper again",
  freeze = "synapse freeze NAME : leave a service as it is now",
  thaw = "synapse thaw NAME : let it follow ZooKeeper again",
  maint = "synapse maint" .. ORDER .. " : take an instance out of traffic",
  drain = "synapse drain" .. ORDER .. " : give an instance no new sessions",
  ready = "synapse ready ADDRESS : end maint or drain of an instance",
  reload = "synapse reload : apply what has changed in synapse.conf.json",
}

local SOCKET = "stats socket /run/haproxy-synapse.sock mode 660 " ..
  "level operator name synapse"

--- Returns why nothing may be changed over a socket, or nil.
-- @tparam ?string name of the socket
-- @tparam {[string]=string} levels by name, of haproxy.cfg
-- @treturn ?string nil: it may
function change.objection(name, levels)
  local level = name and levels[name]
  if stats_sockets.may_change(level) then
    return nil
  elseif level then
    return string.format("the stats socket %s has level %s; this needs " ..
      "level operator or admin", name, level)
  end
  return "the agent cannot tell the level of this stats socket, because it " ..
    "has no name in haproxy.cfg; use one such as `" .. SOCKET .. "`"
end

local function answer(result, ...)
  return {result = result, message = string.format(...)}
end

-- Reads the words after `synapse maint`. Returns an order, or nil and what is
-- wrong.
local function read_order(state, words)
  local order = {state = state, key = words[1]}
  if not order.key then
    return nil, change.USAGES[state]
  end
  for i = 2, #words, 2 do
    local name, value = words[i], words[i + 1]
    if state == "ready" or name ~= "for" and name ~= "reason" then
      return nil, string.format('"%s" is not an option: %s (put a backslash ' ..
        "before each space of a reason)", name, change.USAGES[state])
    elseif not value then
      return nil, name .. " needs a value"
    elseif name == "for" then
      order.seconds = duration.read(value)
      if not order.seconds then
        return nil, string.format('for: "%s" is not %s', value, duration.RIGHT)
      end
    else
      order.reason = value
      local wrong = operator_order.objection(value)
      if wrong then
        return nil, "reason: the text " .. wrong
      end
    end
  end
  return order
end

-- Returns whether all services have carried out an order, and whether none can
-- now: a frozen service does it when it is thawed.
local function progress(services, key)
  local are_done, is_over = true, true
  for _, service in ipairs(services) do
    local is_done = service:is_operated(key)
    are_done = are_done and is_done
    is_over = is_over and (is_done or service.frozen_at ~= nil)
  end
  return are_done, is_over
end

local function names_of(services)
  local names, frozen = {}, {}
  for i, service in ipairs(services) do
    names[i] = service.name
    frozen[#frozen + 1] = service.frozen_at and service.name or nil
  end
  return table.concat(names, ", "), table.concat(frozen, ", ")
end

local function said_of(order, services, is_done)
  local names, frozen = names_of(services)
  local words = string.format("%s is %s in %s", order.key, order.state, names)
  if is_done then
    return answer("done", "%s", words)
  elseif frozen ~= "" then
    return answer("pending", "%s as soon as what is frozen (%s) is thawed",
      words, frozen)
  end
  return answer("pending", "%s as soon as HAProxy has acknowledged it, see " ..
    "`show synapse instance %s`", words, order.key)
end

local function operate(context, state, words)
  local order, wrong = read_order(state, words)
  if not order then
    return answer("failed", "%s", wrong)
  end
  local given = context.agent:order("operate", order)
  context.visit.await(function() return given.said end, PATIENCE)
  local services = given.said
  if not services then
    return answer("failed", "the agent has not done it yet, see its log")
  elseif #services == 0 then
    return answer("failed", "%s: no service has such an instance; `show " ..
      "synapse service NAME` lists them", order.key)
  end
  context.visit.await(function()
    local _, is_over = progress(services, order.key)
    return is_over and context.agent:is_saved()
  end, PATIENCE)
  local are_done = progress(services, order.key)
  return said_of(order, services, are_done)
end

local function change_service(context, what, words)
  local agent, name = context.agent, words[1]
  if words[2] or not name and what ~= "resync" then
    return answer("failed", "%s", change.USAGES[what])
  elseif name and not agent.by_name[name] then
    return answer("failed", "%s: no such service", name)
  end
  local order = agent:order(what, name)
  context.visit.await(function() return order.said end, PATIENCE)
  if not order.said then
    return answer("failed", "the agent has not done it yet, see its log")
  end
  return answer("done", "%s", order.said)
end

local function reload(context, _, words)
  local live = context.agent.live
  if words[1] then
    return answer("failed", "%s", change.USAGES.reload)
  end
  local number = live:ask()
  context.visit.await(function() return live.answered >= number end,
    RELOAD_PATIENCE)
  if live.answered < number then
    return answer("failed", "the agent has not done it yet, see its log")
  end
  return live.said
end

local DOES =
  {maint = operate, drain = operate, ready = operate, reload = reload}

local function run(deps, what, words, applet)
  local wrong = not deps.may_all_change and
    change.objection(applet.f:so_name(), deps.levels)
  if wrong then
    return answer("failed", "%s", wrong)
  end
  local context = {agent = deps.agent(), visit = deps.visit(applet)}
  return (DOES[what] or change_service)(context, what, words)
end

--- Does what a command says.
-- @tparam table deps see `cli.commands`
-- @tparam string what a key of `change.USAGES`
-- @tparam {string,...} words behind it; `json` as the last asks for JSON
-- @tparam table applet
-- @treturn string the answer
function change.run(deps, what, words, applet)
  local is_json = words[#words] == "json"
  if is_json then
    words[#words] = nil
  end
  local said = run(deps, what, words, applet)
  return (is_json and json.object(said) or said.message) .. "\n"
end

return change
