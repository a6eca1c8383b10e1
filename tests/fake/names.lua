--- A list of children as the zookeeper module has it in C.
local function missing_from(other, mine)
  local has, missing = {}, {}
  for _, name in ipairs(other) do
    has[name] = true
  end
  for _, name in ipairs(mine) do
    missing[#missing + 1] = not has[name] and name or nil
  end
  table.sort(missing)
  return missing
end

return function(list)
  local names = {list = table.move(list, 1, #list, 1, {})}

  function names:difference(before)
    assert(before.list, "a closed list is compared")
    return missing_from(before.list, self.list),
      missing_from(self.list, before.list)
  end

  function names:admit(most, known)
    local first = table.move(self.list, 1, #self.list, 1, {})
    table.sort(first, function(a, b)
      if (known[a] == nil) ~= (known[b] == nil) then
        return known[a] ~= nil
      end
      return a < b
    end)
    return table.move(first, 1, math.min(#first, most), 1, {})
  end

  -- Each `*` of a pattern stands for any letters.
  local function is_like(name, patterns)
    for _, pattern in ipairs(patterns) do
      if name:find("^" .. pattern:gsub("[%-.]", "%%%0"):gsub("%*", ".*") .. "$")
      then
        return true
      end
    end
    return false
  end

  -- The given list is the `children` of a reply.
  function names:keep(patterns)
    for i = #list, 1, -1 do
      if not is_like(list[i], patterns) then
        table.remove(list, i)
      end
    end
    self.list = table.move(list, 1, #list, 1, {})
  end

  function names:close()
    self.list = nil
  end

  return setmetatable(names, {__len = function(self) return #self.list end})
end
