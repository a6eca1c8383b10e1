local query = require("synapse.status.parameters")

describe("a query", function()
  it("is read by what the route may be asked", function()
    assert.are.same({service = {"a b", "c&d"}, problems = true, limit = 10},
      query.parse("service=a+b&problems=1&limit=10&service=c%26d",
        query.STATUS))
    assert.are.same({}, query.parse(nil, query.NONE))
    assert.are.same({}, query.parse("", query.NONE))
  end)

  local wrong = {
    {"limit=1e3", 'limit: "1e3" is not an integer from 1 to 100000'},
    {"limit=", 'limit: "" is not an integer from 1 to 100000'},
    {"limit=9999999999", 'limit: "9999999999" is not an integer from 1 to ' ..
      "100000"},
    {"problems", 'problems: "" is not 0 or 1'},
    {"since=1", 'since: "1" is not a `cursor` of an answer before'},
    {"x=1", "x: no such parameter (counters, instances, limit, offset, " ..
      "problems, service, since)"},
    {("service=a&"):rep(51), "service: more than 50"},
  }
  for _, case in ipairs(wrong) do
    it("is refused: " .. case[2], function()
      assert.are.same({nil, case[2]}, {query.parse(case[1], query.STATUS)})
    end)
  end
end)
