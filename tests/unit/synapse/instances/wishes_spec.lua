local wishes = require("synapse.instances.wishes")

describe("what a znode says of its server", function()
  local LONG = ("9"):rep(60)
  local cases = {
    {"", {}},
    {"  ", {}},
    {"weight 50", {weight = 50}},
    {"weight 0", {weight = 0}},
    {"weight 256", {weight = 256}},
    {"weight 007", {weight = 7}},
    {"maxconn 1", {maxconn = 1}},
    {"maxconn 1000000", {maxconn = 1000000}},
    {"backup", {backup = true}},
    {"maxconn 5 backup  weight 3", {maxconn = 5, backup = true, weight = 3}},
    {"weight 1 weight 2", {weight = 2}},
    {"id 12 backup", {backup = true}, "id 12"},
    {"check inter 2s", {}, "check inter 2s"},
    {"maxconn 0", {}, "maxconn 0"},
    {"maxconn 1000001", {}, "maxconn 1000001"},
    {"maxconn " .. LONG, {}, "maxconn " .. LONG},
    {"weight", {}, "weight"},
    {"weight -1", {}, "weight -1"},
    {"weight 0.5", {}, "weight 0.5"},
    {"weight 1e1", {}, "weight 1e1"},
    {"weight 0x10", {}, "weight 0x10"},
    {"weight 5;show info", {}, "weight 5;show info"},
    {"weight 5 ; disable server web/s1", {weight = 5},
      "; disable server web/s1"},
    {"weight\n5\nshow info", {weight = 5}, "show info"},
    {"weight " .. LONG, {}, "weight " .. LONG},
    {"weight maxconn 5", {maxconn = 5}, "weight"},
    {"Backup", {}, "Backup"},
  }
  for _, case in ipairs(cases) do
    it(string.format("is understood as far as can be: %.40q", case[1]),
      function()
        local problems = {}
        local found, left = wishes.parse(case[1], problems)
        assert.are.same(case[2], found)
        assert.are.equal(case[3], left)
        assert.are.same({}, problems)
      end)
  end

  it("has a weight of at most 256", function()
    local problems = {}
    assert.are.same({weight = 256}, (wishes.parse("weight 1000", problems)))
    assert.are.same({"haproxy_server_options: weight 1000 is above 256, " ..
      "used as 256"}, problems)
  end)
end)
