local connection = require("synapse.control.connection")
local socket = require("posix.sys.socket")
local stat = require("posix.sys.stat")
local unistd = require("posix.unistd")
local new_directory = dofile("tests/fake/directory.lua")

describe("a question to a stats socket", function()
  local directory, path, listener

  before_each(function()
    directory = new_directory()
    path = directory.path .. "/sock"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0)
  end)

  after_each(function()
    unistd.close(listener)
    directory.remove()
  end)

  local function listen()
    socket.bind(listener, {family = socket.AF_UNIX, path = path})
    socket.listen(listener, 4)
  end

  -- The server answers before it is asked: the question waits for it.
  local function ask(answer, line)
    local descriptor = assert(connection.open(path))
    local server = socket.accept(listener)
    socket.send(server, answer)
    socket.shutdown(server, socket.SHUT_WR)
    local said, why = connection.ask(descriptor, line)
    local asked = socket.recv(server, 100)
    unistd.close(server)
    assert.is_nil((unistd.read(descriptor, 1)))
    return said, why, asked
  end

  it("is one line, and the answer all that comes", function()
    listen()
    local said, why, asked = ask("one\ntwo\n", "show synapse")
    assert.are.same({"one\ntwo\n", nil, "show synapse\n"}, {said, why, asked})
    local long = ("x"):rep(100000)
    assert.are.equal(#long, #ask(long, "show"))
  end)

  it("without an answer says so", function()
    listen()
    for _, nothing in ipairs({"\n", " \n\n"}) do
      local said, why = ask(nothing, "show")
      assert.are.same({nil,
        "HAProxy closed the connection without an answer"}, {said, why})
    end
  end)

  local function refused()
    local descriptor, why = connection.open(path)
    assert.is_nil(descriptor)
    return why
  end

  it("says why there is nobody to ask", function()
    assert.are.equal(path .. ": no such socket; is HAProxy running?",
      refused())
    directory.write("sock", "")
    assert.are.equal(path .. ": is no socket", refused())
    os.remove(path)
    socket.bind(listener, {family = socket.AF_UNIX, path = path})
    assert.are.equal(path .. ": nobody listens; is HAProxy running?",
      refused())
  end)

  it("has a path that a socket can have", function()
    path = "/tmp/" .. ("x"):rep(102)
    assert.are.equal(path .. ": no such socket; is HAProxy running?",
      refused())
    path = path .. "x"
    assert.are.equal(path .. ": longer than 107 bytes, so it is no socket",
      refused())
  end)

  it("leaves no descriptor behind", function()
    listen()
    local before = unistd.dup(0)
    unistd.close(before)
    ask("x", "show")
    os.remove(path)
    refused()
    local after = unistd.dup(0)
    unistd.close(after)
    assert.are.equal(before, after)
  end)

  it("without rights names who has them", function()
    local connect = socket.connect
    listen()
    stat.chmod(path, tonumber("660", 8))
    rawset(socket, "connect", function()
      return nil, "Permission denied", require("posix.errno").EACCES
    end)
    local why = refused()
    rawset(socket, "connect", connect)
    assert.is_truthy(why:find("^" .. path:gsub("%p", "%%%0") ..
      ": no rights %(user %w+, group %w+, mode 660%); use sudo, or a user " ..
      "of that group$"), why)
  end)
end)
