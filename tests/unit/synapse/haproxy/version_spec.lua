local version = require("synapse.haproxy.version")

describe("a HAProxy", function()
  local deferred = {
    ["2.6.12-1+deb12u4"] = false, ["2.8.1"] = false, ["2.9.0"] = true,
    ["3.0.11-1+deb13u4"] = true, ["3.2.26"] = true, ["3.5-dev1"] = true,
    ["unknown"] = true,
  }
  for text, is_deferred in pairs(deferred) do
    it("of version " .. text .. (is_deferred and " may set" or " sets") ..
      (is_deferred and " an address later" or " an address at once"),
      function()
        assert.are.equal(is_deferred,
          version.capabilities(text).address_is_deferred)
      end)
  end

  it("deletes servers safely since 3.2.22", function()
    local deletes = {["2.6.12-1+deb12u4"] = false,
      ["3.0.11-1+deb13u4"] = false, ["3.2.21-1"] = false, ["3.2.22"] = true,
      ["3.2.26-1"] = true, ["3.2-dev16"] = false, ["3.3.1"] = false,
      ["3.5.0"] = true, ["unknown"] = false}
    for text, is_safe in pairs(deletes) do
      assert.are.equal(is_safe, version.capabilities(text).deletes_servers,
        text)
    end
  end)

  it("adds backends since 3.4", function()
    local adds = {["2.6.12-1+deb12u4"] = false, ["3.3.1"] = false,
      ["3.4.0-64a335366"] = true, ["3.5-dev5"] = true, ["unknown"] = false}
    for text, can in pairs(adds) do
      assert.are.equal(can, version.capabilities(text).adds_backends, text)
    end
  end)

  it("counts in Lua since 2.8", function()
    local counts = {["2.6.12-1+deb12u4"] = false, ["2.7.9"] = false,
      ["2.8.0"] = true, ["3.0.11-1+deb13u4"] = true, ["unknown"] = false}
    for text, does in pairs(counts) do
      assert.are.equal(does, version.capabilities(text).counts_in_lua, text)
    end
  end)

  -- HAProxy 3.0 lost every warning of the agent at load where it had a `log`.
  it("logs lines of the load up to 2.8 only", function()
    local logs = {["2.6.12-1+deb12u4"] = true, ["2.8.1"] = true,
      ["2.9.0"] = false, ["3.0.11-1+deb13u4"] = false}
    for text, is_logged in pairs(logs) do
      assert.are.equal(is_logged,
        version.capabilities(text).logs_while_loading)
    end
  end)
end)
