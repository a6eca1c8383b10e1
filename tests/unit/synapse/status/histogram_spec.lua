local histogram = require("synapse.status.histogram")

describe("a histogram", function()
  local one

  before_each(function()
    one = histogram.new({1, 2, 4})
  end)

  it("counts by the first bound that is not exceeded", function()
    for _, value in ipairs({0.5, 1, 1.5, 4, 5}) do
      one:add(value)
    end
    assert.are.same({2, 1, 1, 1}, one.counts)
    assert.are.same({5, 12}, {one.total, one.sum})
  end)

  it("tells what a share of the last ones does not exceed", function()
    assert.is_nil(one:quantile(0.5))
    for value = 100, 1, -1 do
      one:add(value)
    end
    assert.are.same({50, 99, 100, 1}, {one:quantile(0.5), one:quantile(0.99),
      one:quantile(1), one:quantile(0)})
  end)

  it("keeps the last two hundred, in order", function()
    for value = 1, 250 do
      one:add(value)
    end
    local recent = one:recent()
    assert.are.same({200, 51, 250}, {#recent, recent[1], recent[200]})
  end)
end)
