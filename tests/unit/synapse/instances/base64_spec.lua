local base64 = require("synapse.instances.base64")

describe("base64", function()
  local cases = {
    {"", ""}, {"Zg==", "f"}, {"Zm8=", "fo"}, {"Zm9v", "foo"},
    {"Zm9vYmFy", "foobar"}, {"-_-_", "\xfb\xff\xbf"}, {"AAAA", "\0\0\0"},
    {"Zm9", nil}, {"Zg=", nil}, {"Zg===", nil}, {"Z===", nil},
    {"Zm9=Zm9v", nil}, {"Zm+v", nil}, {"Zm/v", nil}, {"Zm 9", nil},
    {"Zm9v\n", nil},
    {"Zm9\0", nil}, {"\xff\xff\xff\xff", nil},
  }
  for _, case in ipairs(cases) do
    it(string.format("reads %q, or sees that it is none", case[1]), function()
      assert.are.equal(case[2], base64.decode(case[1]))
    end)
  end
end)
