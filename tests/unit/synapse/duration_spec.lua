local duration = require("synapse.duration")

describe("a length of time", function()
  it("is read as people write it", function()
    for text, seconds in pairs({["90"] = 90, ["500ms"] = 0.5, ["20s"] = 20,
      ["30m"] = 1800, ["2h"] = 7200, ["7d"] = 604800,
    }) do
      assert.are.equal(seconds, duration.read(text), text)
    end
  end)

  it("is nothing else", function()
    for _, text in ipairs({"", "0", "h", "1w", "-5", "1.5h", "2 h", "400d",
      ("9"):rep(40)}) do
      assert.is_nil(duration.read(text), text)
    end
  end)
end)
