-- The file for `lua-load`: finds the agent's modules and starts it.
--
-- In a source tree they are in ../lua and ../build, seen from this directory;
-- installed, beside share/myelin.

local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$") or "."

package.path = here .. "/../lua/?.lua;" .. here .. "/../lua/5.3/?.lua;" ..
  package.path
package.cpath = here .. "/../build/?.so;" ..
  here .. "/../../lib/lua/5.3/?.so;" .. package.cpath

require("synapse.main").start(here .. "/status.html")
