local snapshot_file = require("synapse.snapshot.file")
local encode = dofile("tests/fake/snapshot.lua")
local new_clock = dofile("tests/fake/clock.lua")
local new_log = dofile("tests/fake/log.lua")

local function checksum(text, before)
  return string.format("%016x", #text + tonumber(before or "0", 16))
end

local MINE = encode.whole({encode.service({
  name = "web", path = "/web", placed = {}, states = {}, orders = {},
  retained = {}, addresses = {}, departed = {}, failing = {}, since = {},
  instances = {{key = "10.0.0.1:80", host = "10.0.0.1", port = 80}},
})}, checksum)

describe("the place of the snapshot", function()
  local log, changed

  before_each(function()
    log, changed = new_log(), 99999
  end)

  -- Opens a place in a directory that has the given files.
  local function open(path, files)
    return snapshot_file.open({
      log = log, now = function() return 100000 end,
      zookeeper = {
        checksum = checksum,
        open_directory = function(place)
          if place ~= "/run/x/" and place ~= "." then
            return nil, place .. ": No such file or directory", 2
          end
          return {read = function(_, name)
            if files[name] then
              return files[name]
            end
            return nil, name .. ": No such file or directory", 2
          end, changed = function() return changed end}
        end,
      },
    }, path, 3600)
  end

  it("has old records where the file is older than it may be", function()
    changed = 100000 - 3600
    assert.is_nil(open("/run/x/state", {state = MINE}).records.web.is_old)
    changed = changed - 1
    assert.is_true(open("/run/x/state", {state = MINE}).records.web.is_old)
    assert.are.equal(1, log.count("warning: /run/x/state: is 3601 s old, " ..
      "and state_file_ttl is 3600 s"))
  end)

  -- The second of two HAProxies with one state_file_path is not to serve what
  -- the first one has.
  it("has no records where another HAProxy has the lock", function()
    local asked
    local function open_as(process, is_free)
      return snapshot_file.open({
        log = log, now = function() return changed end, process = process,
        zookeeper = {
          checksum = checksum, now = function() return 0 end,
          open_directory = function()
            return {
              read = function() return MINE end,
              changed = function() return changed end,
              lock = function(_, name)
                asked = name
                return {read = function() return "" end,
                  take = function() return is_free end}
              end,
            }
          end,
        },
      }, "/run/x/state", 3600)
    end
    local process = {namespace = "", start = "1", replaced = {}, files = ""}
    local second = open_as(process, false)
    assert.are.equal("state.lock", asked)
    assert.are.same({}, second.records)
    assert.are.equal("another HAProxy", second.lock.holder)
    assert.is_table(open_as(process, true).records.web)
    asked = nil
    local checks = open_as(nil, false)
    assert.is_nil(asked)
    assert.is_nil(checks.lock)
    assert.is_table(checks.records.web)
  end)

  it("has the records of the last run", function()
    local place = open("/run/x/state", {state = MINE})
    assert.are.equal("10.0.0.1:80", place.records.web.instances[1].key)
    assert.are.equal("state", place.name)
    assert.are.same({}, log.lines)
  end)

  it("is empty at first, and nobody is told", function()
    local place = open("/run/x/state", {})
    assert.are.same({}, place.records)
    assert.is_table(place.directory)
    assert.are.same({}, log.lines)
  end)

  it("may be a relative path", function()
    assert.are.equal("state", open("state", {}).name)
  end)

  it("is beside a file of the Ruby synapse, which is left alone", function()
    local place = open("/run/x/state", {state = '{"web":{}}'})
    assert.are.equal("state.myelin", place.name)
    assert.are.same({"warning: /run/x/state: is another program's, left " ..
      "alone; using /run/x/state.myelin"}, log.lines)
  end)

  it("is read beside a file of the Ruby synapse", function()
    local place = open("/run/x/state",
      {state = '{"web":{}}', ["state.myelin"] = MINE})
    assert.is_table(place.records.web)
  end)

  it("starts empty if the file is damaged", function()
    local place = open("/run/x/state", {state = MINE .. "x"})
    assert.are.same({}, place.records)
    assert.are.equal("state", place.name)
    assert.are.same({"warning: /run/x/state: is damaged, ignored"}, log.lines)
  end)

  it("starts empty if the file is of another version", function()
    local other = MINE:gsub("snapshot 1", "snapshot 9")
    open("/run/x/state", {state = other})
    assert.are.same({"warning: /run/x/state: is of another version, ignored"},
      log.lines)
  end)

  it("is none, loudly, where the directory is missing", function()
    local place = open("/nowhere/state", {})
    assert.is_nil(place.directory)
    assert.are.same({}, place.records)
    assert.are.equal(1, log.count("error: haproxy.state_file_path: /nowhere/"))
  end)

  it("is none, with a word, where none is configured", function()
    assert.is_nil(open(nil, {}).directory)
    assert.are.equal(1, log.count("warning: no haproxy.state_file_path"))
  end)
end)

describe("the keeper of the snapshot", function()
  local clock, log, written, text, one

  before_each(function()
    clock, log, written, text = new_clock(), new_log(), {}, "first"
    one = snapshot_file.keeper({
      encode = function() return text end,
      write = function(data)
        table.insert(written, data)
        return #written
      end,
      path = "/run/state", now = clock.now, log = log,
    })
  end)

  local function changed(to)
    text = to
    one:changed()
    clock.pass(0.1)
    one:tick()
  end

  local function ended(code, why)
    one:take({request = #written, code = code, error = why})
  end

  it("writes what changed", function()
    changed("first")
    assert.are.same({"first"}, written)
  end)

  it("goes on with a text that was not complete", function()
    local encoded = 0
    one.deps.encode = function()
      encoded = encoded + 1
      return encoded % 3 == 0 and text .. encoded or nil
    end
    changed("first")
    one:tick()
    one:changed()
    assert.are.same({}, written)
    one:tick()
    assert.are.same({"first3"}, written)
    ended(0)
    one:tick()
    assert.are.equal(3, encoded)
    clock.pass(1)
    for _ = 1, 3 do
      one:tick()
    end
    assert.are.same({"first3", "first6"}, written)
  end)

  -- An operator was told that a state survives a reload while the text with it
  -- was still being put together.
  it("is not saved while a text is not complete", function()
    local encoded = 0
    one.deps.encode = function()
      encoded = encoded + 1
      return encoded == 2 and text or nil
    end
    one:changed_by_hand()
    one:tick()
    assert.is_false(one:is_saved())
    one:tick()
    assert.is_false(one:is_saved())
    ended(0)
    assert.is_true(one:is_saved())
  end)

  it("writes nothing while another HAProxy has the lock, and then all",
    function()
      local may_write, released = false, 0
      one.deps.lock = {
        holder = "somebody",
        may_write = function() return may_write end,
        release = function() released = released + 1 end,
      }
      changed("first")
      clock.pass(100)
      one:tick()
      assert.are.same({}, written)
      assert.are.equal("somebody", one:holder())
      may_write = true
      one:tick()
      assert.are.same({"first"}, written)
      one:stop()
      assert.are.equal(1, released)
      one:tick()
    end)

  it("writes nothing when nothing changed", function()
    one:tick()
    assert.are.same({}, written)
  end)

  it("writes each minute, once it has written", function()
    clock.pass(60)
    one:tick()
    assert.are.same({}, written)
    changed("first")
    ended(0)
    clock.pass(59)
    one:tick()
    assert.are.same({"first"}, written)
    clock.pass(1)
    one:tick()
    assert.are.same({"first", "first"}, written)
    one:tick()
    ended(0)
    clock.pass(59)
    one:tick()
    assert.are.equal(2, #written)
  end)

  it("writes at most once a second", function()
    changed("first")
    ended(0)
    changed("second")
    clock.pass(0.8)
    one:tick()
    assert.are.same({"first"}, written)
    clock.pass(0.11)
    one:tick()
    assert.are.same({"first", "second"}, written)
  end)

  it("writes the changes of a moment together", function()
    text = "a part"
    one:changed()
    one:tick()
    clock.pass(0.05)
    one:tick()
    assert.are.same({}, written)
    text = "all of it"
    one:changed()
    clock.pass(0.06)
    one:tick()
    assert.are.same({"all of it"}, written)
  end)

  it("does not wait for a change that never ends", function()
    for _ = 1, 12 do
      one:changed()
      one:tick()
      clock.pass(0.01)
    end
    assert.are.equal(1, #written)
  end)

  it("writes what a person did at once", function()
    changed("first")
    ended(0)
    text = "second"
    one:changed_by_hand()
    one:tick()
    assert.are.same({"first", "second"}, written)
  end)

  -- A thousand services that started wrote it again and again.
  it("writes what may wait after some seconds, or with what may not", function()
    text = "second"
    one:changed_a_little()
    clock.pass(4.9)
    one:changed_a_little()
    one:tick()
    assert.are.same({}, written)
    clock.pass(0.1)
    one:tick()
    assert.are.same({"second"}, written)
    ended(0)
    one:changed_a_little()
    clock.pass(1)
    changed("third")
    ended(0)
    clock.pass(6)
    text = "fourth"
    one:tick()
    assert.are.same({"second", "third"}, written)
  end)

  it("writes one at a time", function()
    changed("first")
    clock.pass(5)
    changed("second")
    assert.are.same({"first"}, written)
    ended(0)
    one:tick()
    assert.are.same({"first", "second"}, written)
  end)

  it("does not write the same again", function()
    changed("first")
    ended(0)
    clock.pass(5)
    changed("first")
    assert.are.same({"first"}, written)
  end)

  it("reports a full disk once, and tries again", function()
    changed("first")
    ended(28, "No space left on device")
    clock.pass(10)
    one:tick()
    ended(28, "No space left on device")
    assert.are.same({"first", "first"}, written)
    assert.are.same({"error: /run/state: cannot be written: No space left " ..
      "on device; the old snapshot stays"}, log.lines)
  end)

  it("tells when writing works again", function()
    changed("first")
    ended(28, "No space left on device")
    clock.pass(10)
    one:tick()
    ended(0)
    assert.are.equal("info: /run/state: written again", log.lines[2])
  end)

  it("writes nothing any more once it is stopped", function()
    one:changed()
    one:stop()
    one:tick()
    assert.are.same({}, written)
  end)

  it("takes no interest in the jobs of others", function()
    changed("first")
    one:take({request = 99, code = 28, error = "No space left on device"})
    assert.are.same({}, log.lines)
  end)

  it("is quiet where no snapshot is kept", function()
    one = snapshot_file.keeper({encode = error, now = clock.now, log = log})
    one:changed()
    one:tick()
    assert.are.same({}, log.lines)
  end)
end)
