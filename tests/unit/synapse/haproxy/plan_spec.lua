local plan = require("synapse.haproxy.plan")

local function server(changes)
  local one = {host = "10.0.0.1", port = 80, weight = 1, initial = 1,
    admin = "ready"}
  for key, value in pairs(changes or {}) do
    one[key] = value
  end
  return one
end

local EMPTY = server({host = "127.0.0.1", port = 1, admin = "maint"})

local function texts(wanted, actual)
  local list = {}
  for i, command in ipairs(plan.slot("web", "s1", wanted, actual)) do
    list[i] = command.text
  end
  return list
end

describe("the plan of a slot", function()
  it("is empty when nothing differs", function()
    assert.are.same({}, texts(server(), server()))
  end)

  it("is the same for the same input", function()
    assert.are.same(plan.slot("web", "s1", server({weight = 2}), EMPTY),
      plan.slot("web", "s1", server({weight = 2}), EMPTY))
  end)

  it("leaves an empty slot alone", function()
    assert.are.same({}, texts(nil, EMPTY))
  end)

  it("fills an empty slot, which is ready once its address is known",
    function()
      assert.are.same({"set server web/s1 addr 10.0.0.1 port 80"},
        texts(server(), EMPTY))
      assert.are.same({"set server web/s1 state ready"},
        texts(server(), server({admin = "maint"})))
    end)

  it("sets weight and maxconn before traffic comes", function()
    assert.are.same({
      "set server web/s1 addr 10.0.0.1 port 80",
      "set server web/s1 weight 20",
      "set maxconn server web/s1 9",
    }, texts(server({weight = 20, maxconn = 9}), EMPTY))
  end)

  it("sets a maxconn that nobody knows", function()
    assert.are.same({"set maxconn server web/s1 0"},
      texts(server({maxconn = 0}), server()))
  end)

  it("does not set the address again for an instance that comes back",
    function()
      assert.are.same({"set server web/s1 state ready"},
        texts(server(), server({admin = "maint"})))
    end)

  it("changes an address only in maint", function()
    assert.are.same({
      "set server web/s1 state maint",
      "set server web/s1 addr 10.0.0.1 port 80",
    }, texts(server(), server({port = 81})))
  end)

  it("empties a slot by maint", function()
    assert.are.same({"set server web/s1 state maint"}, texts(nil, server()))
  end)

  it("drains by weight 0, in percent", function()
    assert.are.same({"set server web/s1 weight 0%"},
      texts(server({weight = 0}), server()))
  end)

  it("returns to the configuration's weight in percent", function()
    assert.are.same({"set server web/s1 weight 100%"},
      texts(server({weight = 7, initial = 7}),
        server({weight = 0, initial = 7})))
  end)

  it("keeps an operator's maint while the weight changes", function()
    assert.are.same({"set server web/s1 weight 5"},
      texts(server({weight = 5, admin = "maint"}), server({admin = "maint"})))
  end)

  it("fills a slot in maint without making it ready", function()
    assert.are.same({"set server web/s1 addr 10.0.0.1 port 80"},
      texts(server({admin = "maint"}), EMPTY))
  end)

  it("tells what holds once each command is acknowledged", function()
    local actual = server({port = 81})
    for _ = 1, 2 do
      for _, command in ipairs(plan.slot("web", "s1", server(), actual)) do
        for field, value in pairs(command.change) do
          actual[field] = value
        end
      end
    end
    assert.are.same(server(), actual)
  end)
end)

describe("the plan of a slot for names", function()
  local FREE = server({host = "240.0.0.1", port = 1, admin = "maint"})

  local function named(changes)
    local one = server(changes)
    one.fqdn, one.host = "a.b", (changes or {}).host
    return one
  end

  local NAME = "set server web/s1 fqdn a.b"
  local NOWHERE = "set server web/s1 addr 240.0.0.1 port 80"
  local MAINT = "set server web/s1 state maint"
  local READY = "set server web/s1 state ready"

  local CASES = {
    {"gives it the name, and no traffic yet", named(), FREE, {NOWHERE, NAME}},
    {"waits for an address", named(),
      server({fqdn = "a.b", host = "240.0.0.1", admin = "maint"}), {}},
    {"lets traffic come when it has one", named(),
      server({fqdn = "a.b", admin = "maint"}), {READY}},
    {"lets it be then, wherever the name leads", named(),
      server({fqdn = "a.b", host = "10.9.9.9"}), {}},
    {"forgets where another name was", named(),
      server({fqdn = "c.d"}), {MAINT, NOWHERE, NAME}},
    {"begins where the name was last", named({host = "10.0.0.1"}),
      server(), {NAME}},
    {"begins nowhere else", named({host = "10.0.0.2"}), server(),
      {MAINT, NOWHERE, NAME}},
    {"moves to another port of the same name", named({port = 81}),
      server({fqdn = "a.b"}),
      {MAINT, "set server web/s1 addr 10.0.0.1 port 81"}},
    {"leaves a name that has lost its address to HAProxy", named(),
      server({fqdn = "a.b", host = "-"}), {}},
    {"gives a name where one has lost its address", named(),
      server({fqdn = "c.d", host = "-"}), {MAINT, NAME}},
    {"stops traffic to where no instance can be", named(),
      server({fqdn = "a.b", host = "169.254.1.1"}), {MAINT}},
    {"keeps what an operator holds", named({admin = "maint"}),
      server({fqdn = "a.b", admin = "maint"}), {}},
    {"empties it", nil, server({fqdn = "a.b"}), {MAINT}},
  }
  for _, case in ipairs(CASES) do
    it(case[1], function()
      assert.are.same(case[4], texts(case[2], case[3]))
    end)
  end
end)
