-- The file for `lua-load`: finds the agent's modules and starts it.
--
-- In a source tree they are ../lua and ../build beside this file's directory;
-- installed, they are where Lua looks by itself.

local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$") or "."

local function exists(path)
  local file = io.open(path, "r")
  return file ~= nil and file:close()
end

if exists(here .. "/../lua/synapse/main.lua") then
  package.path = here .. "/../lua/?.lua;" .. package.path
end
if exists(here .. "/../build/zookeeper.so") then
  package.cpath = here .. "/../build/?.so;" .. package.cpath
end

require("synapse.main").start()
