local draft = require("synapse.generate.draft")

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
  local made = draft.new({
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
    local made = draft.new({section("global", line("daemon"))}, "by hand")
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
    local made = draft.new({section("backend b", line("option x", "unknown"),
      line("option y", "unknown"))}, "x")
    assert.is_true(made:learn(said(made, "ALERT", "backend b", "option x",
      "unknown option 'x'."), "/f"))
    assert.are.equal("# x\n\nbackend b\n\toption y\n", (made:text()))
    assert.is_false(made:learn("", "/f"))
    assert.are.same({errors = {}, notes = {
      "option x's place: `option x`: left out: unknown option 'x'."}},
      made:verdict())
  end)

  it("is refused for what is known and wrong", function()
    local made = draft.new({section("backend b", line("mode x", "unknown"))},
      "x")
    assert.is_false(made:learn(said(made, "ALERT", "backend b", "mode x",
      "unknown proxy mode 'x'"), "/f"))
    assert.are.same({"mode x's place: `mode x`: unknown proxy mode 'x'"},
      made:verdict().errors)
  end)

  it("is refused for what HAProxy does not know elsewhere", function()
    local made = draft.new({section("global", line("demon"))}, "x")
    assert.is_false(made:learn(said(made, "ALERT", "global", "demon",
      "unknown keyword 'demon' in 'global' section"), "/f"))
    assert.are.equal(1, #made:verdict().errors)
  end)

  it("is refused for what is of no line", function()
    local made = draft.new({}, "x")
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
    local made = draft.new({section("global", line("nbproc 1"))}, "x")
    made:learn(said(made, "WARNING", "global", "nbproc 1", "old"), "/f")
    assert.are.same({errors = {}, notes = {
      "nbproc 1's place: `nbproc 1`: old"}}, made:verdict())
  end)
end)
