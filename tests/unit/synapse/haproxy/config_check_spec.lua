local preview = require("synapse.haproxy.config_check")

describe("the text of a haproxy.cfg", function()
  local function backends(...)
    return preview.backends({...})
  end

  it("tells which backends have slots", function()
    assert.are.same({
      web = {slots = 1, backups = 0, sure = true, all_backups = false},
      api = {slots = 2, backups = 0, sure = true, all_backups = false},
      old = {slots = 0, backups = 0, sure = true, all_backups = false},
    }, backends([[
global
    nbthread 2
defaults
    mode http
frontend web
    bind :80
    default_backend web
backend web # the first
    server-template s 1-16 127.0.0.1:1 check disabled
listen api
    bind :81
    server s1 127.0.0.1:1 disabled
    server s2 127.0.0.1:1 disabled
    server by_hand 10.0.0.1:80
backend old
    server by_hand 127.0.0.1:11
    # server s1 127.0.0.1:1 disabled
]]))
  end)

  it("tells which backends have slots for backups, and use all", function()
    local found = backends([[
defaults
    option allbackups # for `prefer`
backend a
    server-template s 1-16 127.0.0.1:1 disabled
    server-template b 1-16 127.0.0.1:1 check backup disabled
backend b from other
    server-template b 1-16 127.0.0.1:1 disabled backup
backend c
    no option allbackups
    server backup 127.0.0.1:1 disabled
defaults
backend d
    option allbackups
backend e
]])
    assert.are.same({2, 1, true},
      {found.a.slots, found.a.backups, found.a.all_backups})
    assert.are.same({1, 1}, {found.b.slots, found.b.backups})
    assert.is_nil(found.b.all_backups)
    assert.are.same({0, false}, {found.c.backups, found.c.all_backups})
    assert.is_true(found.d.all_backups)
    assert.is_false(found.e.all_backups)
  end)

  it("is read over several files", function()
    local found = backends("backend web\n",
      "backend web2\n  server s 127.0.0.1:1\n")
    assert.are.equal(0, found.web.slots)
    assert.are.equal(1, found.web2.slots)
  end)

  it("does not count what stands in another section", function()
    assert.are.equal(0, backends(
      "backend web\nring r\n  server s 127.0.0.1:1\n").web.slots)
  end)

  it("is not sure of an address in a variable", function()
    assert.is_false(backends(
      'backend web\n  server-template s 1-4 "${EMPTY}"\n').web.sure)
  end)

  local OURS = 'global\n server-state-file "${SYNAPSE_SERVERS}"\n'
  local NAMED = "server-template s 1-4 slot.invalid:1 disabled\n"
  local PLAIN = "server-template s 1-4 127.0.0.1:1 disabled\n"
  local GLOBAL = "load-server-state-from-file global\n"

  local function state_file(text)
    return preview.state_file({"h.cfg"}, {text},
      {{name = "web", backend = "www"}})
  end

  local harmless = {
    ["no state file"] = "backend www\n" .. NAMED .. PLAIN,
    ["the agent's"] = OURS .. "backend www\n" .. GLOBAL .. NAMED,
    ["the agent's for all"] = OURS .. "defaults\n" .. GLOBAL ..
      "backend www\n" .. NAMED,
    ["another for other backends"] = "backend x\n" .. GLOBAL ..
      "backend www\n" .. NAMED,
    ["none in spite of the defaults"] = "defaults\n" .. GLOBAL ..
      "backend www\nload-server-state-from-file none\n" .. NAMED,
    ["defaults of other backends"] = "defaults\n" .. GLOBAL ..
      "defaults\nbackend www\n" .. NAMED,
  }
  for about, text in pairs(harmless) do
    it("may have " .. about, function()
      assert.is_nil(state_file(text))
    end)
  end

  local harmful = {
    ["a state file of somebody else"] = {"backend www\n" .. GLOBAL,
      "^h.cfg:2: backend www: .*not the agent's"},
    ["one for all"] = {"defaults\n" .. GLOBAL .. "backend www\n",
      "^h.cfg:2: backend www: .*not the agent's"},
    ["one before the agent's"] = {"global\nserver-state-file a\n" .. OURS ..
      "listen www\n" .. GLOBAL, "not the agent's"},
    ["one of its own"] = {OURS .. "backend www\n" ..
      "load-server-state-from-file local\n", "from%-file local"},
    ["slots with an address"] = {OURS .. "backend www\n" .. GLOBAL .. PLAIN,
      "^h.cfg:5: backend www: .*only the port"},
  }
  for about, case in pairs(harmful) do
    it("may not have " .. about, function()
      assert.is_truthy(state_file(case[1]):find(case[2]))
    end)
  end

  local untold = {
    conditions = ".if defined(X)\nbackend web\n.endif\n",
    ["a name in a variable"] = "backend ${NAME}\n",
    ["a name in quotes"] = 'backend "web"\n',
  }
  for about, text in pairs(untold) do
    it("tells nothing with " .. about, function()
      assert.is_nil((backends(text)))
    end)
  end
end)

describe("the command line", function()
  local cases = {
    {"haproxy -c -f a.cfg", "a.cfg"},
    {"haproxy -W -q -c -f a.cfg -f b.cfg", "a.cfg b.cfg"},
    {"haproxy -p /run/pid -L x -c -- a.cfg b.cfg", "a.cfg b.cfg"},
    {"haproxy -f a.cfg -c", "a.cfg"},
    {"haproxy -W -f a.cfg", "a.cfg", true},
    {"haproxy -C /etc -c -f a.cfg"},
    {"haproxy -sf 1 2 -x sockpair@3 -W -f a.cfg", "a.cfg", true},
  }
  for _, case in ipairs(cases) do
    it(string.format("`%s` %s %s", case[1], case[3] and "runs" or "checks",
      case[2] or "what it does not tell"),
      function()
        local arguments = {}
        for word in case[1]:gmatch("%S+") do
          arguments[#arguments + 1] = word
        end
        local files, checks = preview.files(arguments)
        assert.are.equal(case[2], files and table.concat(files, " "))
        assert.are.equal(case[2] and not case[3], checks)
      end)
  end
end)
