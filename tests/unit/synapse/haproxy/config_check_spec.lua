local config_check = require("synapse.haproxy.config_check")
local config_text = require("synapse.haproxy.config_text")

local GLOBAL = [[
global
  insecure-fork-wanted
  lua-load synapse.lua
  stats socket "${SYNAPSE_ADMIN}" level admin
]]
local SLOTS = "  server-template s 1-4 127.0.0.1:1 check disabled\n"
local LINE =
  "`server-template s 1-16 slot.invalid:1 init-addr last,127.0.0.1 disabled`"
local OURS = {admin = "sockpair@5", servers = "/proc/self/fd/9"}

-- Checks a configuration for a service `web` that wants the backend `www`.
local function verdict(text, more)
  local settings = {services = {{name = "web", backend = "www"}}}
  for key, value in pairs(more or {}) do
    settings[key] = value
  end
  return config_check.verdict(
    config_text.parse({{path = "a.cfg", text = text}}, {
      environment = {}, loaded = {
        SYNAPSE_ADMIN = OURS.admin, SYNAPSE_SERVERS = OURS.servers,
      },
    }), settings, OURS)
end

local function errors(text, more)
  return verdict(text, more).errors
end

describe("the backend of a service", function()
  local good = {
    ["with slots"] = "backend www\n" .. SLOTS,
    ["of a listen section"] = "listen www\n" .. SLOTS,
    ["in quotes"] = 'backend "www"\n' .. SLOTS,
    ["below a condition that holds"] =
      ".if !defined(X)\nbackend www\n" .. SLOTS .. ".endif\n",
    ["below a condition that nobody knows"] =
      ".if feature(X)\nbackend www\n" .. SLOTS .. ".endif\n",
    ["with plain servers as slots"] =
      "backend www\n  server s1 127.0.0.1:1 disabled\n",
    ["with slots for host names"] =
      "backend www\n  server-template n 1-4 240.0.0.1:1 disabled\n",
    ["with `disabled` by default"] = "backend www\n" ..
      "  default-server disabled\n  server-template s 1-4 127.0.0.1:1\n",
    ["with `disabled` from defaults"] = "defaults\n  default-server " ..
      "disabled\nbackend www\n  server-template s 1-4 127.0.0.1:1\n",
  }
  for about, text in pairs(good) do
    it("is right " .. about, function()
      assert.are.same({}, errors(GLOBAL .. text))
    end)
  end

  local missing = "services.web: backend www is not in HAProxy's " ..
    "configuration; add it, with a line " .. LINE
  local empty = "services.web: backend www has no slots; add a line " .. LINE
  local open = "services.web: backend www: its slots are not `disabled`; " ..
    "their line is to be like " .. LINE
  local bad = {
    -- The packaged layout: the check once gave up at `.if`, and passed what
    -- did not start.
    ["missing beside a condition"] =
      {".if !defined(X)\nbackend other\n.endif\n", missing},
    ["below a condition that does not hold"] =
      {".if defined(X)\nbackend www\n" .. SLOTS .. ".endif\n", missing},
    ["that is a frontend"] = {"frontend www\n", missing},
    ["without slots"] =
      {"backend www\n  server s1 127.0.0.1:11 disabled\n", empty},
    ["whose slots stand in another section"] =
      {"backend www\nring r\n  server s 127.0.0.1:1\n", empty},
    ["whose slots take traffic"] =
      {"backend www\n  server-template s 1-4 127.0.0.1:1\n", open},
    ["whose slots are enabled again"] = {"backend www\n" ..
      "  server-template s 1-4 127.0.0.1:1 disabled enabled\n", open},
    ["where one line of two is open"] =
      {"backend www\n" .. SLOTS .. "  server x 127.0.0.1:1\n", open},
  }
  for about, case in pairs(bad) do
    it("is refused " .. about, function()
      assert.are.same({case[2]}, errors(GLOBAL .. case[1]))
    end)
  end
end)

