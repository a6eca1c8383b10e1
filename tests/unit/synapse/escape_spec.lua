local escape = require("synapse.escape")

describe("a text that others wrote", function()
  it("has nothing in it that a terminal obeys", function()
    assert.are.equal("a\\x1b[2J\\x0ab \\xc3\\xa9",
      escape("a\27[2J\nb \xC3\xA9"))
  end)

  it("keeps the bytes that are harmless where it is shown", function()
    assert.are.equal("\\x1b \xC3\xA9", escape("\27 \xC3\xA9", "%c"))
  end)
end)
