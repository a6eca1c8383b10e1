-- Sessions, requests, watches and errors, over and over: for valgrind.

local drive = require("drive")
local zookeeper = require("zookeeper")

local hosts, path, rounds = arg[1], arg[2], tonumber(arg[3])

local function round(number)
  local client = zookeeper.new()
  local session = drive.open(client, hosts, 10)
  local name = string.format("%s/%d_", path, number)
  local made = drive.reply(client, session:create(name, ("x"):rep(5000),
    {ephemeral = true, sequential = true}))
  assert(made.code == 0, made.error)
  drive.reply(client, session:get(made.data, true))
  drive.reply(client, session:get_children(path, true))
  drive.reply(client, session:exists(path .. "/missing", true))
  drive.reply(client, session:set(made.data, "y"))
  drive.reply(client, session:delete(made.data))
  drive.reply(client, session:get(made.data))
  for _ = 1, 200 do
    session:get_children(path)
  end
  if number % 2 == 0 then
    session:close()
  end
  if number % 3 ~= 0 then
    client:close()
  end
end

for number = 1, rounds do
  round(number)
  collectgarbage()
end
print("done")