describe("a backend for instances that are preferred", function()
  local BACKUPS = "  server-template b 1-4 127.0.0.1:1 backup disabled\n"
  local PREFER = {{label = "zone", value = "a", least = 1}}

  local function problems(text, prefer)
    return errors(GLOBAL .. "backend www\n" .. SLOTS .. text, {services = {
      {name = "web", backend = "www", prefer = prefer},
    }})
  end

  it("has slots for backups, and uses all of them", function()
    assert.are.same({}, problems(BACKUPS .. "  option allbackups\n", PREFER))
  end)

  it("is told which line it needs", function()
    local place = "services.web: backend www has no "
    assert.are.same({place .. "slots for backups, which `prefer` needs; " ..
      "add a line `server-template b 1-16 slot.invalid:1 init-addr " ..
      "last,127.0.0.1 backup disabled`"},
      problems("  option allbackups\n", PREFER))
    assert.are.same({place .. "line `option allbackups`, which `prefer` " ..
      "needs: without it HAProxy sends everything to one backup"},
      problems(BACKUPS, PREFER))
  end)

  it("needs neither without a preference", function()
    assert.are.same({}, problems("", nil))
    assert.are.same({}, problems("", {}))
    assert.are.same({}, problems(BACKUPS, {}))
  end)

  -- What is known of a backend that runs is less than its lines.
  it("is not asked for a line where nobody knows the lines", function()
    local service = {name = "web", backend = "www", prefer = PREFER}
    assert.is_nil(config_check.backend_problem(service,
      {slots = 4, backups = 2, is_disabled = true}))
  end)
end)

describe("a slot that has a name", function()
  local function refusal(options)
    return errors(GLOBAL .. "backend www\n  server-template s 1-4 " ..
      "slot.invalid:1 disabled " .. options)[1]
  end

  it("has its address from `init-addr`", function()
    assert.is_nil(refusal("init-addr last,127.0.0.1"))
    assert.is_truthy(refusal(""):find("has no address without `init-addr " ..
      "last,127.0.0.1`; write that", 1, true))
    assert.is_truthy(refusal("init-addr last,127.0.0.1 init-addr none"))
  end)

  it("is not resolved", function()
    assert.is_truthy(refusal("init-addr last,127.0.0.1 resolvers dns"):find(
      "`resolvers` would have HAProxy ask DNS", 1, true))
  end)
end)

