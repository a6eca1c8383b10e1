local cjson = require("cjson.safe")
local snapshot_lock = require("synapse.snapshot.lock")
local new_clock = dofile("tests/fake/clock.lua")
local new_log = dofile("tests/fake/log.lua")

-- Two HAProxies with one state_file_path overwrote each other's services and
-- operator states, without a word.
describe("the lock of the snapshot", function()
  local clock, log, holders, text

  before_each(function()
    clock, log, holders, text = new_clock(), new_log(), {}, ""
  end)

  local function is_taken(identity)
    for _, other in pairs(holders) do
      if other ~= identity then
        return true
      end
    end
    return false
  end

  -- One open file; the kernel gives the lock to many of one identity.
  local function open_file()
    local file = {}
    function file.take(_, identity)
      if is_taken(identity) then
        return false
      end
      holders[file] = identity
      return true
    end
    function file.is_taken(_, identity) return is_taken(identity) end
    function file.read() return text end
    function file.write(_, written) text = written end
    function file.release() holders[file] = nil end
    return file
  end

  local function process(fields)
    local made = {namespace = "ns", start = "ns 10 77", replaced = {},
      files = "/etc/a.cfg"}
    for name, value in pairs(fields or {}) do
      made[name] = value
    end
    return made
  end

  -- Opens the lock as a process does, which then runs under an id.
  local function open(fields, pid)
    local one = snapshot_lock.open(
      {path = "/run/state", now = clock.now, log = log},
      {lock = function(_, name)
        assert.are.equal("state.lock", name)
        return open_file()
      end}, "state", process(fields))
    if pid then
      one:sign(pid)
    end
    return one
  end

  local OTHER = {start = "ns 20 88", files = "/etc/b.cfg"}

  -- What happens to who has the lock when its process ends.
  local function kill(one)
    holders[one.file] = nil
  end

  it("is the first one's, who says nothing of it", function()
    local one = open(nil, 11)
    assert.is_nil(one.holder)
    assert.is_true(one:may_write())
    assert.are.same({}, log.lines)
  end)

  it("tells the second who has it, once, and what to do", function()
    open(nil, 11)
    local second = open(OTHER, 21)
    assert.are.equal("the HAProxy with process id 11 and /etc/a.cfg",
      second.holder)
    assert.is_false(second:may_write())
    clock.pass(5)
    assert.is_false(second:may_write())
    assert.are.same({"error: haproxy.state_file_path: the HAProxy with " ..
      "process id 11 and /etc/a.cfg has /run/state: this HAProxy starts " ..
      "without a snapshot and keeps none until the other ends; give each " ..
      "HAProxy a file of its own"}, log.lines)
  end)

  it("is shared by the worker that a master's reload starts", function()
    local old = open(nil, 11)
    local new = open({replaced = {["11"] = true}}, 12)
    assert.is_nil(new.holder)
    assert.is_true(old:may_write() and new:may_write())
    old:release()
    assert.is_string(open(OTHER).holder)
  end)

  it("is shared over many reloads, whatever the first process was", function()
    open(nil, 11)
    local one
    for number = 1, 5 do
      one = open({start = "ns 1 " .. number,
        replaced = {[tostring(10 + number)] = true}}, 11 + number)
      assert.is_nil(one.holder)
    end
    assert.is_nil(open({start = "ns 1 5"}).holder)
    assert.is_string(open(OTHER).holder)
  end)

  -- The master may be told to reload before the new worker's task has run.
  it("is shared before the new worker has said its process id", function()
    open(nil, 11)
    open()
    assert.is_nil(open({replaced = {["12"] = true}}).holder)
  end)

  -- Each container has a process 8.
  it("is not shared with a process of that id in another container",
    function()
      open(nil, 8)
      local other = open({namespace = "ns2", start = "ns2 1 77",
        replaced = {["8"] = true}})
      assert.is_string(other.holder)
    end)

  it("is not given to one that only checks for a holder of no sense",
    function()
      for _, nonsense in ipairs({"", "[]", "7", '{"pid":"x"}', "\0",
        '{"pid":1}', '{"identity":7,"namespace":"ns","start":"ns 20 88"}'})
      do
        holders, text = {["somebody"] = "else"}, nonsense
        assert.are.equal("another HAProxy", open(OTHER).holder)
      end
    end)

  it("shows no more of a name than a line has room for", function()
    open({files = ("x"):rep(5000)}, 11)
    assert.are.equal(#"the HAProxy with process id 11 and " + 200,
      #open(OTHER).holder)
  end)

  it("is the next one's once nobody has had it for ten seconds", function()
    local first = open(nil, 11)
    local second = open(OTHER, 21)
    kill(first)
    for _ = 1, 10 do
      assert.is_false(second:may_write())
      clock.pass(1)
    end
    assert.is_true(second:may_write())
    assert.is_nil(second.holder)
    assert.are.equal(1, log.count("warning: /run/state: no other HAProxy " ..
      "has it any more; this one keeps its snapshot there now"))
    assert.are.equal("the HAProxy with process id 21 and /etc/b.cfg",
      open().holder)
  end)

  it("stays with one that is started again in time", function()
    local first = open(nil, 11)
    local second = open(OTHER, 21)
    kill(first)
    for _ = 1, 9 do
      second:may_write()
      clock.pass(1)
    end
    local again = open({start = "ns 30 99"}, 31)
    assert.is_nil(again.holder)
    for _ = 1, 9 do
      assert.is_false(second:may_write())
      clock.pass(1)
    end
    assert.are.equal("the HAProxy with process id 31 and /etc/a.cfg",
      second.holder)
    kill(again)
    for _ = 1, 10 do
      assert.is_false(second:may_write())
      clock.pass(1)
    end
    assert.is_true(second:may_write())
  end)

  it("is looked at each second, and not more often", function()
    local first = open(nil, 11)
    local second, looks = open(OTHER, 21), 0
    local is_taken_before = second.file.is_taken
    second.file.is_taken = function(...)
      looks = looks + 1
      return is_taken_before(...)
    end
    kill(first)
    for _ = 1, 20 do
      second:may_write()
      clock.pass(0.1)
    end
    assert.are.equal(2, looks)
  end)

  it("is given back once, by who has it", function()
    local first = open(nil, 11)
    local second = open(OTHER, 21)
    second:release()
    assert.is_string(open({start = "ns 3 3"}).holder)
    first:release()
    assert.is_nil(open({start = "ns 3 3"}).holder)
  end)

  it("is not signed by who does not have it", function()
    open(nil, 11)
    open(OTHER, 21)
    assert.are.equal(11, cjson.decode(text).pid)
  end)

  it("is missed, and said so, where the file system has none", function()
    local file = open_file()
    file.take = function() return nil, "lock: No locks available", 37 end
    local directories = {
      {lock = function() return file end},
      {lock = function() return nil, "state.lock: Read-only file system" end},
    }
    for i, why in ipairs({"lock: No locks available",
      "state.lock: Read-only file system"})
    do
      local one = snapshot_lock.open(
        {path = "/run/state", now = clock.now, log = log},
        directories[i], "state", process())
      one:sign(11)
      assert.is_true(one:may_write())
      one:release()
      assert.are.equal("warning: /run/state.lock: " .. why .. "; nobody " ..
        "would notice another HAProxy that writes the snapshot", log.lines[i])
    end
  end)
end)
