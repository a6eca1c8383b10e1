local address = require("synapse.instances.address")

local CANONICAL = {
  {"10.0.0.1", "10.0.0.1"},
  {"127.0.0.1", "127.0.0.1"},
  {"223.255.255.255", "223.255.255.255"},
  {"1.0.0.255", "1.0.0.255"},
  {"169.253.0.1", "169.253.0.1"},
  {"168.254.0.1", "168.254.0.1"},
  {"::1", "::1"},
  {"0:0:0:0:0:0:0:1", "::1"},
  {"2001:db8::", "2001:db8::"},
  {"2001:0DB8:0000:0000:0008:0800:200C:417A", "2001:db8::8:800:200c:417a"},
  {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
  {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
  {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
  {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
  {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
  {"::ffff:10.0.0.1", "10.0.0.1"},
  {"::FFFF:0a00:0001", "10.0.0.1"},
  {"0000:0000:0000:0000:0000:ffff:100.100.100.100", "100.100.100.100"},
  {"2001:db8::10.0.0.1", "2001:db8::a00:1"},
  {"fec0::1", "fec0::1"},
  {"feff:ffff::1", "feff:ffff::1"},
  {"64:ff9b::10.0.0.1", "64:ff9b::a00:1"},
}

local REFUSED = {
  {"", "is not an IP address"},
  {"10.0.0", "is not an IP address"},
  {"10.0.0.1.2", "is not an IP address"},
  {"10.0.0.01", "is not an IP address"},
  {"1e1.0.0.1", "is not an IP address"},
  {"0x7f.0.0.1", "is not an IP address"},
  {"10.0.0.1000", "is not an IP address"},
  {":", "is not an IP address"},
  {":::", "is not an IP address"},
  {"1::2::3", "is not an IP address"},
  {"1:2:3:4:5:6:7", "is not an IP address"},
  {"1:2:3:4:5:6:7:8:9", "is not an IP address"},
  {"1:2:3:4:5:6:7:8::", "is not an IP address"},
  {"12345::1", "is not an IP address"},
  {"g::1", "is not an IP address"},
  {"::ffff:10.0.0.256", "is not an IP address"},
  {"::1%lo", "is not an IP address"},
  {"0.1.2.3", "is unspecified"},
  {"169.254.0.1", "is a link-local address"},
  {"224.0.0.1", "is a multicast address"},
  {"239.1.1.1", "is a multicast address"},
  {"240.0.0.1", "is a broadcast or reserved address"},
  {"255.255.255.255", "is a broadcast or reserved address"},
  {"::", "is unspecified"},
  {"::ffff:0.0.0.0", "is unspecified"},
  {"::10.0.0.1", "is an IPv4-compatible address"},
  {"fe80::1", "is a link-local address"},
  {"febf::1", "is a link-local address"},
  {"ff00::", "is a multicast address"},
  {"64:ff9b::169.254.169.254", "is a link-local address"},
}

describe("an address", function()
  for _, case in ipairs(CANONICAL) do
    it(case[1] .. " is written as " .. case[2], function()
      assert.are.equal(case[2], address.canonical(case[1]))
    end)
  end

  for _, case in ipairs(REFUSED) do
    it('"' .. case[1] .. '" ' .. case[2], function()
      local text, why = address.canonical(case[1])
      assert.is_nil(text)
      assert.are.equal(case[2], why)
    end)
  end

  it("is its own canonical form once it is canonical", function()
    for _, case in ipairs(CANONICAL) do
      assert.are.equal(case[2], address.canonical(case[2]))
    end
  end)

  it("is joined with its port, IPv6 in brackets", function()
    assert.are.equal("10.0.0.1:80", address.join("10.0.0.1", 80))
    assert.are.equal("[::1]:80", address.join("::1", 80))
  end)
end)
