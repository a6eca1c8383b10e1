--- A task inside HAProxy that wakes itself more often than it looks, and says
-- how many bytes came of that.
package.cpath = os.getenv("MODULES") .. ";" .. package.cpath
local zookeeper = require("zookeeper")

local client = zookeeper.new()

-- A byte that is not there within this time does not come.
local PATIENCE = 0.5

local function wake_often()
  for _ = 1, 100 do
    client:wake()
  end
end

local function bytes(socket)
  local count = 0
  while socket:receive(1) do
    count = count + 1
  end
  return count
end

core.register_task(function()
  local socket = core.tcp()
  socket:settimeout(PATIENCE)
  assert(socket:connect(client:wake_address()))
  assert(client:wake_attach())
  wake_often()
  assert(socket:receive(1))
  wake_often()
  client:woken()
  wake_often()
  core.Info("wakes: " .. bytes(socket) .. " more")
end)
