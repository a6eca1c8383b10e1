local negotiate = require("synapse.generate.negotiate")

local function parse_one(text)
  local found = negotiate.parse(text, "/etc/a:b.cfg")
  assert.are.equal(1, #found)
  return found[1]
end

describe("what HAProxy prints", function()
  it("is a level, a line and a text", function()
    assert.are.same({level = "ALERT", line = 12,
      text = "unknown keyword 'get' in 'backend' section"},
      parse_one("[ALERT]    (10338) : config : parsing [/etc/a:b.cfg:12] : " ..
        "unknown keyword 'get' in 'backend' section\n"))
  end)

  it("may name the line twice", function()
    assert.are.same({level = "ALERT", line = 20, text = "'server' not allowed"},
      parse_one("[ALERT]    (1) : config : [/etc/a:b.cfg:20] : parsing " ..
        "[/etc/a:b.cfg:20] : 'server' not allowed\n"))
  end)

  it("may name no line", function()
    assert.are.same({level = "WARNING", text = "missing timeouts for " ..
      "frontend 'web'. While not properly invalid, it is bad."},
      parse_one("[WARNING]  (1) : config : missing timeouts for frontend " ..
        "'web'.\n   | While not properly invalid,\n   | it is bad.\n"))
  end)

  it("may name a line of another file", function()
    local text = "parsing [/etc/other.cfg:3] : no"
    assert.are.same({level = "ALERT", text = text},
      parse_one("[ALERT]    (1) : config : " .. text .. "\n"))
  end)

  it("has lines that say nothing more", function()
    assert.are.same({}, negotiate.parse(
      "[NOTICE]   (1) : haproxy version is 2.6.12-1+deb12u4\n" ..
      "[WARNING]  (1) : config : parsing [/f:41] : (null)\n" ..
      "[ALERT]    (1) : config : Error(s) found in configuration file : /f\n" ..
      "[ALERT]    (1) : config : Fatal errors found in configuration.\n" ..
      "Configuration file is valid\n", "/f"))
  end)
end)

describe("a line of another section", function()
  local function is_harmless(text)
    return negotiate.is_harmless({text = text})
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

local function line(text, unless, source)
  return {text = text, place = text .. "'s place", unless = unless,
    source = source}
end

local function section(title, ...)
  return {title = line(title), lines = {...}}
end

-- What HAProxy prints of the line that begins with `text`, in a section.
local function said(made, level, title, text, message)
  local _, lines = made:text()
  local current
  for number, one in pairs(lines) do
    if one.text == title then
      current = number
    end
  end
  for number = current, current + 9 do
    if lines[number] and lines[number].text == text then
      return string.format("[%s]    (7) : config : parsing [/f:%d] : %s\n",
        level, number, message)
    end
  end
  error("no line " .. text)
end

-- A line of listen, in a frontend and in a backend.
local function copied(text)
  local source = line(text)
  local made = negotiate.new({
    section("frontend f", line(text, "unfit", source)),
    section("backend b", line(text, "unfit", source)),
  }, "x")
  return made, function(level, title, message)
    return said(made, level, title, text, message)
  end
end

local function count(made, text)
  local _, found = made:text():gsub("\n\t" .. text .. "\n", "")
  return found
end

describe("a draft", function()
  it("is done when HAProxy says nothing", function()
    local made = negotiate.new({section("global", line("daemon"))}, "by hand")
    assert.are.equal("# by hand\n\nglobal\n\tdaemon\n", (made:text()))
    assert.is_false(made:learn("", "/f"))
    assert.are.same({errors = {}, notes = {}}, made:verdict())
  end)

  it("keeps a line of listen only where HAProxy takes it", function()
    local made, says = copied("balance source")
    assert.is_true(made:learn(says("WARNING", "frontend f", "'balance' " ..
      "ignored because frontend 'f' has no backend capability."), "/f"))
    assert.are.equal(1, count(made, "balance source"))
    assert.is_false(made:learn("", "/f"))
    assert.are.same({errors = {}, notes = {}}, made:verdict())
  end)

  it("names a line of listen that HAProxy does not know", function()
    local made, says = copied("get httpchk")
    assert.is_true(made:learn(
      says("ALERT", "frontend f", "unknown keyword 'get' in 'frontend' " ..
        "section") ..
      says("ALERT", "backend b", "unknown keyword 'get' in 'backend' " ..
        "section"), "/f"))
    assert.are.equal(0, count(made, "get httpchk"))
    assert.is_false(made:learn("", "/f"))
    assert.are.same({errors = {}, notes = {"get httpchk's place: `get " ..
      "httpchk`: left out: unknown keyword 'get' in 'backend' section"}},
      made:verdict())
  end)

  -- HAProxy said it at each start, of the file that was made for it.
  it("leaves out and names rules of checks that HAProxy ignores", function()
    local made = negotiate.new({
      section("backend b", line("http-check expect string OK", "unfit"),
        line("balance source", "unfit")),
      section("backend c", line("http-check expect string OK", "unfit"))}, "x")
    local warning = "[WARNING]  (1) : config : backend 'b' uses http-check " ..
      "rules without 'option httpchk', so the rules are ignored.\n"
    assert.is_true(made:learn(warning, "/f"))
    assert.are.equal("# x\n\nbackend b\n\tbalance source\n\nbackend c\n" ..
      "\thttp-check expect string OK\n", (made:text()))
    assert.is_false(made:learn("", "/f"))
    assert.are.same({errors = {}, notes = {"http-check expect string OK's " ..
      "place: `http-check expect string OK`: left out: backend 'b' uses " ..
      "http-check rules without 'option httpchk', so the rules are ignored."}},
      made:verdict())
  end)

  it("is refused where a line of listen is wrong in both places", function()
    local made, says = copied("timeout server x")
    made:learn(
      says("WARNING", "frontend f", "'timeout server' will be ignored " ..
        "because frontend 'f' has no backend capability") ..
      says("ALERT", "backend b", "unexpected character 'x'"), "/f")
    assert.is_false(made:learn("", "/f"))
    assert.are.same({errors = {"timeout server x's place: `timeout server " ..
      "x`: unexpected character 'x'"}, notes = {}}, made:verdict())
  end)

  it("leaves out and names other lines that HAProxy does not know", function()
    local made = negotiate.new({section("backend b",
      line("option x", "unknown"), line("option y", "unknown"))}, "x")
    assert.is_true(made:learn(said(made, "ALERT", "backend b", "option x",
      "unknown option 'x'."), "/f"))
    assert.are.equal("# x\n\nbackend b\n\toption y\n", (made:text()))
    assert.is_false(made:learn("", "/f"))
    assert.are.same({errors = {}, notes = {
      "option x's place: `option x`: left out: unknown option 'x'."}},
      made:verdict())
  end)

  it("is refused for what is known and wrong", function()
    local made = negotiate.new({section("backend b",
      line("mode x", "unknown"))}, "x")
    assert.is_false(made:learn(said(made, "ALERT", "backend b", "mode x",
      "unknown proxy mode 'x'"), "/f"))
    assert.are.same({"mode x's place: `mode x`: unknown proxy mode 'x'"},
      made:verdict().errors)
  end)

  it("is refused for what HAProxy does not know elsewhere", function()
    local made = negotiate.new({section("global", line("demon"))}, "x")
    assert.is_false(made:learn(said(made, "ALERT", "global", "demon",
      "unknown keyword 'demon' in 'global' section"), "/f"))
    assert.are.equal(1, #made:verdict().errors)
  end)

  it("is refused for what is of no line", function()
    local made = negotiate.new({}, "x")
    made:learn("[ALERT]    (7) : config : Proxy 'f': unable to find b.\n", "/f")
    assert.are.same({"Proxy 'f': unable to find b."}, made:verdict().errors)
  end)

  it("says once what HAProxy says of both copies of a line", function()
    local made, says = copied("bind-process 1")
    made:learn(says("WARNING", "frontend f", "is deprecated") ..
      says("WARNING", "backend b", "is deprecated"), "/f")
    assert.are.same({"bind-process 1's place: `bind-process 1`: is " ..
      "deprecated"}, made:verdict().notes)
  end)

  it("passes on what HAProxy warns of", function()
    local made = negotiate.new({section("global", line("nbproc 1"))}, "x")
    made:learn(said(made, "WARNING", "global", "nbproc 1", "old"), "/f")
    assert.are.same({errors = {}, notes = {
      "nbproc 1's place: `nbproc 1`: old"}}, made:verdict())
  end)
end)
