local znodes = require("synapse.zookeeper.znodes")

describe("the znodes of a path", function()
  local reports, one, moves

  local function made(name, port)
    return {znode = name, key = "10.0.0.1:" .. port, port = port}
  end

  local function znode(name, port, problem)
    return {instance = port and made(name, port), problem = problem,
      data = "data of " .. name, is_bad = port == nil}
  end

  local function ports()
    local list = {}
    for i, instance in ipairs(one.instances:list()) do
      list[i] = instance.port
    end
    return list
  end

  local function new(known)
    reports, moves = {}, {}
    one = znodes.new({known = known or {}, origin = "here",
      moved = function(gone, come)
        table.insert(moves, string.format("-%d +%d", #gone, #come))
      end,
      reported = function(name, problem)
        table.insert(reports, name .. ": " .. (problem or "good"))
      end})
  end

  before_each(function() new() end)

  it("begins with what the last run left, each znode once", function()
    new({made("a_1", 1), made("a_1", 1), made("b_2", 2)})
    assert.are.equal(2, one:size())
    assert.are.same({1, 2}, ports())
  end)

  it("takes what was read and what is gone as one change", function()
    one:take({a_1 = znode("a_1", 1), b_2 = znode("b_2", 2)}, {})
    assert.are.equal("here", one.instances:list()[1].origin)
    one:take({c_3 = znode("c_3", 3)}, {a_1 = true})
    assert.are.same({2, 3}, ports())
    assert.is_nil(one:data("a_1"))
    assert.are.equal("data of c_3", one:data("c_3"))
  end)

  it("keeps an instance whose data turned bad, and tells of it once",
    function()
      one:take({a_1 = znode("a_1", 1)}, {})
      for _ = 1, 2 do
        one:take({a_1 = znode("a_1", nil, "bad")}, {})
      end
      assert.are.same({1}, ports())
      assert.are.same({"a_1: bad"}, reports)
      assert.are.same({{znode = "a_1", problem = "bad", is_refused = false,
        key = "10.0.0.1:1", data = "data of a_1"}}, one:problems())
      one:take({}, {a_1 = true})
      assert.are.same({"a_1: bad", "a_1: good"}, reports)
      assert.are.same({}, one:problems())
    end)

  it("tells which instances went and came, where any did", function()
    new({made("a_1", 1)})
    local before = one.instances:list()[1]
    one:take({b_2 = znode("b_2", 2), c_3 = znode("c_3", 3)}, {})
    one:take({a_1 = {instance = before, data = ""}}, {})
    one:take({b_2 = znode("b_2", 4)}, {c_3 = true})
    one:take({d_4 = znode("d_4", nil, "bad")}, {nobody = true})
    assert.are.same({"-0 +1", "-0 +2", "-2 +1"}, moves)
  end)

  it("shows the beginning of long data, and all of short", function()
    for length, shown in pairs({[2048] = 2048, [2049] = 2048, [0] = 0}) do
      local reader = znodes.reader(function() return nil, "no" end)
      local read = reader.read("a_1", {data = ("x"):rep(length),
        stat = {data_length = length}})
      assert.are.equal(shown, #read.data)
      assert.is_true(read.is_bad)
    end
  end)

  it("that could not be read have a problem, and no data", function()
    assert.are.same({data = "", problem = "why", is_bad = true},
      znodes.refused("why"))
  end)

  it("lists problems by the znodes' names", function()
    one:take({b_2 = znode("b_2", nil, "x"), a_1 = znode("a_1", nil, "y")}, {})
    local found = one:problems()
    assert.are.same({"a_1", "b_2"}, {found[1].znode, found[2].znode})
    assert.is_true(found[1].is_refused)
  end)
end)
