-- The file for `lua-load`: finds the agent's modules and starts it.
--
-- In a source tree they are in ../lua and ../build, seen from this directory;
-- installed, beside share/myelin.

local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$") or "."

local this = _VERSION:match("[%d.]+$")

-- Where the C module of a Lua is.
local function places(lua)
  return here .. "/../build/lua" .. lua .. "/?.so;" ..
    here .. "/../../lib/lua/" .. lua .. "/?.so"
end

package.path = here .. "/../lua/?.lua;" .. here .. "/../lua/" .. this ..
  "/?.lua;" .. package.path
package.cpath = places(this) .. ";" .. package.cpath

if not package.searchpath("zookeeper", package.cpath) then
  for _, other in ipairs({"5.3", "5.4"}) do
    local module = package.searchpath("zookeeper", places(other))
    if module then
      error(string.format("this HAProxy has Lua %s, but %s is for Lua %s: " ..
        "install the haproxy-synapse package of this HAProxy's Debian, or " ..
        "run make LUA=%s install", this, module, other, this), 0)
    end
  end
end

require("synapse.main").start(here)
