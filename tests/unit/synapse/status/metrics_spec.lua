local journal = require("synapse.status.journal")
local metrics = require("synapse.status.metrics")
local new_agent = dofile("tests/fake/agent.lua")
local new_clock = dofile("tests/fake/clock.lua")

describe("metrics", function()
  it("have a heading and samples", function()
    assert.are.equal('# HELP a_total What.\n# TYPE a_total counter\n' ..
      'a_total{x="1",y="2"} 3\na_total 0.5\n',
      metrics.metric("a_total", "counter", "What.",
        {{{"x", "1", "y", "2"}, 3}, {{}, 0.5}}))
    assert.are.equal("", metrics.metric("a", "gauge", "What.", {}))
  end)

  -- HAProxy ends an answer after 4 s in Lua (tune.lua.service-timeout), and
  -- counts it as time in Lua that the thread waited for a processor. So a busy
  -- machine cut the metrics of a thousand services.
  it("cost little for each of many services, and less the next time",
    function()
      local views, services = {}, 100
      for i = 1, services do
        views[i] = {name = "service-" .. i, state = "whole",
          counts = {ready = 10}, slots = 16, used = 10}
      end
      local function instructions()
        local hundreds = 0
        debug.sethook(function() hundreds = hundreds + 1 end, "", 100)
        metrics.services(views, function() end)
        debug.sethook()
        return hundreds * 100 / services
      end
      assert.is_true(instructions() < 800)
      assert.is_true(instructions() < 120)
    end)

  it("of services escape a name", function()
    local text = ""
    metrics.services({{name = 'a"b\\c\nd', state = "whole", counts = {},
      slots = 1, used = 1}}, function(part) text = text .. part end)
    assert.is_truthy(text:find('synapse_service_slots{service="a\\"b\\\\c' ..
      '\\nd",kind="used"} 1\n', 1, true))
  end)

  it("of services have a heading each", function()
    local text = ""
    metrics.services({{name = "a", state = "whole", counts = {}, slots = 1,
      used = 1}, {name = "b", state = "down", counts = {}, slots = 1,
      used = 1}}, function(part) text = text .. part end)
    for name, help in pairs({
      synapse_service_state = "Whether the service is in this state.",
      synapse_service_instances = "Instances of the service, by state.",
      synapse_service_slots = "Slots of the service's backend.",
    }) do
      local heading = string.format("# HELP %s %s\n# TYPE %s gauge\n", name,
        help, name)
      assert.is_truthy(text:find(heading .. name .. '{service="a"', 1, true))
      assert.are.equal(2, #text:gsub(name .. " ", "\0"):gsub("[^\0]", ""))
    end
  end)

  it("escape their labels", function()
    assert.are.equal('a{x="\\"\\\\\\n"} 1\n',
      metrics.sample("a", {"x", '"\\\n'}, 1))
  end)

  it("have histograms that add up", function()
    local took = journal.histogram({0.5, 1})
    took:add(0.25)
    took:add(0.75)
    took:add(2)
    assert.are.equal('# HELP a_seconds What.\n# TYPE a_seconds histogram\n' ..
      'a_seconds_bucket{le="0.5"} 1\na_seconds_bucket{le="1"} 2\n' ..
      'a_seconds_bucket{le="+Inf"} 3\na_seconds_sum 3\na_seconds_count 3\n',
      metrics.histogram("a_seconds", "What.", took))
  end)

  it("tell of each service", function()
    local parts = {}
    metrics.services({{name = "web", state = "down",
      counts = {failed = 2}, slots = 8, used = 3}}, function(text)
      table.insert(parts, text)
    end)
    local text = table.concat(parts)
    for _, line in ipairs({
      'synapse_service_state{service="web",state="down"} 1',
      'synapse_service_state{service="web",state="whole"} 0',
      'synapse_service_instances{service="web",state="failed"} 2',
      'synapse_service_instances{service="web",state="ready"} 0',
      'synapse_service_slots{service="web",kind="free"} 5',
    }) do
      assert.is_truthy(text:find(line .. "\n", 1, true), line)
    end
  end)
end)

describe("the agent's metrics", function()
  local clock, agent

  before_each(function()
    clock = new_clock()
    agent = new_agent(clock)
  end)

  -- The samples, without headings.
  local function samples()
    local parts = {}
    metrics.put(agent, {agent.journal.views.api}, function(text)
      parts[#parts + 1] = text
    end)
    return (table.concat(parts):gsub("# [^\n]*\n", ""))
  end

  local function has(line)
    assert.is_truthy(("\n" .. samples()):find("\n" .. line .. "\n", 1, true),
      line)
  end

  it("are these", function()
    agent.turns:add(0.5)
    agent.journal.convergence:add(0.5)
    agent.journal.events:add({})
    clock.pass(1)
    assert.are.equal(([[
synapse_build_info{version="0.1.0",haproxy="2.6.12"} 1
synapse_turn_age_seconds 1
synapse_session_state{ensemble="zk:2181",state="new"} 0
synapse_session_state{ensemble="zk:2181",state="connecting"} 0
synapse_session_state{ensemble="zk:2181",state="connected"} 1
synapse_session_state{ensemble="zk:2181",state="unknown"} 0
synapse_session_state{ensemble="zk:2181",state="expired"} 0
synapse_session_state{ensemble="zk:2181",state="auth_failed"} 0
synapse_session_state{ensemble="zk:2181",state="no_threads"} 0
synapse_session_expiries_total{ensemble="zk:2181"} 1
synapse_session_connections_total{ensemble="zk:2181"} 2
synapse_watches_fired_total{ensemble="zk:2181"} 3
synapse_events_total 1
synapse_rounds_total 5
synapse_commands_total 6
synapse_commands_refused_total 7
synapse_runtime_api_failing 0
synapse_drift_repaired_total 2
synapse_comparison_age_seconds 5
synapse_operator_states{state="maint"} 1
synapse_operator_states{state="maint_until"} 2
synapse_operator_states{state="drain"} 3
synapse_operator_states{state="drain_until"} 4
synapse_guarded_services 1
synapse_snapshot_age_seconds 9
synapse_snapshot_failing 0
synapse_snapshot_locked_by_another 0
synapse_configuration_errors 0
synapse_configuration_reload_needed 0
synapse_configuration_reads_total{by="inotify"} 3
synapse_configuration_reads_total{by="polling"} 2
synapse_configuration_reads_total{by="command"} 1
synapse_spare_scarce 0
synapse_found_services 0
synapse_found_refused 0
synapse_log_lines_dropped_total 9
synapse_turn_seconds_bucket{le="0.001"} 0
synapse_turn_seconds_bucket{le="+Inf"} 1
synapse_turn_seconds_sum 0.5
synapse_turn_seconds_count 1
synapse_convergence_seconds_bucket{le="0.001"} 0
synapse_convergence_seconds_bucket{le="1"} 1
synapse_convergence_seconds_bucket{le="+Inf"} 1
synapse_convergence_seconds_sum 0.5
synapse_convergence_seconds_count 1
synapse_service_state{service="api",state="down"} 0
synapse_service_state{service="api",state="degraded"} 1
synapse_service_state{service="api",state="whole"} 0
synapse_service_instances{service="api",state="failed"} 1
synapse_service_instances{service="api",state="invalid"} 1
synapse_service_instances{service="api",state="waiting"} 0
synapse_service_instances{service="api",state="pending"} 0
synapse_service_instances{service="api",state="retained"} 0
synapse_service_instances{service="api",state="maint"} 0
synapse_service_instances{service="api",state="draining"} 0
synapse_service_instances{service="api",state="ready"} 1
synapse_service_instances{service="api",state="unused"} 0
synapse_service_preference{service="api",state="met"} 1
synapse_service_preference{service="api",state="unmet"} 0
synapse_service_slots{service="api",kind="used"} 2
synapse_service_slots{service="api",kind="free"} 6
]]), samples())
  end)

  it("tell what fails", function()
    agent.view.runtime_failing, agent.view.snapshot_failing = true, true
    agent.view.snapshot_holder = "HAProxy 12"
    has("synapse_runtime_api_failing 1")
    has("synapse_snapshot_failing 1")
    has("synapse_snapshot_locked_by_another 1")
    agent.live.errors, agent.live.needs = {"a", "b"}, {"c"}
    has("synapse_configuration_errors 2")
    has("synapse_configuration_reload_needed 1")
  end)

  it("count the blank backends of each kind", function()
    agent.view.spare =
      {{name = "spare-a", all = 6, free = 3, used = 2, resting = 1,
        is_scarce = true}, {name = "spare-b", all = 1, free = 1, used = 0,
        resting = 0, is_scarce = false}}
    has('synapse_spare_backends{kind="spare-a",state="free"} 3')
    has('synapse_spare_backends{kind="spare-a",state="used"} 2')
    has('synapse_spare_backends{kind="spare-a",state="resting"} 1')
    has("synapse_spare_scarce 1")
  end)

  it("say nothing of a snapshot that is not kept", function()
    agent.view.snapshot_at = nil
    assert.is_nil(samples():find("synapse_snapshot_age", 1, true))
  end)

  it("tell two sessions with one ensemble apart", function()
    for i = 2, 3 do
      agent.view.sessions[i] = {hosts = "zk:2181", state = "new",
        expiries = i, connections = 0, fired = 0}
    end
    has('synapse_session_expiries_total{ensemble="zk:2181"} 1')
    has('synapse_session_expiries_total{ensemble="zk:2181 2"} 2')
    has('synapse_session_expiries_total{ensemble="zk:2181 3"} 3')
    has('synapse_session_state{ensemble="zk:2181 3",state="new"} 1')
  end)

  it("have no service where there is none", function()
    local parts = {}
    metrics.services({}, function(text) parts[#parts + 1] = text end)
    assert.are.equal("", table.concat(parts))
  end)
end)
