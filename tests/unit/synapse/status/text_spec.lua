local text = require("synapse.status.text")

it("a table is aligned, and moves no terminal's cursor", function()
  local turns = 0
  local made = text.table({{"a", "b", "c"}, {"long", false, "x y"},
    {1, "\27", "z"}}, function() turns = turns + 1 end)
  assert.are.equal("a     b     c\n" .. "long  -     x y\n" ..
    "1     \\x1b  z\n", made)
  assert.are.equal(6, turns)
end)