describe("a state file", function()
  local FILE = '  server-state-file "${SYNAPSE_SERVERS-none}"\n'
  local NAMED = "  server-template s 1-4 slot.invalid:1 init-addr " ..
    "last,127.0.0.1 disabled\n"
  local LOAD = "  load-server-state-from-file global\n"

  local harmless = {
    ["none"] = "backend www\n" .. NAMED .. SLOTS,
    ["the agent's"] = FILE .. "backend www\n" .. LOAD .. NAMED,
    ["the agent's for all"] =
      FILE .. "defaults\n" .. LOAD .. "backend www\n" .. NAMED,
    ["another for other backends"] =
      "backend x\n" .. LOAD .. "backend www\n" .. NAMED,
    ["the agent's, read by this backend alone"] = "  server-state-file a\n" ..
      FILE .. "backend www\n  load-server-state-from-file local\n" ..
      '  server-state-file-name "${SYNAPSE_SERVERS}"\n' .. NAMED,
    ["none in spite of the defaults"] = "defaults\n" .. LOAD ..
      "backend www\n  load-server-state-from-file none\n" .. NAMED,
    ["defaults of other backends"] = "defaults\n" .. LOAD ..
      "defaults\nbackend www\n" .. NAMED,
  }
  for about, text in pairs(harmless) do
    it("may be " .. about, function()
      assert.are.same({}, errors(GLOBAL .. text))
    end)
  end

  local harmful = {
    ["somebody else's"] = {"backend www\n" .. LOAD .. NAMED,
      "^a.cfg:6: backend www: .*not the agent's"},
    ["somebody else's for all"] = {"defaults\n" .. LOAD .. "backend www\n" ..
      NAMED, "^a.cfg:6: backend www: .*not the agent's"},
    ["one before the agent's"] = {"  server-state-file a\n" .. FILE ..
      "listen www\n" .. LOAD .. NAMED, "not the agent's"},
    ["one of its own"] = {FILE .. "backend www\n" ..
      "  load-server-state-from-file local\n" .. NAMED, "from%-file local"},
    ["a name of its own"] = {FILE .. "backend www\n" ..
      "  load-server-state-from-file local\n  server-state-file-name b\n" ..
      NAMED, "from%-file local"},
    ["one before, without a word how to read both"] = {
      "  server-state-file a\n" .. FILE .. "backend www\n" .. LOAD .. NAMED,
      'server%-state%-file%-name "${SYNAPSE_SERVERS}"` into the backend, ' ..
        "since the global one is that of a.cfg:5"},
    ["the agent's for slots with an address"] = {FILE .. "backend www\n" ..
      LOAD .. SLOTS, "^a.cfg:8: backend www: .*only the port"},
  }
  for about, case in pairs(harmful) do
    it("may not be " .. about, function()
      local found = errors(GLOBAL .. case[1])
      assert.are.equal(1, #found)
      assert.is_truthy(found[1]:find(case[2]))
    end)
  end
end)

describe("dispatch", function()
  it("keeps requests from slots and is refused", function()
    assert.are.same({"a.cfg:6: backend www: `dispatch` sends everything to " ..
      "its own address and nothing to a slot; remove it"},
      errors(GLOBAL .. "backend www\n  dispatch 10.0.0.1:80\n" .. SLOTS))
  end)

  it("is HAProxy's to ignore where there is a balance", function()
    assert.are.same({}, errors(GLOBAL .. "defaults\n  balance random\n" ..
      "backend www\n  dispatch 10.0.0.1:80\n" .. SLOTS))
  end)
end)

describe("option transparent", function()
  -- haproxy/README.md said that it works. On 2.6 and 3.0 the slots of such a
  -- backend were filled, stayed down, and now and then could not be emptied.
  it("keeps requests from slots and is refused", function()
    assert.are.same({"a.cfg:6: backend www: `option transparent` sends " ..
      "requests where they were sent before, and nothing to a slot; remove it"},
      errors(GLOBAL .. "backend www\n  option transparent\n" .. SLOTS))
  end)

  it("of the defaults is refused, unless the backend is without it", function()
    local text = GLOBAL .. "defaults\n  option transparent\nbackend www\n"
    assert.is_truthy(errors(text .. SLOTS)[1]:find("^a.cfg:6: "))
    assert.are.same({}, errors(text .. "  no option transparent\n" .. SLOTS))
  end)
end)

describe("agent-check", function()
  local why = "`agent-check` takes slots in and out of traffic by itself, " ..
    "also empty ones, and undoes what ZooKeeper says; remove it"

  it("on slots is refused", function()
    assert.are.same({"services.web: a.cfg:6: " .. why}, errors(GLOBAL ..
      "backend www\n" ..
      "  server-template s 1-4 127.0.0.1:1 agent-check agent-port 9 disabled"))
  end)

  it("on slots by default-server is refused", function()
    assert.are.same({"services.web: a.cfg:8: " .. why}, errors(GLOBAL ..
      "defaults\n  default-server agent-check agent-port 9\n" ..
      "backend www\n" .. SLOTS))
  end)

  it("on another server, or taken back, is allowed", function()
    assert.are.same({}, errors(GLOBAL .. "backend www\n" ..
      "  server x 10.0.0.1:80 agent-check agent-port 9\n" ..
      "  default-server agent-check agent-port 9\n" ..
      "  server-template s 1-4 127.0.0.1:1 no-agent-check disabled"))
  end)
end)

describe("the section global", function()
  local rest = "backend www\n" .. SLOTS

  it("needs the private socket", function()
    local found = errors("global\n  insecure-fork-wanted\n  lua-load x\n" ..
      "  stats socket /run/haproxy.sock level admin\n" .. rest)
    assert.are.equal(1, #found)
    assert.is_truthy(found[1]:find('add `stats socket "${SYNAPSE_ADMIN}" ' ..
      "level admin` below lua-load", 1, true))
  end)

  it("needs it with all rights", function()
    assert.is_truthy(errors("global\n  insecure-fork-wanted\n  lua-load x\n" ..
      '  stats socket "${SYNAPSE_ADMIN}"\n' .. rest)[1]:find(
      "a.cfg:4: the agent's private socket has no right", 1, true))
  end)

  it("is warned about without threads", function()
    local found = verdict('global\n  lua-load x\n  stats socket ' ..
      '"${SYNAPSE_ADMIN}" level admin\n' .. rest)
    assert.are.same({}, found.errors)
    assert.is_truthy(found.warnings[1]:find("insecure-fork-wanted", 1, true))
  end)

  it("must not end tasks", function()
    assert.is_truthy(errors(GLOBAL .. "  tune.lua.task-timeout 10s\n" ..
      rest)[1]:find("a.cfg:5: tune.lua.task-timeout would end", 1, true))
    assert.are.same({}, errors(GLOBAL .. "  tune.lua.task-timeout 0\n" .. rest))
  end)
end)

describe("a lockdown", function()
  local why = " has external-check, whose processes it forbids; remove one " ..
    "of the two"
  local rest = "backend www\n" .. SLOTS
  local locked = {lockdown = true}

  it("goes with any configuration that checks by itself", function()
    local found = verdict(GLOBAL .. rest ..
      "backend b\n  option httpchk # not external-check\n", locked)
    assert.are.same({}, found.errors)
    assert.is_true(found.lockdown)
  end)

  it("does not go with external checks, wherever they are", function()
    assert.are.same({"lockdown: a.cfg:5" .. why},
      errors(GLOBAL .. "\texternal-check preserve-env\n" .. rest, locked))
    assert.are.same({"lockdown: a.cfg:6" .. why}, errors(GLOBAL ..
      "backend x\n  option  external-check\n" .. rest, locked))
  end)

  it("is not wanted unless it is configured", function()
    local found = verdict(GLOBAL .. "  external-check\n" .. rest)
    assert.are.same({}, found.errors)
    assert.is_falsy(found.lockdown)
  end)

  -- The packages configure a lockdown and no service: a HAProxy with external
  -- checks that worked before must start, and check.
  it("is left out while there is no service", function()
    local found = verdict(GLOBAL .. "  external-check\n",
      {lockdown = true, services = {}})
    assert.are.same({}, found.errors)
    assert.is_false(found.lockdown)
    assert.are.same({"lockdown: a.cfg:5" .. why}, found.warnings)
  end)
end)

describe("a balancing algorithm", function()
  local cases = {
    {"balance roundrobin"}, {"balance leastconn"}, {"balance first"},
    {"balance random(2)"}, {""}, {"balance static-rr", true},
    {"balance source", true}, {"balance uri depth 2", true},
    {"balance hdr(host)", true}, {"balance hash path", true},
    {"balance source\n  hash-type map-based djb2", true},
    {"balance source\n  hash-type consistent"},
    {"balance static-rr\n  hash-type consistent", true},
  }
  for _, case in ipairs(cases) do
    it(string.format("%q takes %s weights", case[1],
      case[2] and "no" or "any"), function()
      local found = verdict(GLOBAL .. "backend www\n  " .. case[1] .. "\n" ..
        SLOTS, {services = {
          {name = "web", backend = "www", use_nerve_weights = true},
        }})
      assert.are.same({}, found.errors)
      assert.are.equal(case[2] or false, found.fixed_weights.web)
      assert.are.equal(case[2] and 1 or 0, #found.warnings)
    end)
  end

  it("shares connections of clients as `http-reuse` says, also of its defaults",
    function()
      local function shares(text)
        return verdict(GLOBAL .. text .. SLOTS, {services = {
          {name = "web", backend = "www"},
        }}).shares_connections.web
      end
      assert.is_false(shares("backend www\n"))
      for how, is_shared in pairs({aggressive = true, always = true,
        safe = false, never = false})
      do
        assert.are.equal(is_shared,
          shares("backend www\n  http-reuse " .. how .. "\n"))
        assert.are.equal(is_shared,
          shares("defaults\n  http-reuse " .. how .. "\nbackend www\n"))
      end
    end)

  it("is no matter of a warning while nobody gives weights", function()
    assert.are.same({}, verdict(GLOBAL .. "backend www\n  balance source\n" ..
      SLOTS).warnings)
  end)
end)

describe("HAProxy's log", function()
  local cases = {
    {"log /dev/log local0\n  log /dev/log local1 notice\n", true},
    {"", true},
    {"log /dev/log local0\n  log 10.0.0.1:514 local0\n", false},
    {"log stdout format raw local0\n", false},
  }
  for _, case in ipairs(cases) do
    it(string.format("%q goes %s", case[1],
      case[2] and "to the machine" or "elsewhere"), function()
      assert.are.equal(case[2], config_check.logs_to_machine(
        config_text.parse({{path = "a.cfg", text = "global\n  " .. case[1]}},
          {environment = {}})))
    end)
  end

  for lines, is_checked in pairs({
    ["  server-template s 1-4 slot.invalid:1 check inter 1s\n"] = true,
    ["  server-template s 1-4 slot.invalid:1 check-ssl\n"] = false,
    ["  server-template s 1-4 slot.invalid:1 check no-check\n"] = false,
    ["  default-server check\n  server-template s 1-4 slot.invalid:1\n"] = true,
    ["  default-server check\n  server a 10.0.0.1:80\n"] = false,
    ["  server a 10.0.0.1:80 check\n"] = false,
  }) do
    it("has its servers checked, or not: " .. lines, function()
      local sections = config_text.parse({{path = "a.cfg",
        text = "backend www\n" .. lines}}, {environment = {}, loaded = {}})
      assert.are.equal(is_checked, config_check.is_checked(sections, "www"))
      assert.is_false(config_check.is_checked(sections, "other"))
    end)
  end

  it("is checked for one service alone", function()
    local sections = config_text.parse({{path = "a.cfg",
      text = "backend www\n  balance static-rr\n  http-reuse always\n" ..
        SLOTS}}, {environment = {}, loaded = {}})
    local found = config_check.of_service(sections,
      {name = "web", backend = "www"}, OURS)
    assert.are.same({}, found.errors)
    assert.is_true(found.fixed_weights.web)
    assert.is_true(found.shares_connections.web)
    assert.are.equal("services.web: backend other is not in HAProxy's " ..
      "configuration; add it, with a line " .. LINE,
      config_check.of_service(sections, {name = "web", backend = "other"},
        OURS).errors[1])
  end)
end)
