local children = require("synapse.zookeeper.children")
local new_names = dofile("tests/fake/names.lua")

local function sorted(list)
  table.sort(list)
  return list
end

describe("the children of a path", function()
  local one

  before_each(function()
    one = children.new({a = true, b = true})
  end)

  it("tells what is new and what is gone", function()
    local fresh, gone = one:take({"b", "c", "d"})
    assert.are.same({"c", "d"}, sorted(fresh))
    assert.are.same({"a"}, gone)
  end)

  it("tells nothing of the same list", function()
    local fresh, gone = one:take({"b", "a"})
    assert.are.same({}, fresh)
    assert.are.same({}, gone)
  end)

  it("may become empty, and fill again", function()
    local _, gone = one:take({})
    assert.are.same({"a", "b"}, sorted(gone))
    assert.are.same({"a"}, (one:take({"a"})))
  end)

  it("follows whole lists, and looks at the names of the first only",
    function()
      local asked = 0
      local function reply(names)
        return setmetatable({names = new_names(names)},
          {__index = function()
            asked = asked + 1
            return names
          end})
      end
      local fresh, gone = one:follow(reply({"b", "c"}))
      assert.are.same({{"c"}, {"a"}}, {fresh, gone})
      fresh, gone = one:follow(reply({"d", "c"}))
      assert.are.same({{"d"}, {"b"}}, {fresh, gone})
      assert.is_true(one:has("d"))
      assert.is_false(one:has("b"))
      assert.are.equal(1, asked)
    end)

  it("tells a name as new that was forgotten between whole lists", function()
    one:follow({names = new_names({"a", "b"}), children = {"a", "b"}})
    one:forget("a")
    assert.are.same({"a"},
      (one:follow({names = new_names({"a", "b"}), children = {"a", "b"}})))
  end)

  local function follow(...)
    return one:follow({names = new_names({...}), children = {...}})
  end

  it("tells what is gone after lists of any length", function()
    follow("a", "b")
    follow("a", "b", "c", "d")
    one:forget("a")
    local fresh, gone = follow("b", "c")
    assert.are.same({{}, {"d"}}, {fresh, gone})
  end)

  it("tells what is gone after a list of more names than may be used",
    function()
      follow("a", "b")
      one:admit({names = new_names({"a", "b", "c", "d"})}, 3)
      local fresh, gone = follow("a", "b")
      assert.are.same({{}, {"c"}}, {fresh, gone})
    end)

  it("closes the list before", function()
    local first = new_names({"a"})
    one:follow({names = first, children = {"a"}})
    one:follow({names = new_names({"b"}), children = {"b"}})
    assert.is_nil(first.list)
  end)

  it("tells a name that was forgotten as new", function()
    one:forget("a")
    one:forget("a")
    local fresh, gone = one:take({"a", "b"})
    assert.are.same({"a"}, fresh)
    assert.are.same({}, gone)
  end)

  it("tells of one that went for one that came", function()
    local fresh, gone = one:take({"a", "z"})
    assert.are.same({"z"}, fresh)
    assert.are.same({"b"}, gone)
  end)

  it("takes no more names than are admitted, those known before newcomers",
    function()
      local reply = {names = new_names({"c", "b", "0", "a"})}
      local fresh, gone = one:admit(reply, 3)
      assert.are.same({{"0"}, {}}, {fresh, gone})
      fresh, gone = one:admit({names = new_names({"a", "b", "z"})}, 2)
      assert.are.same({{}, {"0"}}, {fresh, gone})
    end)
end)
