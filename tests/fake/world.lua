--- An agent among fakes: a HAProxy with two slots in each backend, a client of
-- ZooKeeper, a clock and a log.
--
-- `sent` has the lines that HAProxy got, `written` the snapshots, `files` the
-- services' files by name, `restored` what HAProxy was told to restore of each
-- backend, `woken` how often the main task was woken.
local agent = require("synapse.agent")
local new_clock = dofile("tests/fake/clock.lua")
local new_log = dofile("tests/fake/log.lua")
local new_lookup = dofile("tests/fake/lookup.lua")
local new_session = dofile("tests/fake/session.lua")
local new_source = dofile("tests/fake/source.lua")

local ADDRESSES =
  {["zk:2181"] = "10.0.0.5:2181", ["other:2181"] = "10.0.0.6:2181"}
local CODES = {ok = 0, connection_loss = -4, no_node = -101}

local function checksum(text, before)
  return string.format("%016x", #text + tonumber(before or "0", 16))
end

return function()
  local world = {clock = new_clock(), log = new_log(), events = {}, sent = {},
    written = {}, files = {}, jobs = {}, restored = {}, opened = {},
    sessions = {}, looked_up = {}, last_job = 900, active = 0,
    worked = 0, woken = 0}

  function world.config_of(name, path, hosts)
    path = path or "/" .. name
    return {name = name, backend = name, path = path,
      sources = {new_source(path, hosts)}, default_servers = {},
      named_servers = {}, max_instances = 1000,
      use_previous_backends = true, use_nerve_weights = false,
      guard = {window = 10, share = 0.5, hold = 60}}
  end

  local function runtime()
    return {
      slots = function(backend, restored)
        world.restored[backend] = restored
        return {"s1", "s2"}, {s1 = {weight = 1, maxconn = 0},
          s2 = {weight = 1, maxconn = 0}}
      end,
      sessions = function() return 0 end,
      id = function() return 3 end,
      active = function() return world.active, 0 end,
      errors = function() return 0 end,
      wall = function() return world.wall or world.clock.now() end,
      empty = function() end,
      can = function() return {} end,
      fill = function(backend, slot, server)
        table.insert(world.sent, string.format("fill %s/%s %s %s", backend,
          slot, server.host, server.admin))
        return true
      end,
    }
  end

  local function begin_job()
    world.last_job = world.last_job + 1
    table.insert(world.jobs, world.last_job)
    return world.last_job
  end

  local function client()
    return {
      open = function(_, options)
        local session = new_session(function(event)
          table.insert(world.events, event)
        end)
        session.close = function(self) self.closed = true end
        table.insert(world.sessions, session)
        table.insert(world.opened, options.hosts)
        return session
      end,
      poll = function() return table.remove(world.events, 1) end,
      tick = function() end,
      resolve = function(_, hosts)
        table.insert(world.looked_up, hosts)
        return 500 + #world.looked_up
      end,
      wake = function() world.woken = world.woken + 1 end,
      command = function(_, line)
        table.insert(world.sent, line)
        return #world.sent
      end,
    }
  end

  --- Makes the agent, `world.one`.
  -- @tparam {config,...} services
  -- @tparam ?table records of the snapshot
  -- @tparam ?table addresses of the ensembles; nil: they have some
  -- @tparam ?table more of what `agent.new` takes
  function world.new(services, records, addresses, more)
    local deps = {
      config = {services = services, session_timeout = 10,
        resync_interval = 600}, codes = CODES,
      checksum = checksum, records = records or {},
      restored = {}, snapshot_path = "/state",
      lookup = new_lookup(services, addresses or ADDRESSES),
      write_snapshot = function(text)
        table.insert(world.written, text)
        return begin_job()
      end,
      client = client(), runtime = runtime(), log = world.log,
      now = world.clock.now, thread_time = function() return world.worked end,
      random = function() return 0 end,
      output = {
        path = "/files", directory = {read = function() return nil end},
        write = function(name, text)
          world.files[name] = text
          return begin_job()
        end,
        remove = function(name)
          world.files[name] = nil
          return begin_job()
        end,
      },
    }
    for key, value in pairs(more or {}) do
      deps[key] = value
    end
    world.one = agent.new(deps)
    return world.one
  end

  function world.happen(event)
    table.insert(world.events, event)
    world.one:turn()
  end

  function world.connect()
    world.one:open()
    for _, session in ipairs(world.sessions) do
      world.happen({type = "session", session = session, state = "connected",
        link = "new_session", client_id = "0x1", timeout = 10})
    end
  end

  --- HAProxy's answer to the last line.
  function world.answer(text)
    world.happen({type = "answer", request = #world.sent, data = text})
  end

  --- What HAProxy answers before anything was done.
  function world.answer_empty_slots()
    local line = "3 web 1 %s 127.0.0.1 0 5 1 1 9 1 0 0 14 0 0 0 - 1 - 0 0 " ..
      "- - 0\n"
    world.answer("1\n# be_id be_name\n" .. line:format("s1") ..
      line:format("s2") .. "\n")
  end

  --- Answers all that is sent until nothing more is, as HAProxy would; where it
  -- is asked, both slots are empty.
  function world.obey()
    local state = "1\n# be_id be_name\n"
    for _, slot in ipairs({"s1", "s2"}) do
      state = state .. "3 web 1 " .. slot .. " 127.0.0.1 0 5 1 1 9 1 0 0 " ..
        "14 0 0 0 - 1 - 0 0 - - 0\n"
    end
    local number
    repeat
      number = #world.sent
      world.answer((world.sent[number]:gsub("[^;]+;?", function(command)
        return (command:find("^show") and state or
          command:find(" addr ") and "IP changed from 'a' to 'b'\n" or "") ..
          "\n"
      end)))
      world.one:turn()
    until #world.sent == number
  end

  function world.register(path, name, port)
    local session = world.sessions[1]
    session.reply(path, {children = {name}})
    world.one:turn()
    session.reply_data(path .. "/" .. name,
      string.format('{"host":"10.0.0.1","port":%d}', port))
    world.one:turn()
  end

  --- Lets seconds pass. All that is to be written is, at once.
  function world.pass(seconds)
    for _ = 1, seconds do
      world.clock.pass(1)
      world.one:turn()
      while world.jobs[1] do
        world.happen({type = "job", request = table.remove(world.jobs, 1),
          code = 0})
      end
    end
  end
  return world
end
