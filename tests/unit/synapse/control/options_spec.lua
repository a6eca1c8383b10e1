local options = require("synapse.control.options")

local function read(...)
  return options.read({...})
end

local function line(...)
  return options.line(assert(read(...)))
end

describe("the command line of synapsectl", function()
  it("is a request", function()
    assert.are.same({command = "maint", words = {"10.0.0.1:80"},
      changes = true, reason = "disk errors", span = 7200, socket = "/s",
      is_json = true,
    }, read("-s", "/s", "maint", "--reason", "disk errors", "10.0.0.1:80",
      "--for=2h", "--json"))
    assert.are.same({command = "wait", words = {"web"}, ready = 3,
      config = {"a", "b"}}, read("-c", "a", "--config", "b", "wait", "web",
      "--ready", "3"))
  end)

  it("asks for help whatever else it says", function()
    assert.is_true(read("maint", "--help").help)
    assert.is_true(read("--version").version)
  end)

  it("says what is wrong, and what was meant", function()
    for said, words in pairs({
      ["COMMAND is missing"] = {},
      ['rady is not a command; did you mean "ready"?'] = {"rady", "a:1"},
      ["xyzzy is not a command"] = {"xyzzy"},
      ["ADDRESS is missing"] = {"maint"},
      ["b is one word too many"] = {"freeze", "a", "b"},
      ["--ready N is missing"] = {"wait", "a"},
      ["--for needs a value"] = {"drain", "a:1", "--for"},
      ['--reaon is not an option of this command; did you mean "--reason"?'] =
        {"maint", "a:1", "--reaon", "x"},
      ["--reason is not an option of this command"] = {"thaw", "a",
        "--reason", "x"},
      ['--ready: "0" is not a number of instances (1 or more)'] =
        {"wait", "a", "--ready", "0"},
    }) do
      local request, why = options.read(words)
      assert.is_nil(request)
      assert.are.equal(said, why)
    end
  end)
end)

describe("what HAProxy is sent", function()
  it("is one command", function()
    assert.are.equal("show synapse json", line("status"))
    assert.are.equal("show synapse dump", line("dump"))
    assert.are.equal("show synapse service web json",
      line("wait", "web", "--ready", "1"))
    assert.are.equal("show synapse events json", line("events", "web"))
    assert.are.equal("synapse resync json", line("resync"))
    assert.are.equal("synapse drain [::1]:80 for 1500ms json",
      line("drain", "[::1]:80", "--for", "1500ms"))
  end)

  -- A reason with ";" would have been a command of its own.
  it("has no more commands or words than were meant", function()
    assert.are.equal([[synapse maint a:1 reason x\;\ set\ y\ \\\ \<\< json]],
      line("maint", "a:1", "--reason", [[x; set y \ <<]]))
    assert.are.equal("synapse freeze a\\;b json", line("freeze", "a;b"))
    assert.are.equal("synapse maint a:1 reason für json",
      line("maint", "a:1", "--reason", "für"))
  end)

  it("is one line", function()
    assert.is_truthy(options.objection(read("freeze", "a\nb")))
    assert.is_truthy(options.objection(read("maint", "a:1", "--reason", "\n")))
    assert.is_nil(options.objection(read("freeze", "a")))
  end)
end)
