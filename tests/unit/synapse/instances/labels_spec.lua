local filter = require("synapse.instances.labels")

local function keys(instances)
  local list = {}
  for i, one in ipairs(instances) do
    list[i] = one.key
  end
  return table.concat(list, " ")
end

local INSTANCES = {
  {key = "a", labels = {az = "us-east-1a"}},
  {key = "b", labels = {az = "us-east-1a", canary = true, shard = 3}},
  {key = "c", labels = {az = "us-east-1b"}},
  {key = "d", labels = {az = "us-west-1a", ["region:x"] = ""}},
  {key = "e", labels = {}},
  {key = "f"},
}

local function equals(label, value)
  return {label = label, value = value, condition = "equals"}
end

local function differs(label, value)
  return {label = label, value = value, condition = "not-equals"}
end

local CASES = {
  {"no filter", {}, "a b c d e f"},
  {"one value", {equals("az", "us-east-1a")}, "a b"},
  {"any other value", {differs("az", "us-east-1a")}, "c d e f"},
  {"two filters", {equals("az", "us-east-1a"), differs("canary", true)}, "a"},
  {"an empty value", {equals("region:x", "")}, "d"},
  {"a number", {equals("shard", 3)}, "b"},
  {"a text that looks like the number", {equals("shard", "3")}, ""},
  {"a label that nobody has", {equals("rack", "1")}, ""},
}

describe("label filters", function()
  for _, case in ipairs(CASES) do
    it("keep those that pass: " .. case[1], function()
      assert.are.equal(case[3], keys(filter.apply(INSTANCES, case[2])))
    end)
  end

  it("know two conditions", function()
    assert.is_true(filter.has("equals"))
    assert.is_true(filter.has("not-equals"))
    assert.is_false(filter.has("like"))
  end)
end)
