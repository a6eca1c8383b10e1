local missing = require("synapse.zookeeper.missing")
local new_session = dofile("tests/fake/session.lua")

local CODES = {ok = 0, no_node = -101, node_exists = -110}
local GONE, DENIED = {code = -101}, {code = -102, error = "denied"}

describe("a path that is missing", function()
  local session, handlers, told

  local function await(create)
    handlers, told = {}, {}
    session = new_session(function(event) handlers[event.request](event) end)
    local function note(name)
      return function(event)
        table.insert(told, name .. (event and event.code or ""))
      end
    end
    missing.await({
      path = "/a/b/c", codes = CODES, create = create, found = note("found"),
      failed = note("failed"), unmade = note("unmade"),
      request = function(op, path, handler)
        local number = session[op](session, path, op == "exists")
        handlers[number or 0] = handler
        return number ~= nil
      end,
    })
  end

  it("is waited for with a watch, and nothing is made", function()
    await(false)
    assert.is_true(session.watched["/a/b/c"])
    session.reply("/a/b/c", GONE)
    assert.are.same({}, session.open())
    assert.are.same({}, told)
  end)

  it("is made with all above it where that is asked for", function()
    await(true)
    session.reply("/a/b/c", GONE)
    local made = {}
    for i, one in ipairs(session.asked) do
      made[i] = one.op .. " " .. one.path
    end
    assert.are.same({"create /a", "create /a/b", "create /a/b/c"}, made)
    session.reply("/a", DENIED)
    session.reply("/a/b", {code = CODES.node_exists})
    session.reply("/a/b/c", {})
    assert.are.same({}, told)
  end)

  it("may have been made by somebody else meanwhile", function()
    await(true)
    session.reply("/a/b/c", GONE)
    session.reply("/a", {})
    session.reply("/a/b", {})
    session.reply("/a/b/c", {code = CODES.node_exists})
    assert.are.same({}, told)
  end)

  it("may be there by now", function()
    await(true)
    session.reply("/a/b/c", {})
    assert.are.same({"found"}, told)
    assert.are.same({}, session.open())
  end)

  it("is told of where it cannot be made", function()
    await(true)
    session.reply("/a/b/c", GONE)
    session.reply("/a/b/c", DENIED)
    assert.are.same({"unmade-102"}, told)
  end)

  it("is told of where it cannot be asked for", function()
    await(true)
    session.reply("/a/b/c", DENIED)
    assert.are.same({"failed-102"}, told)
  end)
end)
