local value = require("synapse.config.value")

describe("the text of a configuration", function()
  it("is JSON", function()
    assert.are.same({services = {}}, value.decode('{"services": {}}'))
  end)

  it("with a mistake is refused with line and column", function()
    local made, why = value.decode('{\n  "services": {,}\n}')
    assert.is_nil(made)
    assert.is_truthy(why:find("^line 2, column 16: "), why)
    assert.is_nil(why:find("YAML"), why)
  end)

  it("that is empty is refused", function()
    assert.is_nil((value.decode("")))
    assert.is_nil((value.decode(" \n")))
  end)

  it("in YAML is told so", function()
    for _, yaml in ipairs({"services:\n  web:\n", "---\na: 1\n", "# a\nb: 1\n"})
    do
      local made, why = value.decode(yaml)
      assert.is_nil(made)
      assert.is_truthy(why:find("the file must be JSON; YAML is not read"), why)
    end
  end)

  it("in ERB is told so, with line and what to replace", function()
    local made, why = value.decode('{\n"a": "<%= ENV[\'HOST\'] %>"}')
    assert.is_nil(made)
    assert.are.equal("line 2: ERB is not expanded; write what " ..
      "`<%= ENV['HOST'] %>` stands for", why)
  end)

  it("has a percent sign where a log format has one", function()
    assert.are.same({a = "log-format <%ci> %ST"},
      value.decode('{"a": "log-format <%ci> %ST"}'))
  end)
end)

describe("a number of a configuration", function()
  it("is in its range, with both ends", function()
    for given, is_right in pairs({[-1] = false, [0] = true, [0.5] = true,
      [1] = true, [1.5] = false})
    do
      local report = value.report()
      value.number(report, given, "share", {low = 0, high = 1})
      assert.are.same(is_right and {} or {string.format(
        "share: %g is not a number from 0 to 1", given)}, report.errors)
    end
  end)
end)
