--- What the agent publishes of two services, for the tests of what people and
-- programs are told: "api" with one instance of each kind, "web" with none.
-- `agent.orders` has what requests asked for; each is answered at once.
local history = require("synapse.status.history")
local journal = require("synapse.status.journal")

local function views()
  return {
    api = {
      name = "api", backend = "be_api", state = "degraded", cursor = 4,
      reasons = {"1 instance fails HAProxy's check", "1 znode is refused"},
      source = "zookeeper", drift = 2, slots = 8, used = 2, number = 2,
      slot_names = {"s1", "s2", "s3"}, counts = {failed = 1, ready = 1,
        invalid = 1}, preference = "met",
      paths = {{hosts = "zk:2181", path = "/api", state = "read"},
        {hosts = "zk:2181", path = "/old", state = "missing", why = "gone"}},
      instances = {
        {key = "10.0.0.1:80", state = "failed", slot = "s1", weight = 5,
          why = "HAProxy's check fails: refused", name = "one", znode = "i_1",
          data = '{"port":80}', labels = {zone = "a"}},
        {key = "i_3", state = "invalid", why = "no port", znode = "i_3",
          data = "{}"},
        {key = "10.0.0.2:80", state = "ready", slot = "s2", znode = "i_2",
          problem = "weight: x, dropped",
          operator = {state = "drain", reason = "disk", since = 900}},
      },
    },
    web = {
      name = "web", backend = "be_web", state = "whole", cursor = 3,
      reasons = {}, source = "default", drift = 0, slots = 4, used = 1,
      number = 1, slot_names = {"s1"}, counts = {ready = 1},
      paths = {{hosts = "zk:2181", path = "/web", state = "read"}},
      instances = {{key = "10.0.0.2:80", state = "ready", slot = "s1"}},
    },
  }
end

local function journal_of(clock)
  local book = {
    names = {"api", "web"}, views = views(), boot = "1f", cursor = 4,
    totals = {services = 2, whole = 1, degraded = 1, down = 0, instances = 3},
    states = {failed = 1, ready = 2, invalid = 1}, published = 0,
    events = journal.events(10, clock.now),
    convergence = journal.histogram({0.001, 1}),
  }
  function book.history(_, name)
    return name == "api" and history.add("", 960, 1, 2, 3) or history.NONE
  end
  function book.newer(_, cursor)
    return cursor >= 3 and {"api"} or nil
  end
  return book
end

return function(clock)
  local agent = {
    by_name = {api = {name = "api", errors_before = {}},
      web = {name = "web", errors_before = {}}},
    journal = journal_of(clock), turns = journal.histogram({0.001}),
    turned_at = clock.now(), is_ready = true, orders = {}, asked = 0,
    view = {
      sessions = {{hosts = "zk:2181", state = "connected", since = 900,
        session = "0x1", timeout = 10, expiries = 1, connections = 2,
        fired = 3}},
      has_threads = true, rounds = 5, commands = 6, refused = 7, drift = 2,
      compared_at = clock.now() - 4, guarded = 1, unread = {},
      operated = {maint = 1, maint_until = 2, drain = 3, drain_until = 4},
      snapshot_at = clock.now() - 8,
    },
    live = {path = "/synapse.conf.json", errors = {}, needs = {},
      reads = {inotify = 3, polling = 2, command = 1}},
    -- What the main task knows of HAProxy's checks.
    usable = {known = {api = 1, web = 1}},
    deps = {
      now = clock.now, version = "0.1.0", log = {dropped_ever = 9},
      runtime = {
        wall = clock.now,
        about = function() return {haproxy = "2.6.12", started = 800} end,
        counters = function(backend) return {name = backend} end,
      },
    },
  }

  function agent.usable.of(self, name)
    return self.known[name]
  end

  function agent.ask(self)
    self.asked = self.asked + 1
    self.journal.published = self.asked
    return self.asked
  end

  function agent.order(self, what, argument)
    local order = {what = what, argument = argument}
    table.insert(self.orders, order)
    return order
  end

  function agent.is_answered(order)
    return order.what == "see"
  end

  function agent.is_counted(_, order, names)
    return order.what == "count_sessions" and #names > 0
  end

  function agent.counters_of(_, name)
    return {BACKEND = {service = name}, s1 = {sessions = 7}}
  end
  return agent
end
