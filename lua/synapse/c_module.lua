--- The `zookeeper` module in C, if it has the interface that these files use.
--
-- Both are installed together. But Lua may find a zookeeper.so of an older
-- build, or in another directory. That would fail at the first function that it
-- lacks, again and again in a task, after a load without an error. So the
-- interfaces are compared before anything is called.
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
