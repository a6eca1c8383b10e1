local candidates = require("synapse.generate.candidate")
local stat = require("posix.sys.stat")
local stdlib = require("posix.stdlib")
local unistd = require("posix.unistd")
local new_directory = dofile("tests/fake/directory.lua")

describe("a candidate", function()
  local directory, place

  before_each(function()
    directory = new_directory()
    place = directory.path .. "/haproxy.cfg"
  end)

  after_each(function()
    directory.remove()
  end)

  local function new(text, path)
    local candidate = assert(candidates.new(path or place))
    candidate:write(text)
    return candidate
  end

  local function mode_of(path)
    return stat.stat(path).st_mode & 4095
  end

  it("is beside the file that it may replace, and is written anew", function()
    local candidate = new("long text")
    candidate:write("text")
    assert.are.equal(1, #directory.names())
    assert.is_truthy(directory.names()[1]:find("^haproxy%.cfg%.%w+$"))
    assert.are.equal("text", directory.read(directory.names()[1]))
  end)

  it("leaves nothing behind", function()
    collectgarbage()
    collectgarbage()
    local descriptor = unistd.dup(0)
    unistd.close(descriptor)
    local candidate = new("text")
    candidate:close()
    candidate:close()
    assert.are.same({}, directory.names())
    assert.are.equal(descriptor, unistd.dup(0))
    unistd.close(descriptor)
  end)

  it("is in TMPDIR where there is no file to replace", function()
    local before = os.getenv("TMPDIR")
    stdlib.setenv("TMPDIR", directory.path, true)
    local candidate = assert(candidates.new(nil))
    assert.is_truthy(
      directory.names()[1]:find("^synapse%-haproxy%-cfg%.%w+$"))
    candidate:close()
    stdlib.setenv("TMPDIR", nil)
    candidate = assert(candidates.new(nil))
    assert.are.equal("/tmp/synapse-haproxy-cfg.", candidate.path:sub(1, 25))
    candidate:close()
    stdlib.setenv("TMPDIR", before, true)
  end)

  it("cannot be where there is no directory", function()
    local candidate, why = candidates.new(directory.path .. "/no/haproxy.cfg")
    assert.is_nil(candidate)
    assert.are.equal(directory.path .. "/no/haproxy.cfg: No such file or " ..
      "directory", why)
  end)

  it("takes the place of the file, and keeps its mode", function()
    directory.write("haproxy.cfg", "old")
    stat.chmod(place, tonumber("640", 8))
    assert.are.equal("written", new("new"):replace(place))
    assert.are.same({"haproxy.cfg"}, directory.names())
    assert.are.equal("new", directory.read("haproxy.cfg"))
    assert.are.equal(tonumber("640", 8), mode_of(place))
  end)

  it("can be read by everybody where it is new", function()
    assert.are.equal("written", new("new"):replace(place))
    assert.are.equal(tonumber("644", 8), mode_of(place))
  end)

  it("leaves an equal file as it is", function()
    directory.write("haproxy.cfg", "same")
    local before = stat.stat(place).st_ino
    local candidate = new("same")
    assert.are.equal("unchanged", candidate:replace(place))
    assert.are.equal(before, stat.stat(place).st_ino)
    candidate:close()
    assert.are.same({"haproxy.cfg"}, directory.names())
  end)

  it("replaces what a link leads to, and leaves the link", function()
    directory.write("real.cfg", "old")
    unistd.link("real.cfg", place, true)
    assert.are.equal("written", new("new"):replace(place))
    assert.are.equal("new", directory.read("real.cfg"))
    assert.is_not_equal(0, stat.S_ISLNK(stat.lstat(place).st_mode))
  end)

  it("asks HAProxy, whose answer and verdict it returns", function()
    directory.play_haproxy('echo "$1 $2 $(cat "$3")"; echo bad >&2; exit 1')
    local candidate = new("text")
    assert.are.same({"-c -f text\nbad\n", false}, {candidate:check()})
    directory.play_haproxy("echo good")
    assert.are.same({"good\n", true}, {candidate:check()})
  end)

  it("may have any name", function()
    directory.play_haproxy('cat "$3"')
    local candidate = new("text", directory.path .. "/it's $(haproxy).cfg")
    assert.are.same({"text", true}, {candidate:check()})
  end)
end)
