local guard = require("synapse.service.guard")
local new_clock = dofile("tests/fake/clock.lua")

local WINDOW, HOLD = 10, 60

local function instance(number, weight)
  return {key = string.format("10.0.0.%02d:80", number), weight = weight}
end

-- Instances `first` to `last`.
local function range(first, last)
  local list = {}
  for number = first, last do
    list[#list + 1] = instance(number)
  end
  return list
end

local function numbers(instances)
  local list = {}
  for i, one in ipairs(instances) do
    list[i] = math.tointeger(tonumber(one.key:match("(%d+):80$")))
  end
  return list
end

describe("a guard", function()
  local clock, objections, one, report

  local function objection(made)
    return objections[numbers({made})[1]]
  end

  local function take(instances)
    local list
    list, report = one:take(instances, clock.now(), objection)
    return list
  end

  local function new(changes, instances, retained)
    local settings = {window = WINDOW, share = 0.5, hold = HOLD}
    for key, value in pairs(changes or {}) do
      settings[key] = value
    end
    one = guard.new(settings, instances or {}, retained or {}, clock.now())
  end

  -- With instances that have been there for a window.
  local function settled(instances, changes)
    new(changes)
    take(instances)
    clock.pass(WINDOW)
    assert.are.equal(instances, take(instances))
  end

  before_each(function()
    clock, objections = new_clock(), {}
  end)

  it("gives the very list back while nothing is wrong", function()
    settled(range(1, 8))
    local fewer = range(1, 6)
    assert.are.equal(fewer, take(fewer))
    assert.are.same({retained = {}, left = {}}, report)
    assert.is_false(one:is_retaining())
  end)

  it("keeps all when all are gone, and says so", function()
    settled(range(1, 20))
    assert.are.same(numbers(range(1, 20)), numbers(take({})))
    assert.are.same({lost = 20, were = 20, left = 0}, report.mass)
    for number, key in ipairs(report.retained) do
      assert.are.equal(instance(number).key, key)
    end
    assert.are.equal(20, #report.retained)
    assert.is_true(one:is_retaining())
  end)

  it("lets half of them go, not more", function()
    settled(range(1, 10))
    assert.are.same(numbers(range(6, 10)), numbers(take(range(6, 10))))
    settled(range(1, 10))
    assert.are.same(numbers(range(1, 10)), numbers(take(range(7, 10))))
  end)

  it("goes by the share that it is told", function()
    for _, row in ipairs({{0.8, 8}, {0.29, 2}, {0.7, 7}, {0, 0}, {1, 10}}) do
      local share, most = table.unpack(row)
      settled(range(1, 10), {share = share})
      assert.are.equal(10 - most, #take(range(most + 1, 10)), share)
      if most + 1 >= 3 and most < 10 then
        settled(range(1, 10), {share = share})
        assert.are.equal(10, #take(range(most + 2, 10)), share)
      end
    end
    settled(range(1, 100), {share = 0.29})
    assert.are.equal(71, #take(range(30, 100)))
  end)

  -- No change walks through all of them, so they are counted as they come, go,
  -- change their weight and grow old.
  it("counts who serves, and who came within the window", function()
    math.randomseed(1)
    new()
    local there = {}
    for _ = 1, 2000 do
      there[math.random(12)] = math.random() < 0.6 and math.random(0, 2) or nil
      local list = {}
      for number = 1, 12 do
        list[#list + 1] = there[number] and instance(number, there[number])
      end
      take(list)
      local serving, newcomers = 0, 0
      for _, each in ipairs(one.present) do
        local serves = each.weight ~= 0
        serving = serving + (serves and 1 or 0)
        newcomers = newcomers + (serves and one.born[each.key] and 1 or 0)
      end
      assert.are.equal(serving, one.serving)
      assert.are.equal(newcomers, one.newcomers)
      clock.pass(math.random() * 3)
    end
  end)

  it("keeps no fewer than three", function()
    settled(range(1, 2))
    assert.are.same({}, take({}))
    settled(range(1, 3))
    assert.are.equal(3, #take({}))
  end)

  it("does nothing where the hold is 0", function()
    settled(range(1, 20), {hold = 0})
    assert.are.same({}, take({}))
  end)

  it("counts removals that come one by one within the window", function()
    settled(range(1, 6))
    take(range(2, 6))
    clock.pass(3)
    assert.are.same({3, 4, 5, 6}, numbers(take(range(3, 6))))
    clock.pass(3)
    assert.are.same({4, 5, 6}, numbers(take(range(4, 6))))
    clock.pass(3)
    assert.are.same({1, 2, 3, 4, 5, 6}, numbers(take(range(5, 6))))
    assert.are.same({lost = 4, were = 6, left = 2}, report.mass)
  end)

  it("does not count what went before the window", function()
    settled(range(1, 6))
    take(range(2, 6))
    clock.pass(WINDOW)
    take(range(3, 6))
    assert.are.same({4, 5, 6}, numbers(take(range(4, 6))))
    assert.are.same({}, report.retained)
  end)

  it("does not count what came within the window", function()
    settled(range(1, 2))
    take(range(1, 20))
    clock.pass(WINDOW - 1)
    assert.are.same({}, take({}))
  end)

  it("takes what came back within the window for never gone", function()
    settled(range(1, 6))
    take({})
    clock.pass(1)
    take(range(1, 6))
    clock.pass(1)
    assert.are.equal(6, #take({}))
  end)

  it("lets an instance with weight 0 go, and does not count it", function()
    settled({instance(1), instance(2), instance(3, 0), instance(4, 0),
      instance(5, 0), instance(6, 0), instance(7, 0)})
    assert.are.same({1, 2}, numbers(take({instance(1), instance(2)})))
    settled({instance(1), instance(2), instance(3), instance(4, 0)})
    assert.are.same({1, 2, 3}, numbers(take({})))
    assert.are.same({lost = 3, were = 3, left = 0}, report.mass)
  end)

  it("goes by the last weight of each", function()
    settled(range(1, 4))
    take({instance(1, 0), instance(2, 0), instance(3), instance(4)})
    assert.are.same({}, take({}))
  end)

  it("keeps those too that go later within the window", function()
    settled(range(1, 10))
    take(range(7, 10))
    clock.pass(WINDOW - 1)
    assert.are.same(numbers(range(1, 10)), numbers(take(range(8, 10))))
    assert.are.same({instance(7).key}, report.retained)
    assert.is_nil(report.mass)
  end)

  -- One departure in half a minute kept a guard going for ever.
  it("lets go who leaves after that, as at any other time", function()
    settled(range(1, 10))
    take(range(7, 10))
    clock.pass(WINDOW)
    assert.are.same({1, 2, 3, 4, 5, 6, 8, 9, 10}, numbers(take(range(8, 10))))
    assert.are.same({}, report.retained)
  end)

  it("keeps each for the hold, and no longer", function()
    settled(range(1, 8))
    take(range(5, 8))
    clock.pass(5)
    take(range(6, 8))
    clock.pass(HOLD - 6)
    assert.are.equal(8, #take(range(6, 8)))
    clock.pass(1)
    assert.are.same({5, 6, 7, 8}, numbers(take(range(6, 8))))
    assert.are.same({
      {key = instance(1).key, why = "the time is over"},
      {key = instance(2).key, why = "the time is over"},
      {key = instance(3).key, why = "the time is over"},
      {key = instance(4).key, why = "the time is over"},
    }, report.left)
    clock.pass(5)
    assert.are.same({6, 7, 8}, numbers(take(range(6, 8))))
    assert.is_false(one:is_retaining())
  end)

  it("keeps nobody twice for one removal, however long its window is",
    function()
      settled(range(1, 4), {window = WINDOW, hold = 1})
      take({})
      clock.pass(1)
      assert.are.same({}, take({}))
      clock.pass(1)
      assert.are.same({}, take({}))
    end)

  it("lets one go at once against which something speaks, for good",
    function()
      settled(range(1, 4))
      take({})
      objections[2] = "HAProxy's check fails"
      assert.are.same({1, 3, 4}, numbers(take({})))
      assert.are.same({{key = instance(2).key,
        why = "HAProxy's check fails"}}, report.left)
      objections[2] = nil
      assert.are.same({1, 3, 4}, numbers(take({})))
    end)

  it("never keeps one against which something spoke when it went", function()
    settled(range(1, 6))
    objections[1] = "HAProxy's check fails"
    take(range(2, 6))
    objections[1] = nil
    assert.are.same({2, 3, 4, 5, 6}, numbers(take({})))
  end)

  it("never gives one back against which something speaks now", function()
    settled(range(1, 6))
    take(range(2, 6))
    objections[1] = "another instance has the slot"
    assert.are.same({2, 3, 4, 5, 6}, numbers(take({})))
  end)

  it("knows one for an instance again when it registers", function()
    settled(range(1, 4))
    take({})
    assert.are.equal(4, #take(range(1, 3)))
    assert.are.same({
      {key = instance(1).key, why = "registered again"},
      {key = instance(2).key, why = "registered again"},
      {key = instance(3).key, why = "registered again"},
    }, report.left)
    local all = range(1, 4)
    assert.are.equal(all, take(all))
    assert.is_false(one:is_retaining())
  end)

  it("lets others come meanwhile, and change their weight", function()
    settled(range(1, 6))
    take({})
    local list = take({instance(7), instance(8, 3)})
    assert.are.same({1, 2, 3, 4, 5, 6, 7, 8}, numbers(list))
    assert.are.equal(3, list[8].weight)
  end)

  it("lets them go when enough others are registered", function()
    settled(range(1, 6))
    take({})
    clock.pass(20)
    assert.are.equal(8, #take(range(7, 8)))
    assert.are.same({7, 8, 9}, numbers(take(range(7, 9))))
    assert.are.same({key = instance(1).key,
      why = "enough other instances are registered"}, report.left[1])
  end)

  it("does not let some go because the others are back before them", function()
    settled(range(1, 6))
    take({})
    for last = 1, 5 do
      clock.pass(5)
      assert.are.equal(6, #take(range(1, last)))
    end
  end)

  it("tells when the first one's time is over", function()
    settled(range(1, 8))
    take(range(4, 8))
    local first = clock.now() + HOLD
    assert.is_nil(one.review_at)
    clock.pass(5)
    take(range(6, 8))
    assert.are.equal(first, one.review_at)
    clock.pass(HOLD)
    take(range(6, 8))
    assert.is_nil(one.review_at)
  end)

  it("tells until when each is retained", function()
    settled(range(1, 3))
    take({})
    assert.are.equal(clock.now() + HOLD, one.retained[instance(2).key])
  end)

  -- An instance that is younger than the window was not there a window ago.
  it("counts who was young when it went once it would not be any more",
    function()
      new()
      take(range(1, 8))
      clock.pass(6)
      take(range(4, 8))
      clock.pass(5)
      assert.are.equal(8, #take(range(6, 8)))
      assert.are.same({lost = 5, were = 8, left = 3}, report.mass)
    end)

  it("goes by the last time that an instance came", function()
    settled(range(4, 9))
    take(range(1, 9))
    clock.pass(1)
    local announced = range(1, 9)
    announced[1], announced[2], announced[3] =
      instance(1, 0), instance(2, 0), instance(3, 0)
    take(announced)
    take(range(4, 9))
    clock.pass(2)
    take(range(1, 9))
    clock.pass(2)
    take(range(4, 9))
    clock.pass(5.5)
    assert.are.same({6, 7, 8, 9}, numbers(take(range(6, 9))))
  end)

  it("takes who is young for young, also after a short absence", function()
    settled(range(1, 2))
    take(range(1, 20))
    clock.pass(1)
    take(range(1, 2))
    clock.pass(1)
    take(range(1, 20))
    clock.pass(1)
    assert.are.same({}, take({}))
  end)

  it("gives no instance twice that is back before the others go", function()
    settled(range(1, 6))
    take(range(2, 6))
    take(range(1, 6))
    assert.are.same({1, 2, 3, 4, 5, 6}, numbers(take({instance(1)})))
    assert.are.equal(5, #report.retained)
  end)

  it("keeps nobody whose time is over before the others go", function()
    settled(range(1, 6), {hold = 1})
    take(range(2, 6))
    clock.pass(1)
    assert.are.same({2, 3, 4, 5, 6}, numbers(take({})))
  end)

  it("counts everybody anew after another accident", function()
    settled(range(1, 6))
    take({})
    take(range(1, 3))
    clock.pass(HOLD)
    take(range(1, 7))
    clock.pass(WINDOW)
    take(range(2, 7))
    clock.pass(WINDOW)
    assert.are.equal(6, #take({}))
    -- The first one came back after the first accident: now it is another.
    assert.are.same({1, 8, 9},
      numbers(take({instance(1), instance(8), instance(9)})))
  end)

  it("keeps nothing of what is older than the window and the hold", function()
    settled(range(1, 8), {hold = 20})
    take(range(3, 9))
    clock.pass(WINDOW)
    take(range(3, 9))
    take({})
    take(range(3, 4))
    take(range(3, 5))
    clock.pass(20)
    take(range(3, 5))
    clock.pass(WINDOW)
    take(range(3, 5))
    assert.are.same({gone = {}, born = {}, candidates = {}, retained = {}},
      {gone = one.gone, born = one.born, candidates = one.candidates,
        retained = one.retained})
    for _, queue in ipairs({one.arrivals, one.departures}) do
      assert.are.same({first = queue.last + 1, last = queue.last}, queue)
    end
    assert.are.equal(0, one.lost)
  end)

  describe("that begins with what there was", function()
    it("protects it from the first read on", function()
      new(nil, range(1, 5))
      assert.are.equal(5, #take({}))
    end)

    it("retains for the rest of its time who was retained", function()
      local retained = {[instance(1).key] = clock.now() + 5}
      new(nil, range(1, 8), retained)
      assert.are.equal(8, #take(range(2, 8)))
      clock.pass(5)
      assert.are.equal(7, #take(range(2, 8)))
      assert.are.same({}, one.gone)
    end)

    it("knows at once when the first one's time is over", function()
      local now = clock.now()
      new(nil, range(1, 8), {[instance(1).key] = now + 7,
        [instance(2).key] = now + 5, [instance(3).key] = now + 6})
      assert.are.equal(now + 5, one.review_at)
    end)

    -- How many there were is only known of what happens now.
    it("lets all go when enough others come after another accident",
      function()
        new(nil, range(1, 9), {[instance(1).key] = clock.now() + 50})
        take(range(2, 9))
        clock.pass(WINDOW)
        assert.are.equal(9, #take({}))
        assert.are.equal(12, #take(range(11, 13)))
        assert.are.equal(4, #take(range(11, 14)))
      end)

    -- Nobody looked at them any more, so that they were retained for ever,
    -- and HAProxy was asked for the state of their slots each second.
    it("retains nobody where it is turned off since", function()
      new({hold = 0}, range(1, 8), {[instance(1).key] = clock.now() + 5})
      assert.is_false(one:is_retaining())
      assert.are.equal(7, #take(range(2, 8)))
      assert.are.same({}, one.retained)
    end)

    it("keeps none longer than a hold, whatever the clock was", function()
      new(nil, range(1, 8), {[instance(1).key] = clock.now() + 9999})
      clock.pass(HOLD)
      assert.are.equal(7, #take(range(2, 8)))
    end)
  end)
end)

describe("against retaining an instance", function()
  local one = {key = "10.0.0.1:80", host = "10.0.0.1", port = 80}

  local function objection(check, host)
    return guard.objection(one,
      {host = host or "10.0.0.1", port = 80, check = check})
  end

  it("nothing speaks while its check passes or rests", function()
    assert.is_nil(objection("passes"))
    assert.is_nil(objection(nil))
  end)

  it("speaks its own failing check, not that of the slot's last instance",
    function()
      assert.are.equal("HAProxy's check fails", objection("fails"))
      assert.is_nil(objection("fails", "10.0.0.2"))
    end)

  it("speaks that there is no check, or no slot", function()
    assert.are.equal("the slot has no check", objection("none"))
    assert.are.equal("another instance has the slot",
      guard.objection(one, nil))
  end)
end)

-- What traffic does while instances come and go. Ordinary deploys were taken
-- for accidents: of the requests after them 48 to 52 in 100 went to instances
-- that had left.
describe("through", function()
  local clock, one, there, dead, most

  local function objection(made)
    return dead[made.key] and "HAProxy's check fails" or nil
  end

  local function turn()
    local sorted, retained = {}, 0
    for _, made in pairs(there) do
      sorted[#sorted + 1] = made
    end
    table.sort(sorted, function(a, b) return a.key < b.key end)
    local list = one:take(sorted, clock.now(), objection)
    for _ in pairs(one.retained) do
      retained = retained + 1
    end
    assert.are.equal(#sorted + retained, #list)
    most = math.max(most, retained)
    return #list, retained
  end

  local function come(first, last, weight)
    for number = first, last do
      local made = instance(number, weight)
      there[made.key] = made
    end
    return turn()
  end

  local function leave(first, last)
    for number = first, last do
      there[instance(number).key] = nil
    end
    return turn()
  end

  -- Lets time pass, with a review every half second.
  local function pass(seconds)
    for _ = 1, seconds * 2 do
      clock.pass(0.5)
      turn()
    end
    return turn()
  end

  local function begin(number, settings)
    clock, there, dead, most = new_clock(), {}, {}, 0
    one = guard.new({window = WINDOW, share = 0.5, hold = HOLD,
      [settings or "unused"] = 0}, {}, {}, clock.now())
    come(1, number)
    pass(WINDOW)
  end

  -- Each row: what happens to a service of so many, and how many are retained
  -- at most, and at the end.
  local DEPLOYS = {
    {"blue and green of equal size", 10, function()
      come(11, 20)
      pass(30)
      leave(1, 10)
    end},
    {"blue and green at once", 10, function()
      come(11, 20)
      leave(1, 10)
    end},
    {"blue and a green of half its size that has just come", 10, function()
      come(11, 15)
      pass(WINDOW / 2)
      leave(1, 10)
    end},
    {"a rolling deploy onto new addresses, 1 s each", 10, function()
      for number = 1, 10 do
        come(10 + number, 10 + number)
        leave(number, number)
        pass(1)
      end
    end},
    {"a rolling deploy in place, 1 s each, down for 3 s", 10, function()
      for number = 1, 13 do
        if number <= 10 then
          leave(number, number)
        end
        if number > 3 then
          come(number - 3, number - 3)
        end
        pass(1)
      end
    end},
    {"a rolling deploy in place, 10 s each", 10, function()
      for number = 1, 10 do
        leave(number, number)
        pass(9)
        come(number, number)
        pass(1)
      end
    end},
    {"a rolling deploy in place, 60 s each", 3, function()
      for number = 1, 3 do
        leave(number, number)
        pass(60)
        come(number, number)
      end
    end},
    {"an address change of all instances within 10 s", 20, function()
      for number = 1, 20 do
        leave(number, number)
        pass(0.5)
        come(20 + number, 20 + number)
      end
    end},
    {"a scale-down by half that nobody announced", 10, function()
      leave(1, 5)
    end},
    {"a scale-down from 10 to 2 that their weights announced", 10, function()
      come(1, 8, 0)
      pass(30)
      leave(1, 8)
    end},
    {"a slow end, one in 30 s", 10, function()
      for number = 1, 9 do
        leave(number, number)
        pass(30)
      end
    end},
  }

  for _, row in ipairs(DEPLOYS) do
    it(row[1] .. " it retains nobody", function()
      begin(row[2])
      row[3]()
      pass(60)
      assert.are.equal(0, most)
    end)
  end

  -- The guard cannot tell this from an accident: of 15 instances 5 are left.
  it("blue and a smaller green that has been there for long it retains blue "
    .. "for the hold", function()
    begin(10)
    come(11, 15)
    pass(30)
    assert.are.equal(15, leave(1, 10))
    assert.are.equal(5, pass(HOLD))
  end)

  it("a wipe it retains all for the hold", function()
    begin(20)
    assert.are.equal(20, leave(1, 20))
    assert.are.equal(20, pass(HOLD - 1))
    assert.are.equal(0, pass(1))
  end)

  it("a partition of all nerves, whose sessions expire within 20 s, it keeps "
    .. "the service at half of its size at least", function()
    begin(20)
    for number = 1, 20 do
      assert.is_true(leave(number, number) >= 10)
      pass(1)
    end
    assert.is_true(turn() >= 18)
    assert.are.equal(20, (come(1, 20)))
    assert.is_false(one:is_retaining())
  end)

  it("a wipe while checks fail one by one it retains the others", function()
    begin(10)
    leave(1, 10)
    for number = 1, 10 do
      assert.are.equal(11 - number, (pass(1)))
      dead[instance(number).key] = true
    end
    assert.are.equal(0, (turn()))
  end)

  it("a deploy that removes all before it starts the new ones, it retains the "
    .. "old ones until half of the new ones are registered", function()
    begin(10)
    leave(1, 10)
    for number = 11, 14 do
      assert.are.equal(10, select(2, pass(1)))
      come(number, number)
    end
    assert.are.equal(5, (come(15, 15)))
    assert.is_false(one:is_retaining())
  end)

  it("departures after a wipe, one in 30 s, it ends with the hold", function()
    begin(20)
    leave(1, 15)
    for number = 16, 19 do
      pass(29)
      leave(number, number)
    end
    assert.are.equal(1, (turn()))
    assert.is_false(one:is_retaining())
  end)
end)
