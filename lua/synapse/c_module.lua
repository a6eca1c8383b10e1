--- The `zookeeper` module in C, of the interface that these files call.
--
-- Both are installed together. A zookeeper.so that an older build left, or
-- that another directory of Lua's path has first, would fail at the first
-- function that it lacks: in a task, so again and again, while the load was
-- well. So the interfaces are compared before anything is called.
--
-- @module synapse.c_module

local zookeeper = require("zookeeper")

-- ZOOKEEPER_INTERFACE of csrc/lua/module.h, which says when it grows.
local INTERFACE = 8

if zookeeper.interface ~= INTERFACE then
  error(string.format("synapse: %s has interface %s (version %s), but the " ..
    "Lua files have interface %d: install both from one release, or run " ..
    "`make && make install`",
    package.searchpath("zookeeper", package.cpath) or "the zookeeper module",
    zookeeper.interface or "0", zookeeper.version, INTERFACE), 0)
end

return zookeeper
