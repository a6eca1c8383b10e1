local difference = require("synapse.instances.difference")

local function made(key, weight)
  return {key = key, weight = weight}
end

local function keys_of(instances)
  local keys = {}
  for i, one in ipairs(instances) do
    keys[i] = one.key
  end
  return keys
end

describe("two lists of instances", function()
  it("differ by what came, wherever it is in order", function()
    local b = made("b:1")
    for _, key in ipairs({"a:1", "c:1"}) do
      local now = key < "b:1" and {made(key), b} or {b, made(key)}
      local found = difference.between({b}, now)
      assert.are.same({key}, keys_of(found.added))
      assert.are.same({}, found.removed)
    end
  end)

  it("differ by what went, wherever it was in order", function()
    local a, b, c = made("a:1"), made("b:1"), made("c:1")
    local found = difference.between({a, b, c}, {b})
    assert.are.same({"a:1", "c:1"}, keys_of(found.removed))
    assert.are.same({}, found.added)
  end)

  it("differ by an instance that serves otherwise", function()
    local before, now = made("a:1", 1), made("a:1", 0)
    local found = difference.between({before}, {now})
    assert.are.equal(before, found.renewed[1].before)
    assert.are.equal(now, found.renewed[1].now)
    assert.is_false(difference.is_empty(found))
  end)

  it("are alike when all serve alike", function()
    local found = difference.between({made("a:1", 1)}, {made("a:1", 1)})
    assert.is_true(difference.is_empty(found))
  end)

  it("differ wholly when they share nothing", function()
    local found = difference.between({made("a:1"), made("c:1")},
      {made("b:1"), made("d:1")})
    assert.are.same({"a:1", "c:1"}, keys_of(found.removed))
    assert.are.same({"b:1", "d:1"}, keys_of(found.added))
  end)

  it("are alike when both are empty", function()
    assert.is_true(difference.is_empty(difference.between({}, {})))
  end)
end)
