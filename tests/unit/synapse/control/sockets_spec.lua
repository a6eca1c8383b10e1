local sockets = require("synapse.control.sockets")

local AGENT = 'global\n  stats socket "${SYNAPSE_ADMIN}" level admin\n'

describe("the sockets that are tried", function()
  local files

  local edges = {
    read = function(path) return files[path] or nil end,
    list = function() return nil end,
    exists = function(path) return files[path] ~= nil end,
  }

  local function find(request, variable)
    local list, why = sockets.find(request, variable, edges)
    if not list then
      return nil, why
    end
    local paths = {}
    for i, socket in ipairs(list) do
      paths[i] = socket.path
    end
    return paths
  end

  before_each(function()
    files = {
      ["/etc/haproxy/haproxy.cfg"] = AGENT ..
        "  stats socket /run/admin.sock level admin\n" ..
        "  stats socket ipv4@127.0.0.1:9999 level admin name tcp\n",
      ["/etc/haproxy/synapse.cfg"] = "global\n  stats socket " ..
        "unix@/run/synapse.sock level operator name synapse\n" ..
        "  stats socket /run/watch.sock level user name watch\n",
    }
  end)

  it("are those of Debian's files, the ones that may change first", function()
    assert.are.same({"/run/synapse.sock", "/run/admin.sock",
      "/run/watch.sock"}, find({}))
  end)

  it("are for changes only those that may, if there are any", function()
    assert.are.same({"/run/synapse.sock"}, find({changes = true}))
    files["/etc/haproxy/synapse.cfg"] = nil
    assert.are.same({"/run/admin.sock"}, find({changes = true}))
  end)

  it("are what was said, -s before -c before the variable", function()
    files.mine = "global\n  stats socket /run/mine.sock\n"
    assert.are.same({"/s"}, find({socket = "/s", config = {"mine"}}, "/v"))
    assert.are.same({"/run/mine.sock"}, find({config = {"mine"}}, "/v"))
    assert.are.same({"/v"}, find({}, "/v"))
    assert.are.equal(3, #find({}, ""))
  end)

  it("are none where no file can be read", function()
    files["/etc/haproxy/synapse.cfg"] = false
    assert.are.same({nil, "/etc/haproxy/synapse.cfg: cannot be read; say " ..
      "where HAProxy listens: -s SOCKET, or SYNAPSE_SOCKET"}, {find({})})
    files = {}
    assert.are.same({nil, "/etc/haproxy/haproxy.cfg and " ..
      "/etc/haproxy/synapse.cfg: no such files; say where HAProxy listens: " ..
      "-s SOCKET, or SYNAPSE_SOCKET"}, {find({})})
    assert.is_truthy(select(2, find({config = {"x"}})):find(
      "^x: cannot be read: no such file; say"))
  end)

  it("are none where no file has one with a path", function()
    files = {["/etc/haproxy/haproxy.cfg"] = AGENT}
    assert.is_truthy(select(2, find({})):find(
      "no `stats socket` with a path; add `stats socket /run/", 1, true))
  end)
end)
