--- For whom each slot is: host names, backups, or anybody else.
--
-- Pure.
--
-- @module synapse.service.kinds

local kinds = {}

--- What HAProxy's configuration makes of a slot.
-- @table declaration
-- @tfield integer weight
-- @tfield integer maxconn 0: no limit
-- @tfield boolean is_backup
-- @tfield boolean is_for_names whether HAProxy resolves names for it

--- The kinds of slots, in the order in which they are filled.
kinds.ALL = {"plain", "backup", "name"}

local function kind_of(declaration)
  if declaration.is_for_names then
    return "name"
  end
  return declaration.is_backup and "backup" or "plain"
end

--- Tells the kind of each slot. Where all are backups, none is one.
-- @tparam {[string]=declaration} declared by slot
-- @treturn {[string]=string} "plain", "backup" or "name", by slot
function kinds.of_slots(declared)
  local found, has_plain = {}, false
  for slot, declaration in pairs(declared) do
    found[slot] = kind_of(declaration)
    has_plain = has_plain or found[slot] == "plain"
  end
  for slot, kind in pairs(found) do
    found[slot] = kind == "backup" and not has_plain and "plain" or kind
  end
  return found
end

--- Tells which kind of slot an instance is to have.
-- @tparam instance one
-- @tparam boolean has_backups whether there are slots for them
-- @treturn string
function kinds.of_instance(one, has_backups)
  if one.is_name then
    return "name"
  end
  return one.is_backup and has_backups and "backup" or "plain"
end

--- Returns why an instance that asks to be a backup is none, or nil.
-- @tparam instance one
-- @tparam boolean has_backups
-- @treturn ?string
function kinds.objection(one, has_backups)
  if not one.is_backup then
    return nil
  elseif one.is_name then
    return "a host name has no slot for that"
  end
  return not has_backups and "no slot is declared `backup`" or nil
end

return kinds
