--- A ZooKeeper session for the tests: keeps what was asked, and answers when
-- it is told to.
--
-- `asked` is the list of open requests, oldest first, each `{op, path,
-- request}`; `window`: so many are sent at once. `reply` answers the oldest one
-- for a path.
local new_names = dofile("tests/fake/names.lua")

return function(take)
  local session = {asked = {}, connected = true, last = 0, watched = {},
    window = 64}

  local function ask(op)
    return function(self, path, watch)
      if not self.connected then
        return nil, "not connected", -9
      end
      self.last = self.last + 1
      self.watched[path] = watch or self.watched[path]
      table.insert(self.asked, {op = op, path = path, request = self.last})
      return self.last
    end
  end
  session.get_children = ask("get_children")
  session.get = ask("get")
  session.exists = ask("exists")
  session.create = ask("create")

  function session:room()
    return self.connected and math.max(0, self.window - #self.asked) or 0
  end

  function session:set_hosts(hosts)
    self.hosts = hosts
  end

  function session.close()
  end

  --- Takes the oldest open request for a path and answers it.
  function session.reply(path, fields)
    for i, one in ipairs(session.asked) do
      if one.path == path then
        table.remove(session.asked, i)
        local event = {type = "reply", session = session, op = one.op,
          request = one.request, path = path, code = 0}
        for key, value in pairs(fields) do
          event[key] = value
        end
        event.names = event.children and new_names(event.children)
        return take(event)
      end
    end
    error("nothing was asked of " .. path, 2)
  end

  --- Answers a read of a znode with data.
  function session.reply_data(path, data, czxid)
    session.reply(path, {data = data,
      stat = {data_length = #data, czxid = czxid or 1}})
  end

  --- Lists what is open, as "op path", sorted.
  function session.open()
    local list = {}
    for i, one in ipairs(session.asked) do
      list[i] = one.op .. " " .. one.path
    end
    table.sort(list)
    return list
  end
  return session
end
