--- The agent on the stats socket: `show synapse ...` and `synapse ...`.
--
-- The latter change something, see `synapse.status.change`.
--
-- @module synapse.status.cli

local change = require("synapse.status.change")
local escape = require("synapse.escape")
local json = require("synapse.status.json")
local plural = require("synapse.plural")
local report = require("synapse.status.report")

local cli = {}

-- Text from a znode must not move the cursor of a terminal.
local function shown(value)
  return escape(tostring(value == nil and "-" or value))
end

--- Returns rows as lines, their columns aligned.
-- @tparam {{value,...},...} rows each of the same length; a value may be false
--   in place of nil
-- @tparam function turn called between rows
-- @treturn string
function cli.table(rows, turn)
  local widths, cells, lines = {}, {}, {}
  for n, row in ipairs(rows) do
    turn()
    cells[n] = {}
    for i, value in ipairs(row) do
      cells[n][i] = shown(value or nil)
      widths[i] = math.max(widths[i] or 0, #cells[n][i])
    end
  end
  for n, row in ipairs(cells) do
    turn()
    for i = 1, #row - 1 do
      row[i] = row[i] .. (" "):rep(widths[i] - #row[i])
    end
    lines[n] = table.concat(row, "  ") .. "\n"
  end
  return table.concat(lines)
end

local function time_of(seconds)
  return os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(seconds))
end

local function summary(view)
  return {view.state, view.name,
    string.format("%d/%d", view.counts.ready or 0, view.number),
    string.format("%d/%d", view.used, view.slots),
    table.concat(view.reasons, "; ")}
end

local function show_all(context)
  local status = report.status(context.agent, {}, context.visit)
  if context.is_json then
    return status.head:sub(1, -2) .. ',"services":' ..
      json.list(status.views, function(view)
        return json.service(view, context.turn)
      end, context.turn) .. "}\n"
  end
  local rows = {{"state", "service", "ready", "slots", "why"}}
  for i, view in ipairs(status.views) do
    rows[i + 1] = summary(view)
  end
  local parts, sessions = {}, {{"session", "ensemble", "id"}}
  for i, trouble in ipairs(report.troubles(context.agent)) do
    parts[i] = trouble .. "\n"
  end
  for _, session in ipairs(report.sessions(context.agent)) do
    table.insert(sessions,
      {session.state, session.hosts, session.session or false})
  end
  parts[#parts + 1] = cli.table(sessions, context.turn)
  parts[#parts + 1] = cli.table(rows, context.turn)
  return table.concat(parts, "\n")
end

local INSTANCES = {"state", "instance", "slot", "weight", "name", "why"}

local function instance_row(instance)
  return {instance.state, instance.key, instance.slot or false,
    instance.weight or false, instance.name or false,
    instance.why or instance.problem or false}
end

local function show_service(context, name)
  if not context.agent.by_name[name or ""] then
    return string.format("%s: no such service\n", name or "service NAME")
  end
  report.refresh(context.agent, context.visit)
  local view = context.agent.journal.views[name]
  if not view then
    return name .. ": no such service any more\n"
  end
  if context.is_json then
    return json.service_in_full(report.in_full(context.agent, view,
      context.turn), context.turn) .. "\n"
  end
  local rows = {INSTANCES}
  for i, instance in ipairs(view.instances) do
    rows[i + 1] = instance_row(instance)
  end
  local paths = {}
  for i, path in ipairs(view.paths) do
    paths[i] = string.format("%s (%s%s)", path.path, path.state,
      path.why and ": " .. path.why or "")
  end
  return cli.table({{"service", name}, {"state", view.state},
    {"why", table.concat(view.reasons, "; ")},
    {"backend", view.backend}, {"paths", table.concat(paths, ", ")},
    {"slots", string.format("%d used of %d", view.used, view.slots)},
  }, context.turn) .. "\n" .. cli.table(rows, context.turn)
end

-- An event is about an instance, about many, or about all of a service.
local function what_of(event)
  return event.instance or event.count and plural(event.count, "instance") or
    false
end

local function show_events(context)
  local events, last = report.events(context.agent, {}, context.visit)
  if context.is_json then
    return json.events(events, last, context.turn) .. "\n"
  end
  local rows = {{"time", "service", "instance", "from", "to", "ms", "why"}}
  for i, event in ipairs(events) do
    rows[i + 1] = {time_of(event.time), event.service or false,
      what_of(event), event.from, event.to,
      event.ms and string.format("%.1f", event.ms) or false,
      event.why or false}
  end
  return cli.table(rows, context.turn)
end

local function has(list, value)
  for _, each in ipairs(list) do
    if each == value then
      return true
    end
  end
  return false
end

local function in_slot(context, place)
  local backend, slot = (place or ""):match("^([^/]+)/([^/]+)$")
  for _, view in pairs(backend and context.agent.journal.views or {}) do
    if view.backend == backend then
      for _, instance in ipairs(view.instances) do
        if instance.slot == slot then
          return instance
        end
      end
      return nil, has(view.slot_names, slot) and "is empty" or "is no slot"
    end
  end
  return nil, "is not BACKEND/SLOT of a service"
end

-- Lists an instance of each service that has it, and these services.
local function at_address(context, address)
  local instances, views = {}, {}
  for _, name in ipairs(context.agent.journal.names) do
    context.turn()
    local view = context.agent.journal.views[name]
    for _, instance in ipairs(view and view.instances or {}) do
      if instance.key == address and instance.state ~= "invalid" then
        instances[#instances + 1], views[#views + 1] = instance, view
      end
    end
  end
  return instances, views
end

local function show_address(context, address)
  local instances, views = at_address(context, address)
  if #instances == 0 then
    return address .. ": no service has such an instance\n"
  elseif context.is_json then
    local parts = {}
    for i, instance in ipairs(instances) do
      parts[i] = json.with({service = views[i].name,
        backend = views[i].backend}, {{"at", json.instance(instance)}})
    end
    return json.with({instance = address},
      {{"services", "[" .. table.concat(parts, ",") .. "]"}}) .. "\n"
  end
  local rows = {{"service", table.unpack(INSTANCES)}}
  for i, instance in ipairs(instances) do
    rows[i + 1] = {views[i].name, table.unpack(instance_row(instance))}
  end
  return cli.table(rows, context.turn)
end

local function show_instance(context, place)
  report.refresh(context.agent, context.visit)
  if place and place:find(":", 1, true) and not place:find("/", 1, true) then
    return show_address(context, place)
  end
  local instance, why = in_slot(context, place)
  if not instance then
    return string.format("%s %s\n", place or "instance", why)
  elseif context.is_json then
    return json.instance(instance) .. "\n"
  end
  return cli.table({INSTANCES, instance_row(instance)}, context.turn)
end

local function show_dump(context)
  return report.dump(context.agent, context.visit) .. "\n"
end

local SHOW = {
  service = show_service, events = show_events, instance = show_instance,
  dump = show_dump,
}

local USAGE = "show synapse [service NAME|events|instance ADDRESS|" ..
  "instance BACKEND/SLOT|dump] [json] : what the agent knows"

local function run(deps, words, applet)
  local visit = deps.visit(applet)
  local context = {agent = deps.agent(), visit = visit, turn = visit.turn}
  context.is_json = words[#words] == "json"
  if context.is_json then
    words[#words] = nil
  end
  if not words[1] then
    return show_all(context)
  elseif not SHOW[words[1]] then
    return USAGE .. "\n"
  end
  return SHOW[words[1]](context, words[2])
end

local function command(deps, path, usage, answer)
  return {path = path, usage = usage, run = function(applet, ...)
    local words = table.pack(...)
    local ok, said = deps.guarded("a command", answer,
      table.move(words, #path + 1, words.n, 1, {}), applet)
    applet:send(ok and said or "the agent failed, see its log\n")
  end}
end

--- Lists the commands, for `core.register_cli`.
-- @tparam table deps `agent()`; `visit(applet)`, see `runtime.visit`;
--   `guarded(what, step, ...)`: runs a step that may fail; `levels` of the
--   stats sockets that have a name; `may_all_change`: whether commands may
--   change something over every socket
-- @treturn {{path,usage,run},...} `path`: the words that name it; `usage`: for
--   `help`; `run(applet, ...)`: gets the words of `path` and those that follow
function cli.commands(deps)
  local commands = {command(deps, {"show", "synapse"}, USAGE,
    function(words, applet) return run(deps, words, applet) end)}
  for what, usage in pairs(change.USAGES) do
    commands[#commands + 1] = command(deps, {"synapse", what}, usage,
      function(words, applet) return change.run(deps, what, words, applet) end)
  end
  return commands
end

return cli
