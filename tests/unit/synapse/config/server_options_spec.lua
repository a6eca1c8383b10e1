local server_options = require("synapse.config.server_options")

describe("the options of a server", function()
  it("may be none", function()
    local made = server_options.parse("")
    assert.are.same({text = "", is_tls = false, has_check = false,
      has_agent = false, weight = 1, maxconn = 0}, made)
  end)

  it("tell what has to follow, and what the slot is like", function()
    local made = server_options.parse("check inter 2s rise 3 fall 2 " ..
      "weight 7 maxconn 5 agent-check agent-port 99 ssl verify required " ..
      "ca-file /etc/ca.pem")
    assert.is_true(made.has_check)
    assert.is_true(made.has_agent)
    assert.is_true(made.is_tls)
    assert.are.equal("required", made.verify)
    assert.are.equal(7, made.weight)
    assert.are.equal(5, made.maxconn)
  end)

  it("are sent with one space between them", function()
    assert.are.equal("check inter 2s",
      server_options.parse(" check  inter 2s ").text)
  end)

  it("are sent without `disabled`, which every slot is", function()
    assert.are.equal("check rise 2",
      server_options.parse("check disabled rise 2").text)
  end)

  it("take a keyword's name for a value where one has to stand", function()
    local made = server_options.parse("sni ssl")
    assert.is_false(made.is_tls)
  end)

  it("may have words of a later HAProxy", function()
    for _, text in ipairs({"check init-state fully-down check-reuse-pool",
      "send-proxy-v2 set-proxy-v2-tlv-fmt(0x20) str(x) maxconn 5"})
    do
      assert.are.equal(text, server_options.parse(text).text)
    end
  end)

  it("are what their last words say", function()
    assert.are.equal("none",
      server_options.parse("ssl verify required verify none").verify)
  end)

  it("may be as many words as HAProxy takes with the rest of the command",
    function()
      local text = ("rise 2 "):rep(24):sub(1, -2)
      assert.are.equal(text, server_options.parse(text).text)
    end)

  local refused = {
    ["cookie a check"] = "`cookie` is none of `add server`'s keywords",
    ["check enabled"] = "`enabled` is none of",
    ["resolvers dns"] = "`resolvers` is none of",
    ["id 7"] = "`id` is none of",
    ["guid web"] = "`guid` is none of",
    ["no-send-proxy-v2-ssl"] = "`no-send-proxy-v2-ssl` is none of",
    ["check 2s"] = "`2s` is none of",
    ["check cookie %{name}"] = "`cookie` is none of",
    ["check inter"] = "`inter` has no value",
    ["check; disable server web/s1"] = "has a meaning of its own",
    ["check\ndisable server web/s1"] = "has a meaning of its own",
    ["sni str(\"x\")"] = "has a meaning of its own",
    ["check\\ inter"] = "has a meaning of its own",
    ["check \0"] = "has a meaning of its own",
    [("rise 2 "):rep(25)] = "has more than 48 words",
  }
  for text, why in pairs(refused) do
    it("are not " .. string.format("%q", text:sub(1, 40)), function()
      local made, reason = server_options.parse(text)
      assert.is_nil(made)
      assert.is_truthy(reason:find(why, 1, true), reason)
    end)
  end
end)
