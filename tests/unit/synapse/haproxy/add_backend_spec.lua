local add_backend = require("synapse.haproxy.add_backend")
local new_clock = dofile("tests/fake/clock.lua")
local new_log = dofile("tests/fake/log.lua")

local ADDED = "\nNew backend registered.\n\n"
local SLOT = "New server registered.\n\n\n\n"

describe("a backend of its own name", function()
  local clock, log, sent, added, refusal, kind, one

  local function new(changes)
    local deps = {
      can = true, log = log, now = clock.now,
      send = function(line)
        table.insert(sent, line)
        return not refusal and #sent or nil, refusal
      end,
      added = function(name) table.insert(added, name) end,
    }
    for key, value in pairs(changes or {}) do
      deps[key] = value
    end
    one = add_backend.new(deps)
  end

  before_each(function()
    clock, log = new_clock(), new_log()
    sent, added, refusal = {}, {}, nil
    kind = {name = "spare-web", template = "spare-web-own", slots = 2,
      backends = {"spare-web-1", "spare-web-2"}}
    new()
  end)

  local function service(changes)
    local config = {name = "web", backend = "www",
      server_options = {text = "check", has_check = true}}
    for key, value in pairs(changes or {}) do
      config[key] = value
    end
    return config
  end

  local function answer(text)
    one:take_answer({request = #sent, data = text})
  end

  it("is added with empty slots, and published last", function()
    assert.are.equal("asked", one:state_of(service(), kind))
    assert.are.equal("asked", one:state_of(service(), kind))
    assert.are.same({table.concat({"experimental-mode on",
      "add backend www from spare-web-own",
      "add server www/s1 127.0.0.1:1 id 1 pool-max-conn -1 " ..
        "pool-purge-delay 5s check", "enable health www/s1",
      "set server www/s1 state maint",
      "add server www/s2 127.0.0.1:1 id 2 pool-max-conn -1 " ..
        "pool-purge-delay 5s check", "enable health www/s2",
      "set server www/s2 state maint", "publish backend www"}, ";")}, sent)
    answer(ADDED .. SLOT .. SLOT .. "Backend published.\n\n")
    assert.are.same({"www"}, added)
    assert.are.equal("there", one:state_of(service(), kind))
    assert.are.equal(1, #sent)
  end)

  it("is added in as many batches as it needs", function()
    kind.slots = 200
    one:state_of(service(), kind)
    repeat
      local line = sent[#sent]
      assert.is_true(#line < 16384)
      local said = ""
      for text in line:gmatch("[^;]+") do
        said = said .. (text:find("^add backend") and
          "New backend registered.\n" or text:find("^add server") and
          "New server registered.\n" or text:find("^publish") and
          "Backend published.\n" or "") .. "\n"
      end
      answer(said)
    until one:state_of(service(), kind) ~= "asked"
    assert.are.equal("there", one:state_of(service(), kind))
    assert.are.equal(600, select(2, table.concat(sent, ";"):gsub("www/s", "")))
    assert.is_true(#sent > 1)
  end)

  it("is not added where HAProxy refuses a command", function()
    one:state_of(service(), kind)
    answer(ADDED .. "'check': no\n\n")
    assert.are.equal("failed", one:state_of(service(), kind))
    assert.are.same({}, added)
    assert.are.equal(1, log.count("error: web: has a blank backend, because " ..
      "HAProxy did not add one of its own name: `add server www/s1 " ..
      "127.0.0.1:1 id 1 pool-max-conn -1 pool-purge-delay 5s check`: " ..
      "'check': no"))
    assert.are.equal(1, #sent)
  end)

  it("is not added where HAProxy does not answer", function()
    one:state_of(service(), kind)
    clock.pass(11)
    assert.are.equal("failed", one:state_of(service(), kind))
    answer(ADDED .. SLOT .. SLOT .. "Backend published.\n\n")
    assert.are.equal("failed", one:state_of(service(), kind))
    one:state_of(service({name = "api", backend = "api"}), kind)
    one:take_answer({request = 2, error = "no connection"})
    assert.are.equal(1, log.count("api: has a blank backend"))
    assert.are.equal(1, log.count("no connection"))
    refusal = "no threads"
    new()
    assert.are.equal("failed", one:state_of(service(), kind))
  end)

  it("is not asked for without what it is made of", function()
    for _, case in ipairs({{{}, {can = false}}, {{server_options = false}},
      {{backend = "a;b"}}, {{backend = "a b"}}})
    do
      new(case[2])
      assert.are.equal("failed", one:state_of(service(case[1]), kind))
    end
    kind.template = nil
    assert.are.equal("failed", one:state_of(service(), kind))
    assert.are.same({}, sent)
  end)

  it("is for one service, of one kind", function()
    one:state_of(service(), kind)
    assert.are.equal("failed", one:state_of(service({name = "api"}), kind))
    assert.are.equal("failed", one:state_of(service(), {name = "other"}))
    assert.are.equal(1, #sent)
  end)

  it("is added as often as there are blank ones of the kind", function()
    for i = 1, 2 do
      assert.are.equal("asked", one:state_of(service({name = "s" .. i,
        backend = "s" .. i}), kind))
    end
    assert.are.equal("failed", one:state_of(service(), kind))
  end)
end)
