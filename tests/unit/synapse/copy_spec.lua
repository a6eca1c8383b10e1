local copy = require("synapse.copy")

it("copies the fields of a table and shares what they hold", function()
  local list = {1, 2}
  local fields = {name = "web", list = list}
  local copied = copy(fields)
  assert.are.same(fields, copied)
  assert.are_not.equal(fields, copied)
  assert.are.equal(list, copied.list)
end)
