local config_text = require("synapse.haproxy.config_text")

local function parse(text, facts)
  facts = facts or {}
  facts.environment = facts.environment or {}
  return config_text.parse({{path = "a.cfg", text = text}}, facts)
end

-- Shows the lines of a configuration's first section.
local function lines(text, facts)
  local shown = {}
  for i, line in ipairs(parse("global\n" .. text, facts)[1].lines) do
    shown[i] = table.concat(line.words, "|") .. (line.sure and "" or " ?")
  end
  return shown
end

describe("the words of a line", function()
  local cases = {
    {"  server s1 127.0.0.1:1 # a comment", "server|s1|127.0.0.1:1"},
    {"log-format 'a # b' c", "log-format|a # b|c"},
    {'acl a path "/x y" "a\\"b"', 'acl|a|path|/x y|a"b'},
    {"acl a path /x\\ y \\#z", "acl|a|path|/x y|#z"},
    {'server s "${HOST}:80" "$PORT"', "server|s|h:80|90"},
    {"server s ${HOST} '${HOST}'", "server|s|${HOST}|${HOST}"},
    {'server s "${NONE-10.0.0.1}:1" "${NONE}"', "server|s|10.0.0.1:1|"},
    {'a"b"\'c\' "open', "abc|open"},
  }
  for _, case in ipairs(cases) do
    it("are right in " .. case[1], function()
      assert.are.same({case[2]},
        lines(case[1], {environment = {HOST = "h", PORT = "90"}}))
    end)
  end
end)

describe("the variables", function()
  it("are those of `global` from where they are set", function()
    assert.are.same({"setenv|A|1", "presetenv|A|2", "bind|1", "unsetenv|A",
      "bind|", "presetenv|A|3", "bind|3"}, lines([[
setenv A 1
presetenv A 2
bind "$A"
unsetenv A
bind "$A"
presetenv A 3
bind "$A"]]))
  end)

  it("that the agent sets are there after lua-load", function()
    assert.are.same({"x|", "lua-load|f", "x|sockpair@5"}, lines(
      'x "${S}"\nlua-load f\nx "${S}"', {loaded = {S = "sockpair@5"}}))
  end)

  it("can be emptied but for some", function()
    assert.are.same({"resetenv|A", "x|1|"},
      lines('resetenv A\nx "$A" "$B"', {environment = {A = "1", B = "2"}}))
  end)
end)

describe("a condition", function()
  local facts = {environment = {SET = "yes"}, version = "2.6.12-1+deb12u4"}
  local cases = {
    {"defined(SET)", true}, {"!defined(SET)", false}, {"defined(NONE)", false},
    {"1", true}, {"0", false}, {"", false},
    {'streq("$SET",yes)', true}, {'strneq("$SET", yes)', false},
    {"version_atleast(2.4)", true}, {"version_atleast(3.0-dev1)", false},
    {"version_before(2.10)", true},
    {"version_atleast(2.6)", true}, {"version_before(2.6)", false},
    {"version_atleast(2.7)", false}, {"version_before(2.7)", true},
    {"feature(OPENSSL)", nil}, {"defined(A) || defined(SET)", nil},
    {"defined(A) && defined(SET)", nil}, {"openssl_version_atleast(1)", nil},
  }
  for _, case in ipairs(cases) do
    it(string.format("%q is %s", case[1], case[2]), function()
      local shown = lines(".if " .. case[1] .. "\na\n.else\nb\n.endif\nc",
        facts)
      assert.are.same(case[2] and {"a", "c"} or case[2] == false and {"b", "c"}
        or {"a ?", "b ?", "c"}, shown)
    end)
  end

  it("that nobody knows leaves a later one unsure", function()
    assert.are.same({"a ?", "b ?", "d"}, lines([[
.if feature(X)
a
.elif defined(SET)
b
.elif defined(NONE)
c
.endif
d]], facts))
  end)

  it("that holds rules out all later ones", function()
    assert.are.same({"b"}, lines([[
.if 0
a
.elif 1
b
.if 0
c
.endif
.elif feature(X)
d
.else
e
.endif]], facts))
  end)

  it("hides whole sections", function()
    assert.are.same({"backend"}, {parse(
      ".if 0\nglobal\n  x\n.else\nbackend b\n.endif")[1].kind})
  end)
end)

describe("a section", function()
  it("inherits the last defaults, or those that it names", function()
    local sections = parse([[
defaults one
  balance source
backend a
defaults
  balance first
backend b
backend c from one
  balance uri]])
    local found = {}
    for _, section in ipairs(sections) do
      if section.kind == "backend" then
        found[section.name] = config_text.find(section, "balance").words[2]
      end
    end
    assert.are.same({a = "source", b = "first", c = "uri"}, found)
  end)

  it("knows the file and the number of each line", function()
    local sections = config_text.parse({
      {path = "a.cfg", text = "global\n"},
      {path = "b.cfg", text = "\nbackend b\n\n  balance first\n"},
    }, {environment = {}})
    assert.are.equal("b.cfg:4", sections[2].lines[1].place)
  end)
end)

describe("the command line", function()
  local cases = {
    {"haproxy -c -f a.cfg", "a.cfg"},
    {"haproxy -W -q -c -f a.cfg -f b.cfg", "a.cfg b.cfg"},
    {"haproxy -p /run/pid -L x -c -- a.cfg b.cfg", "a.cfg b.cfg"},
    {"haproxy -f a.cfg -c", "a.cfg"},
    {"haproxy -W -f a.cfg", "a.cfg", true},
    {"haproxy -C /etc -c -f a.cfg", "a.cfg"},
    {"haproxy -sf 1 2 -x sockpair@3 -W -f a.cfg", "a.cfg", true},
    {"haproxy -cV -f a.cfg", "a.cfg"},
    {"haproxy -cc feature(LUA) -f a.cfg", "a.cfg", true},
  }
  for _, case in ipairs(cases) do
    it(string.format("`%s` %s %s", case[1], case[3] and "runs" or "checks",
      case[2]),
      function()
        local arguments = {}
        for word in case[1]:gmatch("%S+") do
          arguments[#arguments + 1] = word
        end
        local paths, is_check = config_text.arguments(arguments)
        assert.are.equal(case[2], table.concat(paths, " "))
        assert.are.equal(not case[3], is_check)
      end)
  end

  it("names the processes that are to be replaced", function()
    local _, _, replaced = config_text.arguments({"haproxy", "-sf", "12", "345",
      "-W", "-f", "7", "-st", "6", "8.cfg"})
    assert.are.same({["12"] = true, ["345"] = true, ["6"] = true}, replaced)
  end)
end)

describe("the files", function()
  local edges = {
    read = function(path) return path ~= "gone" and "text of " .. path or nil
    end,
    list = function(path)
      return path == "dir" and {".", ".hid.cfg", "10.cfg", "20.cfg", "x.txt"}
        or nil
    end,
  }

  it("of a directory are its *.cfg", function()
    local paths = {}
    for i, file in ipairs(config_text.files({"a.cfg", "dir"}, edges)) do
      assert.are.equal("text of " .. file.path, file.text)
      paths[i] = file.path
    end
    assert.are.same({"a.cfg", "dir/10.cfg", "dir/20.cfg"}, paths)
  end)

  it("are not known when one of them cannot be read", function()
    assert.is_nil(config_text.files({"a.cfg", "gone"}, edges))
    assert.is_nil(config_text.files({}, edges))
  end)
end)
