--- Copies a table; what its fields hold is shared.
--
-- Pure.
--
-- @module synapse.copy

--- @function copy
-- @tparam table fields
-- @treturn table
return function(fields)
  local copied = {}
  for name, value in pairs(fields) do
    copied[name] = value
  end
  return copied
end
