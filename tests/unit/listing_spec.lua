local listing = require("synapse.listing")
local new_names = dofile("tests/fake/names.lua")

local function sorted(list)
  table.sort(list)
  return list
end

describe("a listing", function()
  local one

  before_each(function()
    one = listing.new({a = true, b = true})
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

  it("admits all that it has room for", function()
    assert.are.same({"c", "b", "a"}, one:admit({"c", "b", "a"}, 3))
  end)

  it("admits the first of many newcomers, whatever their order", function()
    local names, first = {}, {}
    for i = 1, 100 do
      names[i] = string.format("n%03d", i * 37 % 101)
      first[#first + 1] = i <= 7 and string.format("n%03d", i) or nil
    end
    assert.are.same(first, listing.new({}):admit(names, 7))
  end)

  it("admits those known before newcomers", function()
    assert.are.same({"a", "b", "0"}, one:admit({"c", "b", "0", "a"}, 3))
    assert.are.same({"a"}, one:admit({"c", "b", "0", "a"}, 1))
  end)
end)
