local service = require("synapse.service.service")
local new_clock = dofile("tests/fake/clock.lua")
local new_log = dofile("tests/fake/log.lua")
local planned = dofile("tests/fake/planned.lua")

describe("what a service publishes", function()
  local clock, web

  local function instance(last)
    return {key = "10.0.0." .. last .. ":80", host = "10.0.0." .. last,
      port = 80, znode = "i_" .. last}
  end

  local function new(prefer)
    clock = new_clock()
    web = service.new({
      retained_by = {}, backend = "www", pool = {"s1", "s2"},
      config = {name = "web", backend = "www", path = "/web",
        default_servers = {}, use_previous_backends = true, prefer = prefer,
        fixed = "server_options is not set",
        guard = {window = 10, share = 0.5, hold = 60}},
      declared = {s1 = {weight = 1, maxconn = 0},
        s2 = {weight = 1, maxconn = 0}},
      now = clock.now, wall = clock.now, log = new_log(),
      sessions = function() return 0 end,
      is_claimed = function() return false end,
    })
    web.known = true
    web:update({instance(1), instance(2), instance(3)})
  end

  before_each(function()
    new()
  end)

  it("names the service, its slots and why no slot is added", function()
    local view = web:view()
    assert.are.equal("web", view.name)
    assert.are.equal("www", view.backend)
    assert.are.equal("zookeeper", view.source)
    assert.are.same({"s1", "s2"}, view.slot_names)
    assert.are.equal(2, view.used)
    assert.are.equal("server_options is not set", view.obstacle)
    assert.is_false(view.frozen)
    assert.is_false(view.has_record)
    assert.is_nil(view.preference)
  end)

  -- HAProxy interrupts a request in the middle of a loop.
  it("does not change when the service does", function()
    local view, all = web:view(), web:instances()
    web:freeze()
    web:thaw()
    web:update({instance(1)})
    assert.are.same({"s1", "s2"}, view.slot_names)
    assert.are.equal(2, view.used)
    assert.are.equal(3, #all)
  end)

  it("says where an instance is, and what is left to do for it", function()
    local slot = web.placement.slot_of["10.0.0.1:80"]
    local facts = web:view_of("10.0.0.1:80")
    assert.are.equal(slot, facts.slot)
    assert.are.equal("10.0.0.1:80", facts.instance.key)
    assert.is_false(facts.settled)
    for _ = 1, 2 do
      for _, group in ipairs(planned(web)) do
        for _, command in ipairs(group) do
          web:sent(command)
          web:done(command)
        end
      end
    end
    assert.is_true(web:view_of("10.0.0.1:80").settled)
  end)

  it("says whether the preferred instances serve, or why others do", function()
    local first = {label = "zone", value = "a", least = 1}
    new({first, {label = "zone", value = "b", least = 1}})
    local b = instance(1)
    b.labels = {zone = "b"}
    web:update({b})
    local view = web:view()
    assert.are.same({"unmet", "fewer than 1 of zone a can serve, so zone b " ..
      "serves too"}, {view.preference, view.unmet})
    b = instance(2)
    b.labels = {zone = "a"}
    web:update({b})
    view = web:view()
    assert.are.equal("met", view.preference)
    assert.is_nil(view.unmet)
  end)

  it("says whether an instance has the slot of a backup", function()
    assert.is_false(web:view_of("10.0.0.1:80").is_backup)
    web.placement.kinds[web.placement.slot_of["10.0.0.1:80"]] = "backup"
    assert.is_true(web:view_of("10.0.0.1:80").is_backup)
  end)

  it("says why an instance has no slot", function()
    local waiting = web.placement.waiting[1]
    local facts = web:view_of(waiting)
    assert.is_nil(facts.slot)
    assert.is_nil(facts.is_backup)
    assert.are.equal("server_options is not set", facts.obstacle)
  end)

  it("knows nothing of an instance that is gone", function()
    assert.is_nil(web:view_of("10.0.0.9:80"))
  end)
end)
