local query = require("synapse.status.query")

describe("a query", function()
  it("is read by what the route may be asked", function()
    assert.are.same({service = {"a b", "c&d"}, problems = true, limit = 10},
      query.parse("service=a+b&problems=1&limit=10&service=c%26d",
        query.STATUS))
    assert.are.same({}, query.parse(nil, query.NONE))
    assert.are.same({}, query.parse("", query.NONE))
  end)

  it("takes numbers up to their limits, and fifty names", function()
    for text, limit in pairs({["limit=1"] = 1, ["limit=100000"] = 100000}) do
      assert.are.equal(limit, query.parse(text, query.STATUS).limit)
    end
    assert.are.equal(0, query.parse("offset=0", query.STATUS).offset)
    assert.are.equal(50,
      #query.parse(("service=a&"):rep(50), query.STATUS).service)
    assert.are.equal("1f.5", query.parse("since=1f.5", query.STATUS).since)
  end)

  local wrong = {
    {"limit=0", 'limit: "0" is not an integer from 1 to 100000'},
    {"limit=100001", 'limit: "100001" is not an integer from 1 to 100000'},
    {"since=1f." .. ("1"):rep(37), 'since: "1f.' .. ("1"):rep(37) ..
      '" is not a `cursor` of an answer before'},
    {"limit=1e3", 'limit: "1e3" is not an integer from 1 to 100000'},
    {"limit=", 'limit: "" is not an integer from 1 to 100000'},
    {"limit=9999999999", 'limit: "9999999999" is not an integer from 1 to ' ..
      "100000"},
    {"problems", 'problems: "" is not 0 or 1'},
    {"since=1", 'since: "1" is not a `cursor` of an answer before'},
    {"x=1", "x: no such parameter (counters, history, instances, limit, " ..
      "offset, problems, service, since)"},
    {("service=a&"):rep(51), "service: more than 50"},
  }
  for _, case in ipairs(wrong) do
    it("is refused: " .. case[2], function()
      assert.are.same({nil, case[2]}, {query.parse(case[1], query.STATUS)})
    end)
  end
end)

describe("a selection", function()
  local journal

  before_each(function()
    journal = {
      boot = "1f", names = {"a", "b", "c"},
      views = {
        a = {name = "a", state = "whole", cursor = 7},
        b = {name = "b", state = "down", cursor = 2},
        c = {name = "c", state = "degraded", cursor = 9},
      },
      newer = function(_, cursor)
        return cursor >= 5 and {"c", "a"} or nil
      end,
    }
  end)

  local function names(asked)
    local views, matching, is_delta = query.of(journal, asked,
      function() end)
    local list = {}
    for i, view in ipairs(views) do
      list[i] = view.name
    end
    return {table.concat(list, " "), matching, is_delta}
  end

  it("is everything, by name", function()
    assert.are.same({"a b c", 3, false}, names({}))
  end)

  it("is what has problems, or what is named, each once", function()
    assert.are.same({"b c", 2, false}, names({problems = true}))
    assert.are.same({"a c", 2, false}, names({
      service = {"c", "a", "nobody", "c"}}))
  end)

  it("is what a client does not know, by name too", function()
    assert.are.same({"a c", 2, true}, names({since = "1f.5"}))
    assert.are.same({"c", 1, true}, names({since = "1f.8"}))
    assert.are.same({"a c", 2, true}, names({since = "1f.2"}))
    assert.are.same({"a b c", 3, false}, names({since = "1e.8"}))
  end)

  it("gives other work its turn at each service", function()
    local turns = 0
    query.of(journal, {}, function() turns = turns + 1 end)
    assert.are.equal(3, turns)
  end)

  it("is a page of what matches", function()
    assert.are.same({"b", 3, false}, names({offset = 1, limit = 1}))
    assert.are.same({"", 3, false}, names({offset = 9}))
  end)
end)
