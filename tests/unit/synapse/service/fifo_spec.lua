local fifo = require("synapse.service.fifo")

describe("a queue of things in time", function()
  local function names(queue, time)
    local list = {}
    for thing in queue:until_time(time) do
      list[#list + 1] = thing.name
    end
    return table.concat(list, " ")
  end

  local function of(...)
    local queue = fifo.new()
    for at, name in ipairs({...}) do
      queue:push({name = name, at = at})
    end
    return queue
  end

  it("gives out nothing where it holds nothing", function()
    assert.are.equal("", names(of(), 9))
  end)

  it("gives out what is not after a time, the oldest first", function()
    assert.are.equal("a b", names(of("a", "b", "c"), 2))
  end)

  it("gives out each thing once", function()
    local queue = of("a", "b", "c")
    names(queue, 2)
    queue:push({name = "d", at = 4})
    assert.are.equal("c d", names(queue, 4))
    assert.are.equal("", names(queue, 4))
  end)
end)
