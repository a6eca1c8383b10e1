local roster = require("synapse.instances.list")

local function made(key, sequence)
  return {key = key, sequence = sequence}
end

local function keys(one)
  local list = {}
  for i, each in ipairs(one:list()) do
    list[i] = each.key
  end
  return table.concat(list, " ")
end

-- What a roster must list, worked out the slow way.
local function expected(instances)
  local newest, list = {}, {}
  for _, one in pairs(instances) do
    local other = newest[one.key]
    if not other or one.sequence > other.sequence then
      newest[one.key] = one
    end
  end
  for _, one in pairs(newest) do
    list[#list + 1] = one
  end
  table.sort(list, function(a, b) return a.key < b.key end)
  return list
end

describe("a roster", function()
  it("lists its instances sorted", function()
    assert.are.equal("a b c",
      keys(roster.new({made("c", 1), made("a", 1), made("b", 1)})))
  end)

  it("puts what came where it belongs", function()
    local one = roster.new({made("b", 1)})
    one:change({}, {made("c", 1), made("a", 1)})
    assert.are.equal("a b c", keys(one))
  end)

  it("takes out what is gone", function()
    local a, b = made("a", 1), made("b", 1)
    local one = roster.new({a, b})
    one:change({a}, {})
    assert.are.equal("b", keys(one))
  end)

  it("has each host:port once, as the newest znode has it", function()
    local old, new = made("a", 1), made("a", 2)
    for _, order in ipairs({{old, new}, {new, old}}) do
      local one = roster.new({order[1]})
      one:change({}, {order[2]})
      assert.are.equal(1, #one:list())
      assert.are.equal(new, one:list()[1])
    end
  end)

  it("has the older znode again when the newer one is gone", function()
    local old, new = made("a", 1), made("a", 2)
    local one = roster.new({old, new})
    one:change({new}, {})
    assert.are.equal(old, one:list()[1])
  end)

  it("leaves a list that it gave as it was", function()
    local one = roster.new({made("a", 1)})
    local before = one:list()
    one:change({}, {made("b", 1)})
    assert.are.equal(1, #before)
  end)

  it("ignores the end of what it does not have", function()
    local one = roster.new({made("a", 1)})
    one:change({made("a", 1)}, {})
    assert.are.equal("a", keys(one))
  end)

  it("is right after any history of small and large changes", function()
    math.randomseed(1)
    local one, present = roster.new(), {}
    for step = 1, 150 do
      local gone, come = {}, {}
      for _ = 1, step % 10 == 0 and 30 or 2 do
        local key, znode = "k" .. math.random(40), math.random(60)
        gone[#gone + 1] = present[znode]
        present[znode] = made(key, step * 100 + znode)
        come[#come + 1] = present[znode]
      end
      -- One that came and went within the same change is in neither list.
      for i = #come, 1, -1 do
        for j = #gone, 1, -1 do
          if come[i] == gone[j] then
            table.remove(come, i)
            table.remove(gone, j)
            break
          end
        end
      end
      one:change(gone, come)
      assert.are.same(expected(present), one:list())
    end
  end)
end)
