local journal = require("synapse.status.journal")
local metrics = require("synapse.status.metrics")

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
      local looks, services = {}, 100
      for i = 1, services do
        looks[i] = {name = "service-" .. i, state = "whole",
          counts = {ready = 10}, slots = 16, used = 10}
      end
      local function instructions()
        local hundreds = 0
        debug.sethook(function() hundreds = hundreds + 1 end, "", 100)
        metrics.services(looks, function() end)
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
