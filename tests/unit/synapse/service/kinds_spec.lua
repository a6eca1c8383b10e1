local kinds = require("synapse.service.kinds")

local PLAIN = {weight = 1, maxconn = 0}
local BACKUP = {weight = 1, maxconn = 0, is_backup = true}
local NAMED = {weight = 1, maxconn = 0, is_for_names = true}
local NAMED_BACKUP = {weight = 1, maxconn = 0, is_for_names = true,
  is_backup = true}

describe("the kind of a slot", function()
  it("is told by what the configuration makes of it", function()
    assert.are.same({s = "plain", b = "backup", n = "name", m = "name"},
      kinds.of_slots({s = PLAIN, b = BACKUP, n = NAMED, m = NAMED_BACKUP}))
  end)

  it("is plain where all are backups", function()
    assert.are.same({b = "plain", c = "plain", n = "name"},
      kinds.of_slots({b = BACKUP, c = BACKUP, n = NAMED}))
  end)
end)

describe("an instance", function()
  it("is to have a slot of its kind, where there are some", function()
    assert.are.equal("plain", kinds.of_instance({}, true))
    assert.are.equal("backup", kinds.of_instance({is_backup = true}, true))
    assert.are.equal("plain", kinds.of_instance({is_backup = true}, false))
    assert.are.equal("name",
      kinds.of_instance({is_backup = true, is_name = true}, true))
  end)

  it("that asks in vain to be a backup is told why", function()
    assert.is_nil(kinds.objection({}, false))
    assert.is_nil(kinds.objection({is_backup = true}, true))
    assert.are.equal("no slot is declared `backup`",
      kinds.objection({is_backup = true}, false))
    assert.are.equal("a host name has no slot for that",
      kinds.objection({is_backup = true, is_name = true}, true))
  end)
end)
