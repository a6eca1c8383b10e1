local snapshot = require("synapse.snapshot.format")
local storage = require("synapse.snapshot.file")
local new_log = dofile("tests/fake/log.lua")

local function checksum(text)
  return string.format("%016x", #text)
end

local MINE = snapshot.encode({snapshot.encode_service({
  name = "web", path = "/web", placed = {}, held = {},
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
    return storage.open({
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

  it("starts anew from a damaged file", function()
    local place = open("/run/x/state", {state = MINE .. "x"})
    assert.are.same({}, place.records)
    assert.are.equal("state", place.name)
    assert.are.same({"warning: /run/x/state: is damaged, ignored"}, log.lines)
  end)

  it("starts anew from another version", function()
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
