local cjson = require("cjson")
local connection = require("synapse.control.connection")
local options = require("synapse.control.options")
local posix_time = require("posix.time")
local program = require("synapse.control.program")
local terminal = require("synapse.control.terminal")
local zookeeper = require("synapse.c_module")

local KEY = "10.0.0.1:80"

describe("synapsectl", function()
  local answers, asked, printed, said, closed, before, passed

  local function answer_of(line)
    local answer = answers[line]
    if type(answer) == "function" then
      return answer()
    elseif type(answer) == "table" then
      return cjson.encode(answer)
    end
    return answer, answer == nil and "nobody answers" or nil
  end

  before_each(function()
    answers, asked, closed, passed = {}, {}, nil, 0
    before = {open = connection.open, ask = connection.ask,
      stdout = io.stdout, stderr = io.stderr,
      nanosleep = posix_time.nanosleep, clock = posix_time.clock_gettime,
      is_there = terminal.is_there}
    -- Of a terminal that runs the tests nothing is taken.
    terminal.is_there = function() return false end
    connection.open = function(path)
      if closed then
        return nil, path .. ": " .. closed
      end
      return 99
    end
    connection.ask = function(descriptor, line)
      assert.are.equal(99, descriptor)
      asked[#asked + 1] = line
      return answer_of(line)
    end
    rawset(posix_time, "clock_gettime", function()
      return {tv_sec = 1000 + math.floor(passed),
        tv_nsec = math.floor(passed % 1 * 1e9)}
    end)
    rawset(posix_time, "nanosleep", function(time)
      passed = passed + time.tv_sec + time.tv_nsec / 1e9
    end)
  end)

  after_each(function()
    connection.open, connection.ask = before.open, before.ask
    terminal.is_there = before.is_there
    rawset(posix_time, "nanosleep", before.nanosleep)
    rawset(posix_time, "clock_gettime", before.clock)
  end)

  local function writer(parts)
    return {write = function(_, ...)
      for _, text in ipairs({...}) do
        parts[#parts + 1] = text
      end
    end}
  end

  local function run(...)
    local to_stdout, to_stderr = {}, {}
    rawset(io, "stdout", writer(to_stdout))
    rawset(io, "stderr", writer(to_stderr))
    local ok, status = pcall(program.run, {"-s", "/s", ...})
    rawset(io, "stdout", before.stdout)
    rawset(io, "stderr", before.stderr)
    printed, said = table.concat(to_stdout), table.concat(to_stderr)
    assert.is_true(ok, status)
    return status
  end

  local function web(ready)
    return {service = "web", backend = "be", state = "whole", reasons = {},
      number = 3, counts = {ready = ready}, slots = {used = 3, all = 16},
      paths = {}, instances = {}}
  end

  it("tells its usage and its version", function()
    assert.are.equal(0, run("--help"))
    assert.are.same({options.USAGE, ""}, {printed, said})
    assert.are.equal(0, run("--version"))
    assert.are.equal("synapsectl " .. zookeeper.version .. "\n", printed)
    assert.are.same({}, asked)
  end)

  it("says what is wrong with the command line", function()
    assert.are.equal(2, run("statsu"))
    assert.are.equal("synapsectl: statsu is not a command; did you mean " ..
      '"status"?\n' .. options.USAGE, said)
    assert.are.equal(2, run("--json", "statsu"))
    assert.are.same({"failed", ""}, {cjson.decode(printed).result, said})
  end)

  it("shows the status to people, and to programs as it came", function()
    answers["show synapse json"] =
      {troubles = {}, ensembles = {}, services = {web(3)}}
    assert.are.equal(0, run("status"))
    assert.is_truthy(printed:find("\nwhole  web      3/3    3/16   -\n", 1,
      true))
    assert.are.equal(0, run("status", "--json"))
    assert.are.equal("web", cjson.decode(printed).services[1].service)
    assert.are.equal("\n", printed:match("%s*$"))
  end)

  it("shows a service, an instance and a dump", function()
    answers["show synapse service web json"] = web(3)
    assert.are.equal(0, run("service", "web"))
    assert.is_truthy(printed:find("^service  web\n"))
    answers["show synapse instance " .. KEY .. " json"] =
      {services = {{service = "web", at = {state = "ready"}}}}
    assert.are.equal(0, run("instance", KEY))
    assert.is_truthy(printed:find("\nready  web", 1, true))
    answers["show synapse dump"] = '{"schema": 1}\n\n'
    assert.are.equal(0, run("dump"))
    assert.are.equal('{"schema": 1}\n', printed)
  end)

  it("says what the agent says that is no JSON", function()
    answers["show synapse service web json"] = "web: no such service\n\n"
    assert.are.equal(1, run("service", "web"))
    assert.are.same({"", "synapsectl: web: no such service\n"},
      {printed, said})
    assert.are.equal(1, run("service", "web", "--json"))
    assert.are.same({result = "failed", message = "web: no such service"},
      cjson.decode(printed))
  end)

  it("tells an HAProxy without the agent from one that hangs", function()
    for _, answer in ipairs({"Unknown command: 'show synapse', try:",
      "Permission denied\n"}) do
      answers["show synapse json"] = answer
      assert.are.equal(1, run("status"))
      assert.are.equal("synapsectl: /s: this HAProxy has no agent, or one " ..
        "that is older than this synapsectl (it does not know `show " ..
        "synapse`)\n", said)
    end
    answers["show synapse json"] = nil
    assert.are.equal(1, run("status"))
    assert.are.equal("synapsectl: /s: nobody answers\n", said)
    closed = "no rights"
    assert.are.equal(1, run("status"))
    assert.are.equal("synapsectl: /s: no rights\n", said)
  end)

  local function event(number, service)
    return {number = number, time = 1000, service = service, from = "a",
      to = "b"}
  end

  it("shows the events of all services, or of one", function()
    answers["show synapse events json"] = {schema = 1, last = 2,
      events = {event(1, "web"), event(2, "api")}}
    assert.are.equal(0, run("events"))
    assert.are.equal(3, select(2, printed:gsub("\n", "")))
    assert.are.equal(0, run("events", "web"))
    assert.are.equal(2, select(2, printed:gsub("\n", "")))
    assert.are.equal(0, run("events", "--json"))
    assert.are.equal(2, #cjson.decode(printed).events)
    assert.are.equal(0, run("events", "api", "--json"))
    assert.are.same({schema = 1, last = 2, events = {event(2, "api")}},
      cjson.decode(printed))
    assert.are.equal(0, run("events", "nobody", "--json"))
    assert.are.equal('{"schema":1,"last":2,"events":[]}\n', printed)
    answers["show synapse events json"] = nil
    assert.are.equal(1, run("events"))
  end)

  it("changes what it is told to, and exits as that ended", function()
    local line = "synapse freeze web json"
    answers[line] = {result = "done", message = "web is frozen"}
    assert.are.equal(0, run("freeze", "web"))
    assert.are.same({"web is frozen\n", ""}, {printed, said})
    assert.are.equal(0, run("freeze", "web", "--json"))
    assert.are.same(answers[line], cjson.decode(printed))
    answers[line] = {result = "pending", message = "later"}
    assert.are.equal(3, run("freeze", "web"))
    assert.are.same({"", "synapsectl: later\n"}, {printed, said})
    answers[line] = {result = "failed", message = "no"}
    assert.are.equal(1, run("freeze", "web"))
    answers[line] = {something = "else"}
    assert.are.equal(1, run("freeze", "web"))
    answers[line] = nil
    assert.are.equal(1, run("freeze", "web"))
    assert.are.equal("synapsectl: /s: nobody answers\n", said)
  end)

  it("waits until enough instances are ready", function()
    local ready = 1
    answers["show synapse service web json"] = function()
      ready = ready + 1
      return cjson.encode(web(ready - 1))
    end
    assert.are.equal(0, run("wait", "web", "--ready", "3"))
    assert.are.same({"web has 3 instances of 3 ready\n", 0.5},
      {printed, passed})
  end)

  it("waits no longer than it is told, a minute else", function()
    answers["show synapse service web json"] = web(1)
    assert.are.equal(1, run("wait", "web", "--ready", "2", "--timeout", "3"))
    assert.are.same({"synapsectl: web has 1 instance of 2 ready after 3 s\n",
      3}, {said, passed})
    passed = 0
    assert.are.equal(1, run("wait", "web", "--ready", "2"))
    assert.are.equal(60, passed)
  end)

  it("waits through a reload, and not for one that never answered",
    function()
      local times = 0
      answers["show synapse service web json"] = function()
        times = times + 1
        if times == 2 then
          return nil, "gone"
        end
        return cjson.encode(web(times))
      end
      assert.are.equal(0, run("wait", "web", "--ready", "3"))
      answers["show synapse service web json"] = nil
      assert.are.equal(1, run("wait", "web", "--ready", "3"))
      assert.are.equal("synapsectl: /s: nobody answers\n", said)
    end)

  it("shows the live view once where there is no terminal", function()
    local happened = {}
    for i = 1, 12 do
      happened[i] = event(i, "s" .. i)
    end
    answers["show synapse json"] =
      {troubles = {}, ensembles = {}, services = {web(3)}}
    answers["show synapse events json"] = {events = happened}
    assert.are.equal(0, run("top", "--json"))
    assert.are.equal(1, #cjson.decode(printed).services)
    assert.are.equal(0, run("top"))
    assert.is_nil(printed:find("  s2 ", 1, true))
    assert.is_truthy(printed:find("  s3 ", 1, true))
    assert.is_truthy(printed:find("  s12 ", 1, true))
  end)
end)
