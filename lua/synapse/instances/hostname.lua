--- Host names in znodes.
--
-- HAProxy resolves them, not the agent. Their slots are declared for that, at
-- an address that no instance can have.
--
-- Pure.
--
-- @module synapse.instances.hostname

local address = require("synapse.instances.address")

local hostname = {}

local MAX_BYTES = 253
local MAX_LABEL = 63

--- The address at which a slot for names is declared, and which it has while
-- its name has no address. Nothing answers there, and no znode can have it.
hostname.NOWHERE = "240.0.0.1"

--- Returns a host name in lower case, without a dot at its end. The last part
-- has a letter, so that no address, however it is written, is a name. Names of
-- Docker Compose and others have underscores, and resolvers take them.
-- @tparam string text
-- @treturn ?string nil when it is none
function hostname.canonical(text)
  text = text:gsub("%.$", "")
  if #text > MAX_BYTES or not text:find("^[%a%d._-]+$") or
    not text:find("%a[^.]*$")
  then
    return nil
  end
  for label in (text .. "."):gmatch("([^.]*)%.") do
    if #label < 1 or #label > MAX_LABEL or label:find("^-") or
      label:find("-$")
    then
      return nil
    end
  end
  return text:lower()
end

--- Tells whether a server for a name has an address by now that an instance may
-- have. A name server can answer anything.
-- @tparam server actual
-- @treturn boolean
function hostname.is_resolved(actual)
  return address.canonical(actual.host) ~= nil
end

--- Tells whether a slot waits for HAProxy to resolve its name.
-- @tparam ?server wanted
-- @tparam server actual
-- @treturn boolean
function hostname.is_awaited(wanted, actual)
  return wanted ~= nil and wanted.fqdn ~= nil and
    (actual.fqdn ~= wanted.fqdn or not hostname.is_resolved(actual))
end

return hostname
