local cli = require("synapse.status.cli")

it("a table is aligned, and moves no terminal's cursor", function()
  local turns = 0
  local made = cli.table({{"a", "b", "c"}, {"long", false, "x y"},
    {1, "\27", "z"}}, function() turns = turns + 1 end)
  assert.are.equal("a     b     c\n" .. "long  -     x y\n" ..
    "1     \\x1b  z\n", made)
  assert.are.equal(6, turns)
end)
