--- The agent's metrics, as Prometheus reads them.
--
-- Reads and changes nothing.
--
-- @module synapse.status.metrics

local STATES = require("synapse.status.view").STATES

local metrics = {}

local ESCAPES = {["\\"] = "\\\\", ['"'] = '\\"', ["\n"] = "\\n"}

local function labelled(labels)
  local parts = {}
  for i = 1, #labels, 2 do
    parts[#parts + 1] = string.format('%s="%s"', labels[i],
      (labels[i + 1]:gsub('[\\"\n]', ESCAPES)))
  end
  return #parts > 0 and "{" .. table.concat(parts, ",") .. "}" or ""
end

--- Returns a line of a metric.
-- @tparam string name
-- @tparam {string,...} labels name and value in turn
-- @tparam number value
-- @treturn string
function metrics.sample(name, labels, value)
  return string.format("%s%s %.14g\n", name, labelled(labels), value)
end

local function heading(name, kind, help)
  return string.format("# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
end

--- Returns a metric with one sample, or several.
-- @tparam string name
-- @tparam string kind "counter" or "gauge"
-- @tparam string help
-- @tparam {{labels,value},...} samples
-- @treturn string empty without a sample
function metrics.metric(name, kind, help, samples)
  if #samples == 0 then
    return ""
  end
  local lines = {heading(name, kind, help)}
  for _, sample in ipairs(samples) do
    lines[#lines + 1] = metrics.sample(name, sample[1], sample[2])
  end
  return table.concat(lines)
end

--- Returns a histogram.
-- @tparam string name
-- @tparam string help
-- @tparam histogram histogram
-- @treturn string
function metrics.histogram(name, help, histogram)
  local lines, sum = {heading(name, "histogram", help)}, 0
  for i, count in ipairs(histogram.counts) do
    sum = sum + count
    lines[#lines + 1] = metrics.sample(name .. "_bucket", {"le",
      histogram.bounds[i] and string.format("%.14g", histogram.bounds[i]) or
      "+Inf"}, sum)
  end
  lines[#lines + 1] = metrics.sample(name .. "_sum", {}, histogram.sum)
  lines[#lines + 1] = metrics.sample(name .. "_count", {}, histogram.total)
  return table.concat(lines)
end

-- Metrics of each service, with one label beside its name. `each` returns the
-- number for a value of that label, or nil if the metric does not apply.
local SERVICES = {
  {name = "synapse_service_state", label = "state",
    help = "Whether the service is in this state.",
    values = {"down", "degraded", "whole"},
    each = function(view, state) return view.state == state and 1 or 0 end},
  {name = "synapse_service_instances", label = "state",
    help = "Instances of the service, by state.",
    values = STATES,
    each = function(view, state) return view.counts[state] or 0 end},
  {name = "synapse_service_preference", label = "state",
    help = "Whether the instances that `prefer` names serve alone.",
    values = {"met", "unmet"},
    each = function(view, state)
      return view.preference and (view.preference == state and 1 or 0)
    end},
  {name = "synapse_service_slots", label = "kind",
    help = "Slots of the service's backend.",
    values = {"used", "free"},
    each = function(view, kind)
      return kind == "used" and view.used or view.slots - view.used
    end},
}

-- The text before and after the service's name in each line.
for _, metric in ipairs(SERVICES) do
  metric.before, metric.behind = metric.name .. '{service="', {}
  for i, value in ipairs(metric.values) do
    metric.behind[i] = string.format('",%s="%s"} ', metric.label, value)
  end
end

-- A thousand services have twenty thousand lines, and HAProxy ends an answer
-- that takes too long in Lua: no line is made from scratch.
local function samples_of(metric, view, service)
  local parts, n = {}, 0
  for i, value in ipairs(metric.values) do
    local number = metric.each(view, value)
    if number then
      parts[n + 1], parts[n + 2], parts[n + 3] =
        metric.before, service, metric.behind[i]
      parts[n + 4], parts[n + 5], n = number, "\n", n + 5
    end
  end
  return table.concat(parts)
end

--- Puts the metrics of services, which are many. The text of each is kept with
-- its view.
-- @tparam {view,...} views
-- @tparam function put takes a part of the text
function metrics.services(views, put)
  for _, metric in ipairs(SERVICES) do
    put(#views > 0 and heading(metric.name, "gauge", metric.help) or "")
    for _, view in ipairs(views) do
      view.samples = view.samples or {}
      view.samples[metric] = view.samples[metric] or
        samples_of(metric, view, (view.name:gsub('[\\"\n]', ESCAPES)))
      put(view.samples[metric])
    end
  end
end

local SESSION_STATES = {"new", "connecting", "connected", "unknown", "expired",
  "auth_failed", "no_threads"}

-- Samples of all sessions. Two of one ensemble, which differ by their
-- credentials, differ here by a number.
local function of_sessions(agent, each)
  local seen, samples = {}, {}
  for _, session in ipairs(agent.view.sessions) do
    local number = (seen[session.hosts] or 0) + 1
    seen[session.hosts] = number
    each(session, number == 1 and session.hosts or
      session.hosts .. " " .. number, samples)
  end
  return samples
end

local function field(agent, name)
  return of_sessions(agent, function(session, hosts, samples)
    table.insert(samples, {{"ensemble", hosts}, session[name]})
  end)
end

local function session_states(agent)
  return of_sessions(agent, function(session, hosts, samples)
    for _, state in ipairs(SESSION_STATES) do
      table.insert(samples, {{"ensemble", hosts, "state", state},
        session.state == state and 1 or 0})
    end
  end)
end

local OPERATOR_STATES = {"maint", "maint_until", "drain", "drain_until"}

local function single(value)
  return value and {{{}, value}} or {}
end

-- name, kind, help, samples.
local METRICS = {
  {"synapse_build_info", "gauge", "Versions; always 1.", function(agent)
    return {{{"version", agent.deps.version, "haproxy",
      agent.deps.runtime.about().haproxy}, 1}}
  end},
  {"synapse_turn_age_seconds", "gauge",
    "Since the agent's task last turned; it turns every 0.25 s.",
    function(agent) return single(agent.deps.now() - agent.turned_at) end},
  {"synapse_session_state", "gauge",
    "Whether the session with the ensemble is in this state.", session_states},
  {"synapse_session_expiries_total", "counter",
    "Sessions that a server called expired.",
    function(agent) return field(agent, "expiries") end},
  {"synapse_session_connections_total", "counter",
    "Times that a connection was made.",
    function(agent) return field(agent, "connections") end},
  {"synapse_watches_fired_total", "counter", "Watches that fired.",
    function(agent) return field(agent, "fired") end},
  {"synapse_events_total", "counter", "Changes of a state, see /events.json.",
    function(agent) return single(agent.journal.events.last) end},
  {"synapse_rounds_total", "counter", "Batches of commands sent to HAProxy.",
    function(agent) return single(agent.view.rounds) end},
  {"synapse_commands_total", "counter", "Commands sent to HAProxy.",
    function(agent) return single(agent.view.commands) end},
  {"synapse_commands_refused_total", "counter",
    "Commands that HAProxy refused.",
    function(agent) return single(agent.view.refused) end},
  {"synapse_runtime_api_failing", "gauge",
    "1 while HAProxy's runtime API gives no answer.",
    function(agent) return single(agent.view.runtime_failing and 1 or 0) end},
  {"synapse_drift_repaired_total", "counter",
    "Slots that were not as they had been set, and were set again.",
    function(agent) return single(agent.view.drift) end},
  {"synapse_comparison_age_seconds", "gauge",
    "Since the state of the least recently compared service was read back.",
    function(agent)
      return single(agent.deps.now() - agent.view.compared_at)
    end},
  {"synapse_operator_states", "gauge",
    "Instances that an operator has put into this state; until: for a time.",
    function(agent)
      local samples = {}
      for _, state in ipairs(OPERATOR_STATES) do
        samples[#samples + 1] =
          {{"state", state}, agent.view.operated[state]}
      end
      return samples
    end},
  {"synapse_guarded_services", "gauge",
    "Services of which the guard keeps instances that are gone.",
    function(agent) return single(agent.view.guarded) end},
  {"synapse_snapshot_age_seconds", "gauge",
    "Since the snapshot was written; it is when something changed.",
    function(agent)
      local at = agent.view.snapshot_at
      return single(at and agent.deps.now() - at)
    end},
  {"synapse_snapshot_failing", "gauge",
    "1 while the snapshot cannot be written.",
    function(agent) return single(agent.view.snapshot_failing and 1 or 0) end},
  {"synapse_snapshot_locked_by_another", "gauge",
    "1 while another HAProxy has the snapshot and this one keeps none.",
    function(agent) return single(agent.view.snapshot_holder and 1 or 0) end},
  {"synapse_configuration_errors", "gauge",
    "Mistakes in synapse.conf.json as it is on disk; nothing of it is applied.",
    function(agent) return single(#agent.live.errors) end},
  {"synapse_configuration_reload_needed", "gauge",
    "Changes of synapse.conf.json that need a reload of HAProxy.",
    function(agent) return single(#agent.live.needs) end},
  {"synapse_configuration_reads_total", "counter",
    "Times that synapse.conf.json was read while HAProxy runs, by why.",
    function(agent)
      local samples = {}
      for _, cause in ipairs({"inotify", "polling", "command"}) do
        samples[#samples + 1] = {{"by", cause}, agent.live.reads[cause]}
      end
      return samples
    end},
  {"synapse_spare_backends", "gauge",
    "Blank backends of a kind; one that rests ends its last requests.",
    function(agent)
      local samples = {}
      for _, kind in ipairs(agent.view.spare or {}) do
        for _, state in ipairs({"free", "used", "resting"}) do
          samples[#samples + 1] =
            {{"kind", kind.name, "state", state}, kind[state]}
        end
      end
      return samples
    end},
  {"synapse_spare_scarce", "gauge",
    "Kinds of blank backends of which 80 % or more are taken.",
    function(agent)
      local number = 0
      for _, kind in ipairs(agent.view.spare or {}) do
        number = number + (kind.is_scarce and 1 or 0)
      end
      return single(number)
    end},
  {"synapse_found_services", "gauge",
    "Services that are served because they were found in ZooKeeper.",
    function(agent)
      return single(agent.view.found and agent.view.found.services or 0)
    end},
  {"synapse_found_refused", "gauge",
    "Znodes that would be services, and are not served or not by their port.",
    function(agent)
      return single(agent.view.found and agent.view.found.refusals or 0)
    end},
  {"synapse_log_lines_dropped_total", "counter",
    "Lines that were not logged because there were too many.",
    function(agent) return single(agent.deps.log.dropped_ever) end},
}

--- Puts all metrics.
-- @tparam agent agent
-- @tparam {view,...} views of its services
-- @tparam function put takes a part of the text
function metrics.put(agent, views, put)
  for _, metric in ipairs(METRICS) do
    local name, kind, help, samples = table.unpack(metric)
    put(metrics.metric(name, kind, help, samples(agent)))
  end
  put(metrics.histogram("synapse_turn_seconds",
    "Longest time in a turn in which a thread did no other work.",
    agent.turns))
  put(metrics.histogram("synapse_convergence_seconds",
    "From a watch that fired to HAProxy's last answer.",
    agent.journal.convergence))
  metrics.services(views, put)
end

return metrics
