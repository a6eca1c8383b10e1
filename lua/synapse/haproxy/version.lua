--- What this HAProxy can do, as far as versions differ. Nothing else compares
-- versions.
--
-- Pure.
--
-- @module synapse.haproxy.version

local version = {}

-- The answer to `set server ... addr` comes before the change: a task makes it
-- later, and until then requests go to the previous address.
local ADDRESS_IS_DEFERRED = 2.9

-- The syslogs take no line before the whole configuration is read, and where
-- there is one, none goes to stderr.
local LOGS_NOT_WHILE_LOADING = 2.9

--- What a HAProxy can do.
-- @table capabilities
-- @tfield boolean address_is_deferred whether an address that was set may not
--   be in use yet when the command is answered
-- @tfield boolean logs_while_loading whether a line that is logged while the
--   configuration is read reaches anybody

--- Tells what a HAProxy can do.
-- @tparam string text its version, as `show info` has it: "2.6.12-1+deb12u4"
-- @treturn capabilities
function version.capabilities(text)
  local major, minor = text:match("^(%d+)%.(%d+)")
  -- No branch has more than nine minor versions.
  local branch = major and tonumber(major .. "." .. minor) or math.huge
  return {
    address_is_deferred = branch >= ADDRESS_IS_DEFERRED,
    logs_while_loading = branch < LOGS_NOT_WHILE_LOADING,
  }
end

return version
