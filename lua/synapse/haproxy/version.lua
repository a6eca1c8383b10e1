--- What this HAProxy can do, where versions differ. No other file compares
-- versions.
--
-- Pure.
--
-- @module synapse.haproxy.version

local version = {}

-- The answer to `set server ... addr` comes before the change: a task makes it
-- later, and until then requests go to the previous address.
local ADDRESS_IS_DEFERRED = 2.9

-- HAProxy sends no line to a syslog before it has read the whole configuration.
-- If there is a syslog, no line goes to stderr either.
local LOGS_NOT_WHILE_LOADING = 2.9

-- Lua knows how many servers of a backend are usable and how many sessions a
-- server has. Before it, they are among a hundred fields of `get_stats`, which
-- takes thirty times as long.
local COUNTS_IN_LUA = 2.8

-- Before it, a server that is deleted can crash a worker in which a request or
-- a `show servers state` still uses it. Other branches may have the fix too;
-- nobody has tried them.
local DELETES_SAFELY = {[3.2] = 22}
local ALL_DELETE_SAFELY = 3.5

-- In 3.4 `add backend` is experimental. Nobody has tried other branches.
local ADDS_BACKENDS = 3.4

local function deletes_servers(branch, patch)
  local since = DELETES_SAFELY[branch]
  return branch >= ALL_DELETE_SAFELY or since ~= nil and patch >= since
end

--- What a HAProxy can do.
-- @table capabilities
-- @tfield boolean address_is_deferred whether an address that was set may not
--   be in use yet when the command is answered
-- @tfield boolean logs_while_loading whether a line that is logged while the
--   configuration is read reaches anybody
-- @tfield boolean counts_in_lua whether Lua has `Proxy:get_srv_act`,
--   `Server:get_cur_sess` and their like
-- @tfield boolean deletes_servers whether a server that was added at run time
--   can be deleted under traffic
-- @tfield boolean adds_backends whether backends can be added at run time

--- Tells what a HAProxy can do.
-- @tparam string text its version, as `show info` has it: "2.6.12-1+deb12u4"
-- @treturn capabilities
function version.capabilities(text)
  local major, minor, patch = text:match("^(%d+)%.(%d+)[%.-]?(%d*)")
  -- No branch has more than nine minor versions.
  local branch = major and tonumber(major .. "." .. minor) or math.huge
  return {
    address_is_deferred = branch >= ADDRESS_IS_DEFERRED,
    logs_while_loading = branch < LOGS_NOT_WHILE_LOADING,
    counts_in_lua = major ~= nil and branch >= COUNTS_IN_LUA,
    deletes_servers = major ~= nil and
      deletes_servers(branch, tonumber(patch) or 0),
    adds_backends = major ~= nil and branch >= ADDS_BACKENDS,
  }
end

return version
