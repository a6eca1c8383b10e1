--- A service for the tests of `sync`: sends the groups in `groups`, one
-- command each, and writes down what it is told.
return function(name, told)
  local service = {name = name, backend = name, known = true, groups = {},
    asks = false}

  function service.plan(self, room)
    local groups, bytes = {}, 0
    for i, text in ipairs(self.groups) do
      groups[i] = {{text = text, field = "admin"}}
      bytes = bytes + #text
      if bytes > room then
        return groups
      end
    end
    return groups
  end

  function service.look_at_moves()
  end

  function service.question(self)
    return self.asks and {text = "show " .. name, field = "state"} or nil
  end

  local function note(method)
    service[method] = function(_, command, answer)
      table.insert(told, name .. " " .. method ..
        (type(command) == "table" and " " .. (command.text or "") or "") ..
        (answer and ": " .. answer or ""))
    end
  end
  note("sent")
  note("refuse")
  note("ask")
  note("lost")

  function service.done(self, command)
    table.insert(told, name .. " done " .. command.text)
    for i, text in ipairs(self.groups) do
      if text == command.text then
        table.remove(self.groups, i)
      end
    end
  end

  function service.observe(self, states)
    table.insert(told, name .. " observe " .. tostring(next(states)))
    self.asks = false
    return #self.groups > 0, self.is_operated == true
  end

  function service.is_due()
    return service.due == true
  end

  function service.is_waiting()
    return service.rests ~= true
  end

  function service.is_moving()
    return false
  end

  function service.has_failing()
    return service.failing == true
  end

  function service.has_retained()
    return service.retained == true
  end

  function service.summary()
    return name .. " summed up"
  end
  return service
end
