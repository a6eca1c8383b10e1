local hostname = require("synapse.instances.hostname")

describe("a host name", function()
  local names = {
    ["web1.example.com"] = "web1.example.com", ["Web-1"] = "web-1",
    ["localhost"] = "localhost", ["shop_web_1"] = "shop_web_1", ["a."] = "a",
    ["_a._tcp.b."] = "_a._tcp.b",
    ["1a"] = "1a", ["10.0.0.1.nip.io"] =
      "10.0.0.1.nip.io", [("a"):rep(63)] = ("a"):rep(63),
  }
  for text, name in pairs(names) do
    it("is " .. text:sub(1, 20), function()
      assert.are.equal(name, hostname.canonical(text))
    end)
  end

  local others = {
    "", ".", "a..", ".a", "10.0.0.1.", "a..b", "-a", "a-", "a.-b", "a b", "a;b",
    "a\n", "a\0", "10.0.0.1", "010.1.1.1", "1.2.3", "0x7f.1", "167772161",
    ("a"):rep(64), ("a."):rep(126) .. "ab", "\xc3\xa4.de",
  }
  for _, text in ipairs(others) do
    it(string.format("is not %q", text:sub(1, 20)), function()
      assert.is_nil(hostname.canonical(text))
    end)
  end
end)

describe("a slot with a name", function()
  local function awaited(host, fqdn)
    return hostname.is_awaited({fqdn = "a.b"}, {host = host, fqdn = fqdn})
  end

  it("is awaited until it has an address that an instance may have", function()
    assert.is_false(awaited("10.0.0.1", "a.b"))
    assert.is_true(awaited("10.0.0.1", "b.c"))
    assert.is_true(awaited("10.0.0.1", nil))
    for _, host in ipairs({"240.0.0.1", "-", "169.254.169.254", "0.0.0.0"}) do
      assert.is_true(awaited(host, "a.b"))
    end
  end)

  it("is not awaited where no name is wanted", function()
    assert.is_false(hostname.is_awaited(nil, {host = "240.0.0.1"}))
    assert.is_false(hostname.is_awaited({host = "10.0.0.1"},
      {host = "127.0.0.1"}))
  end)
end)
