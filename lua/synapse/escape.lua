--- Makes a text harmless for where it is shown: each byte that could move a
-- terminal's cursor, split a line or break a format is written as `\x1b`.
--
-- Pure.
--
-- @module synapse.escape

--- @function escape
-- @tparam string text
-- @tparam ?string bytes a Lua pattern of the bytes to write so; all that are
--   not printable ASCII if none is given
-- @treturn string
return function(text, bytes)
  return (text:gsub(bytes or "[^\32-\126]", function(byte)
    return string.format("\\x%02x", byte:byte())
  end))
end
