--- A log that keeps its lines, as "level: text", in `lines`.
return function()
  local log = {lines = {}}
  for _, level in ipairs({"alert", "error", "warning", "info"}) do
    log[level] = function(self, format, ...)
      table.insert(self.lines, level .. ": " .. string.format(format, ...))
    end
  end

  --- Returns how many lines contain a text.
  function log.count(text)
    local n = 0
    for _, line in ipairs(log.lines) do
      n = n + (line:find(text, 1, true) and 1 or 0)
    end
    return n
  end
  return log
end
