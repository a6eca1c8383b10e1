-- A zookeeper.so that was older than the Lua files loaded well. Then the
-- agent's task failed at the first function that the module lacked, began
-- again, and failed, for ever.
local zookeeper = require("zookeeper")

local function load_with(module)
  package.loaded["zookeeper"] = module
  local ok, made = pcall(dofile, "lua/synapse/c_module.lua")
  package.loaded["zookeeper"] = zookeeper
  return ok, made
end

-- The functions of that interface. Who changes them makes the number grow,
-- here, in lua/synapse/c_module.lua and in csrc/lua/module.h.
local NUMBER = 8
local MODULE = "checksum lockdown memory_file new now open_directory " ..
  "resolve resolve_all setenv strerror thread_time"
local METHODS = {
  client = "__gc admin_address close command follow follow_begin hang_up " ..
    "open poll remove resolve tick wait wake wake_address wake_attach " ..
    "woken write",
  session = "__gc add_auth client_id close create delete exists get " ..
    "get_children pending room set set_hosts state sync timeout",
  directory = "__gc changed list lock read remote stamp",
  file = "__gc close",
  lock = "__gc is_taken read release take write",
  names = "__gc __len admit close difference keep",
}

local function names_of(methods)
  local names = {}
  for name, method in pairs(methods) do
    names[#names + 1] = type(method) == "function" and name or nil
  end
  table.sort(names)
  return table.concat(names, " ")
end

describe("the module in C", function()
  it("is taken where it has the interface of the Lua files", function()
    local ok, made = load_with(zookeeper)
    assert.is_true(ok)
    assert.equal(zookeeper, made)
  end)

  for _, case in ipairs({{"an older", -1}, {"a newer", 1}}) do
    local what, more = case[1], case[2]
    it("is refused where it has " .. what .. " one, in one line that names " ..
      "both and the remedy", function()
      local other = zookeeper.interface + more
      local ok, why = load_with({interface = other, version = "9.8.7"})
      assert.is_false(ok)
      assert.is_nil(why:find("\n"))
      assert.matches("^synapse: %S*zookeeper", why)
      assert.matches(" has interface " .. other .. " %(version 9.8.7%)", why)
      assert.matches("the Lua files have interface " .. zookeeper.interface,
        why)
      assert.matches("make && make install", why, 1, true)
    end)
  end

  it("is refused where it is from a time without interfaces", function()
    local ok, why = load_with({version = "0.0.9"})
    assert.is_false(ok)
    assert.matches(" has interface 0 %(version 0.0.9%)", why)
  end)

  it("has the functions that its interface had when it got its number",
    function()
      assert.equal(NUMBER, zookeeper.interface)
      assert.equal(MODULE, names_of(zookeeper))
      for what, names in pairs(METHODS) do
        assert.equal(names, names_of(debug.getregistry()["zookeeper." .. what]))
      end
    end)
end)
