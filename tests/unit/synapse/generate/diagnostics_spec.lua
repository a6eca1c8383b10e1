local diagnostics = require("synapse.generate.diagnostics")

local function one(text)
  local found = diagnostics.parse(text, "/etc/a:b.cfg")
  assert.are.equal(1, #found)
  return found[1]
end

describe("what HAProxy prints", function()
  it("is a level, a line and a text", function()
    assert.are.same({level = "ALERT", line = 12,
      text = "unknown keyword 'get' in 'backend' section"},
      one("[ALERT]    (10338) : config : parsing [/etc/a:b.cfg:12] : " ..
        "unknown keyword 'get' in 'backend' section\n"))
  end)

  it("may name the line twice", function()
    assert.are.same({level = "ALERT", line = 20, text = "'server' not allowed"},
      one("[ALERT]    (1) : config : [/etc/a:b.cfg:20] : parsing " ..
        "[/etc/a:b.cfg:20] : 'server' not allowed\n"))
  end)

  it("may name no line", function()
    assert.are.same({level = "WARNING", text = "missing timeouts for " ..
      "frontend 'web'. While not properly invalid, it is bad."},
      one("[WARNING]  (1) : config : missing timeouts for frontend 'web'.\n" ..
        "   | While not properly invalid,\n   | it is bad.\n"))
  end)

  it("may name a line of another file", function()
    local text = "parsing [/etc/other.cfg:3] : no"
    assert.are.same({level = "ALERT", text = text},
      one("[ALERT]    (1) : config : " .. text .. "\n"))
  end)

  it("has lines that say nothing more", function()
    assert.are.same({}, diagnostics.parse(
      "[NOTICE]   (1) : haproxy version is 2.6.12-1+deb12u4\n" ..
      "[WARNING]  (1) : config : parsing [/f:41] : (null)\n" ..
      "[ALERT]    (1) : config : Error(s) found in configuration file : /f\n" ..
      "[ALERT]    (1) : config : Fatal errors found in configuration.\n" ..
      "Configuration file is valid\n", "/f"))
  end)
end)

describe("a line of another section", function()
  local function is_harmless(text)
    return diagnostics.is_harmless({text = text})
  end

  it("is known by what HAProxy says", function()
    assert.is_true(is_harmless("'balance' ignored because frontend 'web' " ..
      "has no backend capability."))
    assert.is_true(is_harmless("'timeout client' will be ignored because " ..
      "backend 'web' has no frontend capability"))
    assert.is_true(is_harmless("backend 'web' : 'option httplog' directive " ..
      "is ignored in backends."))
    assert.is_true(is_harmless("tcp-request connection is not allowed " ..
      "because backend web is not a frontend"))
    assert.is_true(is_harmless("unknown keyword 'get' in 'frontend' section"))
  end)

  it("is not one with a mistake", function()
    assert.is_false(is_harmless("unexpected character 'a' in 'timeout server'"))
    assert.is_false(is_harmless("The 'reqadd' directive is not supported " ..
      "anymore since HAProxy 2.1. Use 'http-request add-header' instead."))
    assert.is_false(is_harmless("a 'redirect' rule placed after a " ..
      "'use_backend' rule will still be processed before."))
  end)
end)
