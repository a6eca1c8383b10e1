local sync = require("synapse.haproxy.sync")
local new_clock = dofile("tests/fake/clock.lua")
local new_log = dofile("tests/fake/log.lua")
local new_service = dofile("tests/fake/service.lua")

local STATE = "1\n# be_id be_name\n3 web 1 s1 10.0.0.1 2 0 1 1 " ..
  "12 6 3 4 6 0 0 0 - 80 - 0 0 - - 0\n\n"

describe("a round", function()
  local clock, log, told, sent, operated, web, api, one, tired, counted

  before_each(function()
    clock, log, told, sent, operated = new_clock(), new_log(), {}, {}, 0
    tired, counted = false, {}
    web, api = new_service("web", told), new_service("api", told)
    one = sync.new({
      services = {web, api}, now = clock.now, log = log,
      send = function(line)
        table.insert(sent, line)
        return #sent
      end,
      is_tired = function() return tired end,
      operated = function() operated = operated + 1 end,
      applied = function(service) table.insert(counted, service.name) end,
      settled = function() end,
    })
  end)

  local function answer(text)
    one:take({type = "answer", request = #sent, data = text})
  end

  it("makes one batch of what all services need", function()
    web.groups, api.groups = {"a", "b"}, {"c"}
    one:round()
    assert.are.same({"a;b;c"}, sent)
  end)

  -- Its backend is another one's, whose slots it went on to empty.
  it("has nothing more to do with a service that it forgot", function()
    web.groups, web.due = {}, true
    one:round()
    one:forget(web)
    web.groups = {"a"}
    one:tick()
    one:mark(web)
    one:compare(web)
    clock.pass(100)
    one:tick()
    one:round()
    assert.is_false(one:has(web))
    assert.is_nil(one.compare_at[web])
    assert.are.same({}, sent)
  end)

  it("sends nothing when nothing is needed", function()
    one:round()
    assert.are.same({}, sent)
  end)

  it("waits for the answers of the batch before", function()
    web.groups = {"a"}
    one:round()
    api.groups = {"b"}
    one:mark(api)
    one:round()
    assert.are.same({"a"}, sent)
    answer("\n")
    one:round()
    assert.are.same({"a", "b"}, sent)
  end)

  it("acknowledges each command by its own answer", function()
    web.groups, api.groups = {"a", "b"}, {"c"}
    one:round()
    told = {}
    web.done, api.done = nil, nil
    for _, service in ipairs({web, api}) do
      service.done = function(_, command)
        table.insert(told, "done " .. command.text)
      end
      service.refuse = function(_, command, text)
        table.insert(told, "refused " .. command.text .. ": " .. text)
      end
    end
    answer("\nNo such server.\n\n\n")
    assert.are.same({"done a", "refused b: No such server.", "done c"}, told)
  end)

  local function fill_much()
    for i = 1, 300 do
      web.groups[i] = ("x"):rep(90) .. i
    end
  end

  local function answer_all()
    answer(("\n"):rep(select(2, sent[#sent]:gsub("[^;]+", ""))))
  end

  -- Five thousand instances of one service took 56 batches, and a change of
  -- any other service came after them.
  it("lets small services go before the rest of a large one", function()
    fill_much()
    api.groups = {"a"}
    one:round()
    assert.is_nil(sent[1]:find("a", 1, true))
    answer_all()
    one:round()
    assert.are.equal("a", sent[2]:match("^[^;]*"))
    assert.is_true(#sent[2] > 10000)
  end)

  -- What is larger than the room that others leave must come first some time.
  it("keeps the place of a service for which there is no room", function()
    local much = ("y"):rep(11998)
    web.groups, api.groups = {"a", "b"}, {much .. "1", much .. "2"}
    one:round()
    assert.are.equal("a;b", sent[1])
    web.groups = {"c"}
    one:mark(web)
    answer("\n\n")
    one:round()
    assert.are.equal(much .. "1", sent[2])
    answer("\n")
    one:round()
    assert.are.equal("c", sent[3])
  end)

  it("spreads a large plan over batches, each planned from what is known",
    function()
      fill_much()
      one:round()
      assert.is_true(#sent[1] <= 12000)
      local before = #web.groups
      answer(("\n"):rep(select(2, sent[1]:gsub("[^;]+", ""))))
      assert.is_true(#web.groups < before)
      one:round()
      assert.are.equal(2, #sent)
      assert.are.equal(web.groups[1], sent[2]:match("^[^;]*"))
    end)

  it("sums up a service once its last command is answered", function()
    web.groups = {"a"}
    one:round()
    assert.are.equal(0, log.count("web summed up"))
    answer("\n")
    assert.are.equal(1, log.count("web summed up"))
  end)

  -- Counting takes 0.1 ms on HAProxy 2.6, and a change needs several batches.
  it("has a service counted once its last command is answered", function()
    web.groups, api.groups, api.asks = {"a", "b"}, {}, true
    assert.is_false(one:is_uncounted(web))
    one:round()
    assert.is_true(one:is_uncounted(web))
    assert.is_false(one:is_uncounted(api))
    web.done = function() return true end
    answer("\n\n" .. STATE)
    assert.are.same({}, counted)
    web.groups, web.done = {"c"}, function() end
    one:round()
    assert.is_true(one:has(web))
    assert.is_false(one:has(api))
    answer("\n")
    assert.are.same({"web"}, counted)
    assert.is_false(one:has(web))
    assert.is_false(one:is_uncounted(web))
  end)

  -- It was in no round before the next comparison, 30 s later.
  it("asks for the states of a service if its count calls for that", function()
    web.groups, web.moving = {"a"}, true
    one.deps.applied = function(service)
      service.asks = true
      one:compare(service)
    end
    one:round()
    web.groups = {}
    web.done = function() return true end
    answer("\n")
    web.moving = false
    one:round()
    assert.are.equal("show web", sent[2])
  end)

  it("has a service counted whose last answer is that to a question",
    function()
      web.groups = {"a"}
      one:round()
      web.done = function(self)
        self.groups, self.asks = {}, true
        return true
      end
      answer("\n")
      one:round()
      answer(STATE)
      assert.are.same({"web"}, counted)
    end)

  it("has a service counted whose refused command waits", function()
    web.groups, api.groups = {"a", "b"}, {}
    one:round()
    web.refuse = function(self) self.groups = {} end
    web.done = function() return false end
    answer("\nNo such server.\n\n")
    one:round()
    assert.are.equal(1, #sent)
    assert.is_false(one:has(web))
    assert.is_false(one:is_uncounted(web))
  end)

  it("has a service counted that needs nothing after an address", function()
    web.groups, api.groups = {"a"}, {}
    one:round()
    web.done = function(self) self.groups = {} return true end
    answer("\n")
    one:round()
    assert.is_false(one:has(web))
    assert.is_false(one:is_uncounted(web))
  end)

  it("leaves services to the next batch when it takes too long", function()
    web.groups, api.groups = {"a"}, {"b"}
    tired = true
    one:round()
    assert.are.same({"a"}, sent)
    answer("\n")
    one:round()
    assert.are.same({"a", "b"}, sent)
  end)

  it("takes no interest in the answers of others", function()
    web.groups = {"a"}
    one:round()
    one:take({type = "answer", request = 77, data = "\n"})
    assert.are.same({"web sent a"}, told)
  end)

  describe("that gets no answer", function()
    before_each(function()
      web.groups = {"a"}
      one:round()
      one:take({type = "answer", request = 1, error = "timed out"})
    end)

    it("leaves the service not knowing", function()
      assert.are.same({"web sent a", "web lost"}, told)
    end)

    it("is tried again after a pause", function()
      one:round()
      assert.are.equal(1, #sent)
      clock.pass(0.5)
      one:round()
      assert.are.equal(2, #sent)
    end)

    it("is reported once, and so is the end of it", function()
      for _ = 1, 4 do
        clock.pass(10)
        one:round()
        one:take({type = "answer", request = #sent, error = "timed out"})
      end
      clock.pass(10)
      one:round()
      answer("\n")
      assert.are.equal(1, log.count("error: runtime API: timed out"))
      assert.are.equal(1, log.count("info: runtime API: answers again"))
    end)
  end)

  it("with too few answers knows nothing", function()
    web.groups = {"a", "b"}
    one:round()
    answer("\n")
    assert.are.equal("web lost", told[#told])
    assert.are.equal(1, log.count("1 answer to 2 commands"))
  end)

  it("that cannot be sent is tried again", function()
    web.groups = {"a"}
    one.deps.send = function() return nil, "runtime API: no" end
    one:round()
    assert.are.same({"web lost", "web lost"}, {told[1], told[#told]})
    assert.are.equal(1, log.count("error: runtime API: no"))
  end)

  describe("that asks for the state", function()
    before_each(function()
      web.asks = true
    end)

    it("hands it to the service", function()
      one:round()
      answer(STATE)
      assert.are.same({"web sent show web", "web observe s1"}, told)
    end)

    it("is followed by one that repairs what differs", function()
      one:round()
      web.groups = {"a"}
      answer(STATE)
      one:round()
      assert.are.same({"show web", "a"}, sent)
    end)

    it("tells when an operator state changed", function()
      one:round()
      web.is_operated = true
      answer(STATE)
      assert.are.equal(1, operated)
    end)

    it("says so when the answer is something else", function()
      one:round()
      answer("Can't find backend.\n\n")
      assert.are.equal(1, log.count("error: web: `show servers state web`"))
      assert.are.equal("web lost", told[#told])
    end)
  end)

  describe("when time passes", function()
    before_each(function()
      one:round()
      web.asks = true
      one:tick()
      one:round()
      answer(STATE)
      told = {}
      for _, service in ipairs({web, api}) do
        service.ask = function(self)
          table.insert(told, self.name .. " asks")
        end
      end
    end)

    it("compares every 30 s", function()
      clock.pass(29)
      one:tick()
      assert.are.same({}, told)
      clock.pass(1)
      one:tick()
      assert.are.same({"web asks", "api asks"}, told)
    end)

    it("compares a few at a time, and two with retained instances besides",
      function()
      local many = {}
      for i = 1, 25 do
        many[i] = new_service("s" .. i, told)
      end
      many[25].retained = true
      one = sync.new({services = many, now = clock.now, log = log})
      one:tick()
      assert.are.equal(11, #told)
      assert.are.equal("s25 ask", told[11])
      one:tick()
      one:tick()
      assert.are.equal(25, #told)
    end)

    -- A thousand services were compared in one turn, each second.
    it("gives each service with retained instances its turn", function()
      local many, seen = {}, {}
      for i = 1, 10 do
        many[i] = new_service("s" .. i, told)
        many[i].retained = true
        many[i].ask = function(self) seen[self] = (seen[self] or 0) + 1 end
      end
      one = sync.new({services = many, now = clock.now, log = log})
      one:tick()
      seen = {}
      for _ = 1, 10 do
        clock.pass(0.2)
        one:tick()
      end
      for _, service in ipairs(many) do
        assert.is_truthy(seen[service])
      end
    end)

    -- Each of a thousand services was asked whether it is due, five times a
    -- second.
    it("asks only those services that wait whether they are due", function()
      local asked = 0
      web.is_due = function()
        asked = asked + 1
        return false
      end
      one:tick()
      assert.are.equal(1, asked)
      web.rests = true
      one:tick()
      one:tick()
      assert.are.equal(2, asked)
      one:mark(web)
      one:round()
      one:tick()
      assert.are.equal(3, asked)
    end)

    it("compares at once when it is asked to", function()
      one:compare(web)
      one:tick()
      assert.are.same({"web asks"}, told)
    end)

    it("tries again what was refused, when it is due", function()
      web.groups = {"again"}
      one:tick()
      one:round()
      assert.are.equal("show web", sent[#sent])
      web.due = true
      one:tick()
      one:round()
      assert.are.equal("again", sent[#sent])
    end)
  end)

  it("starts again with every service, whatever was under way", function()
    web.groups = {"a"}
    one:round()
    one:restart()
    one:round()
    assert.are.same({"a", "a"}, sent)
    assert.are.equal("web lost", told[2])
    assert.are.equal("api lost", told[3])
  end)
end)
