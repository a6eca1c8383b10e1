local policy = require("synapse.config.policy")
local value = require("synapse.config.value")

local VARIABLES = {ZONE = "a", EMPTY = ""}

local EDGES = {
  environment = function(name) return VARIABLES[name] end,
  machine = function() return "web1" end,
}

local function prefer(section)
  local report = value.report()
  return policy.prefer(report, section, "services.web.prefer",
    EDGES.environment), report
end

local function subset(section)
  local report = value.report()
  return policy.subset(report, section, "services.web.subset", EDGES), report
end

describe("a preference", function()
  it("is one, or a list, or none", function()
    local a, b = {label = "zone", value = "a", least = 1},
      {label = "rack", value = "7", least = 2}
    assert.are.same({a}, (prefer({label = "zone", value = "a"})))
    assert.are.same({a, b}, (prefer({{label = "zone", value = "a"},
      {label = "rack", value = 7.0, least = 2}})))
    assert.are.same({}, (prefer(nil)))
    assert.are.same({}, (prefer({})))
  end)

  it("may have a variable of the environment", function()
    local list, report = prefer({label = "zone", value = "dc-${ZONE}"})
    assert.are.same({}, report.errors)
    assert.are.equal("dc-a", list[1].value)
  end)

  it("that is wrong is told with its place", function()
    for text, section in pairs({
      ["services.web.prefer.label: is missing; it must be the name of a " ..
        "label"] = {value = "a"},
      ["services.web.prefer.value: an object is not the value of the label"] =
        {label = "zone", value = {a = 1}},
      ["services.web.prefer.value: ${NONE} is not set in HAProxy's " ..
        "environment"] = {label = "zone", value = "${NONE}"},
      ["services.web.prefer.value: ${EMPTY} is not set in HAProxy's " ..
        "environment"] = {label = "zone", value = "${EMPTY}"},
      ["services.web.prefer.least: 0 is not an integer from 1 to 100000"] =
        {label = "zone", value = "a", least = 0},
      ["services.web.prefer[1]: is the same preference as " ..
        "services.web.prefer[0]"] =
        {{label = "zone", value = "a"}, {label = "zone", value = "${ZONE}"}},
      ['services.web.prefer: "a" is not an object'] = "a",
    }) do
      local _, report = prefer(section)
      assert.are.equal(text, report.errors[1])
    end
  end)

  it("has its misspelt keys named", function()
    local _, report = prefer({label = "zone", value = "a", lest = 2})
    assert.are.same({'services.web.prefer.lest: unknown key, ignored; did ' ..
      'you mean "least"?'}, report.warnings)
  end)
end)

describe("a subset", function()
  it("has defaults for all but its size", function()
    assert.are.same({size = 21, least = 11, machine = "web1"},
      (subset({size = 21.0})))
    assert.is_nil((subset(nil)))
  end)

  it("takes what is said", function()
    assert.are.same({size = 20, least = 0, machine = "host-a",
      machines = 1000}, (subset({size = 20, least = 0,
        machine = "host-${ZONE}", machines = 1000})))
  end)

  it("that is wrong is told with its place", function()
    for text, section in pairs({
      ["services.web.subset.size: is missing; it must be how many instances " ..
        "each machine uses"] = {},
      ["services.web.subset.size: 0 is not an integer from 1 to 100000"] =
        {size = 0},
      ['services.web.subset.size: "x" is not an integer from 1 to 100000'] =
        {size = "x"},
      ["services.web.subset.least: 6 is not an integer from 0 to 5"] =
        {size = 5, least = 6},
      ["services.web.subset.machine: an object is not a name that no other " ..
        "machine has"] = {size = 5, machine = {a = 1}},
      ["services.web.subset.machines: 0 is not an integer from 1 to " ..
        "1000000"] = {size = 5, machines = 0},
    }) do
      local _, report = subset(section)
      assert.are.equal(text, report.errors[1])
    end
  end)
end)

describe("a policy beside a leader", function()
  it("has a warning", function()
    local report = value.report()
    policy.check(report, {place = "services.web", leader_election = true,
      prefer = {{label = "zone", value = "a"}}})
    assert.are.same({"services.web.prefer: has no effect beside " ..
      "`leader_election`, which leaves one instance"}, report.warnings)
  end)

  it("has none where there is no leader, or no policy", function()
    local report = value.report()
    policy.check(report, {place = "p", prefer = {{}}, subset = {size = 1}})
    policy.check(report, {place = "p", leader_election = true, prefer = {}})
    assert.are.same({}, report.warnings)
  end)
end)
