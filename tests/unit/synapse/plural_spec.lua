local plural = require("synapse.plural")

it("a number agrees with what it counts", function()
  assert.are.same({"0 slots", "1 slot", "2 slots"},
    {plural(0, "slot"), plural(1, "slot"), plural(2, "slot")})
end)
