--- Says how many there are of something: "1 slot", "2 slots", "0 slots".
--
-- Pure.
--
-- @module synapse.plural

--- @function plural
-- @tparam integer count
-- @tparam string what one of them is called; "s" makes it many
-- @treturn string
return function(count, what)
  return string.format("%d %s%s", count, what, count == 1 and "" or "s")
end
