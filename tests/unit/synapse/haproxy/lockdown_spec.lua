local lockdown = require("synapse.haproxy.lockdown")

describe("a lockdown", function()
  local function problem(...)
    return lockdown.problem({"a.cfg", "b.cfg"}, {...})
  end

  it("goes with any configuration that checks by itself", function()
    assert.is_nil(problem("global\n  nbthread 2\n",
      "backend b\n  option httpchk # not external-check\n"))
    assert.is_nil(problem())
  end)

  it("does not go with external checks, wherever they are", function()
    local why = " has external-check, whose processes it forbids; remove " ..
      "one of the two"
    assert.are.equal("lockdown: a.cfg:2" .. why,
      problem("global\n\texternal-check preserve-env\n"))
    assert.are.equal("lockdown: b.cfg:3" .. why,
      problem("global\n", "backend b\n\n  option  external-check"))
  end)
end)
