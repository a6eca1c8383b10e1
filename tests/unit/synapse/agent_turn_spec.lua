-- What a turn of the agent does by itself, and to whom it gives events.
local new_world = dofile("tests/fake/world.lua")

describe("a turn of the agent", function()
  local world, clock, log, one

  local function new(...)
    one = world.new(...)
    one:fill()
  end

  -- Counts the calls of a method, which does nothing any more.
  local function count(object, method, answer)
    local calls = {}
    object[method] = function(_, argument)
      table.insert(calls, argument or true)
      return answer
    end
    return calls
  end

  local function services(number)
    local list = {}
    for i = 1, number do
      list[i] = world.config_of(string.format("s%03d", i), "/same")
    end
    return list
  end

  before_each(function()
    world = new_world()
    clock, log = world.clock, world.log
  end)

  it("ticks all that has something to do by the clock, five times a second",
    function()
      new({world.config_of("web")})
      clock.pass(0.2)
      local parts = {count(one.client, "tick"), count(one.sessions, "tick"),
        count(one.deps.lookup, "tick"), count(one.sync, "tick"),
        count(one.spare, "tick")}
      local function ticked()
        one:turn()
        local calls = {}
        for i, part in ipairs(parts) do
          calls[i] = #part
        end
        return calls
      end
      assert.are.same({1, 1, 1, 1, 1}, ticked())
      clock.pass(0.1)
      assert.are.same({1, 1, 1, 1, 1}, ticked())
      clock.pass(0.15)
      assert.are.same({2, 2, 2, 2, 2}, ticked())
    end)

  it("gives each answer and each written file to those that wait for it",
    function()
      new({world.config_of("web")})
      local answered = {count(one.sync, "take"), count(one.counters, "take"),
        count(one.spare, "take_answer")}
      local written = {count(one.keeper, "take"), count(one.output, "take")}
      local answer = {type = "answer", request = 7, data = ""}
      local job = {type = "job", request = 7, code = 0}
      world.happen(answer)
      world.happen(job)
      assert.are.same({{answer}, {answer}, {answer}}, answered)
      assert.are.same({{job}, {job}}, written)
    end)

  it("gives the client library's lines to the sessions, which look for a cause",
    function()
      new({world.config_of("web")})
      local lines = count(one.sessions, "note_line")
      world.happen({type = "log", message = "refused"})
      world.happen({type = "log", message = "refused"})
      assert.are.same({"refused", "refused"}, lines)
      assert.are.equal(1, log.count("zookeeper: refused"))
    end)

  it("says each of the library's lines again after a minute", function()
    new({world.config_of("web")})
    local function say(text)
      world.happen({type = "log", message = text})
      return log.count(text)
    end
    assert.are.equal(1, say("one"))
    clock.pass(30)
    assert.are.equal(1, say("two"))
    clock.pass(29)
    assert.are.equal(1, say("one"))
    clock.pass(2)
    assert.are.equal(2, say("one"))
    assert.are.equal(1, say("three"))
    -- By then those of a minute ago are not kept any more.
    clock.pass(62)
    say("four")
    local kept = {}
    for kind in pairs(one.quiet_until) do
      table.insert(kept, kind)
    end
    assert.are.same({"four"}, kept)
  end)

  it("does not forget the lines of this minute with each new one", function()
    new({world.config_of("web")})
    for _ = 1, 3 do
      world.happen({type = "log", message = "one"})
      world.happen({type = "log", message = "two"})
    end
    assert.are.equal(1, log.count("zookeeper: one"))
    assert.are.equal(1, log.count("zookeeper: two"))
  end)

  it("tells who looks up names how an ensemble is", function()
    new({world.config_of("web")})
    local reached = count(one.deps.lookup, "reached")
    local lost = count(one.deps.lookup, "lost")
    world.connect()
    assert.are.same({"zk:2181"}, reached)
    lost[1] = nil
    world.happen({type = "session", session = world.sessions[1],
      state = "connecting"})
    assert.are.same({"zk:2181"}, reached)
    assert.are.same({"zk:2181"}, lost)
  end)

  it("tells the journal of znodes that are refused, and of errors", function()
    new({world.config_of("web")})
    world.connect()
    world.obey()
    local told = {}
    function one.journal.report_znode(_, service, znode, problem)
      table.insert(told, service.name .. " " .. znode .. " " .. problem)
    end
    local session = world.sessions[1]
    session.reply("/web", {children = {"a_1"}})
    one:turn()
    session.reply_data("/web/a_1", "{}")
    one:turn()
    assert.are.equal(1, #told)
    assert.is_truthy(told[1]:find("^web a_1 "))
    local errors
    function one.journal.count_errors(_, service, number)
      errors = service.name .. " " .. number
    end
    one.deps.runtime.active = function() return 1, 0, 5 end
    one.usable.deps.active = one.deps.runtime.active
    clock.pass(1)
    one:turn()
    assert.are.equal("web 5", errors)
  end)

  it("reviews a service whose retained instances are due", function()
    new(services(3))
    local reviewed = {}
    for _, service in ipairs(one.services) do
      service.is_review_due = function() return service.name ~= "s002" end
      service.review = function()
        table.insert(reviewed, service.name)
        return service.name == "s001"
      end
    end
    local marked = count(one.sync, "mark")
    clock.pass(1)
    one:turn()
    table.sort(reviewed)
    assert.are.same({"s001", "s003"}, reviewed)
    assert.are.same({one.by_name.s001}, marked)
    clock.pass(1)
    one:turn()
    assert.are.equal(4, #reviewed)
  end)

  -- An instance that is retained, and has a new znode elsewhere.
  it("reviews each service that retains what another znode claims", function()
    new(services(3))
    local reviewed = {}
    for _, service in ipairs(one.services) do
      service.review = function() table.insert(reviewed, service.name) end
    end
    one.retained_by["10.0.0.1:80"] = {[one.by_name.s002] = true}
    one.retained_by["10.0.0.2:80"] = {[one.by_name.s002] = true}
    one.sessions.new_claims = {["10.0.0.1:80"] = true, ["10.0.0.2:80"] = true,
      ["10.0.0.3:80"] = true}
    clock.pass(1)
    one:turn()
    assert.are.same({"s002"}, reviewed)
    one.sessions.new_claims = {["10.0.0.1:80"] = true}
    clock.pass(1)
    one:turn()
    assert.are.same({"s002", "s002"}, reviewed)
  end)

  it("looks at ten services in a tick, however long that takes", function()
    new(services(12))
    clock.pass(1)
    local looked = {}
    function one.usable.look_at(_, service)
      table.insert(looked, service.name)
      clock.pass(0.01)
    end
    one:turn()
    assert.are.equal(10, #looked)
    assert.are.equal("s001", looked[1])
    clock.pass(1)
    repeat until not one:turn()
    assert.are.equal("s011", looked[11])
    assert.are.equal("s001", looked[13])
  end)

  -- Its commands change how many servers are usable: that is no news.
  it("looks at no service whose commands are under way", function()
    new(services(3))
    one.sync.is_uncounted = function(_, service)
      return service.name == "s002"
    end
    clock.pass(1)
    local looked = {}
    function one.usable.look_at(_, service)
      table.insert(looked, service.name)
    end
    one:turn()
    assert.are.same({"s001", "s003"}, looked)
  end)

  it("looks at more where there are many, as far as there is time", function()
    new(services(300))
    clock.pass(1)
    local looked = count(one.usable, "look_at")
    one:turn()
    assert.are.equal(12, #looked)
    clock.pass(1)
    function one.usable.look_at()
      table.insert(looked, true)
      clock.pass(0.01)
    end
    repeat until not one:turn()
    assert.are.equal(22, #looked)
  end)

  it("has done all it can, and rests, once it breaks or stops", function()
    new({world.config_of("web")})
    one:recover()
    assert.is_false(one:turn())
    one:stop()
    clock.pass(2)
    assert.is_false(one:turn())
  end)

  it("starts all parts again after an error", function()
    new({world.config_of("api"), world.config_of("web")})
    local recovered = {}
    for _, service in ipairs(one.services) do
      function service.recover() table.insert(recovered, service.name) end
    end
    local parts = {count(one.live, "distrust"), count(one.sync, "restart"),
      count(one.sessions, "restart")}
    one:recover()
    assert.are.same({"api", "web"}, recovered)
    assert.are.same({{true}, {true}, {true}}, parts)
    assert.is_true(one.changes.is_paused)
  end)

  it("counts what it did since it was last asked", function()
    new({world.config_of("web")})
    world.wall = 100
    one:turn()
    world.worked = 0.25
    assert.are.equal(0.25, one:blocked())
  end)
end)
