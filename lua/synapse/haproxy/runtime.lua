--- What the agent uses of HAProxy: slots, sessions, time, logs.
--
-- Slots are filled through the Server class in `core.register_init` only;
-- afterwards servers change by the runtime API alone.
--
-- @module synapse.haproxy.runtime

local commands = require("synapse.haproxy.commands")
local version = require("synapse.haproxy.version")

local runtime = {}

-- What `server-template ... slot.invalid:1 init-addr last,127.0.0.1 disabled`
-- gives a server of which HAProxy restored nothing, and what `127.0.0.1:1`
-- gives it. No real server has this address, so it marks an empty slot. The
-- other address marks a slot for host names, which HAProxy can resolve.
local PLACEHOLDER = "127.0.0.1:1"
local FOR_NAMES = "240.0.0.1:1"

local UNKNOWN = 1

-- Seconds that an answer may work without a pause.
local SLICE = 0.0002

local function by_id(a, b)
  return a.id < b.id
end

local function is_placeholder(server)
  local place = server:get_addr()
  return place == PLACEHOLDER or place == FOR_NAMES
end

-- HAProxy's Lua shows an IPv6 address without brackets.
local function is_at(server, place)
  return place and server:get_addr() == place:gsub("[][]", "")
end

-- If a line has an address and not a name, HAProxy restores only the port. The
-- slot would then send requests to whatever listens there.
local function refuse_half_restored(backend, server, restored)
  if server:get_addr() == "127.0.0.1:" .. restored:match("%d+$") then
    error("synapse: backend " .. backend .. ": HAProxy restores only the "
      .. "port of its slots, because their line has an address; it is to be " ..
      "`server-template s 1-16 slot.invalid:1 init-addr last,127.0.0.1 " ..
      "disabled`", 0)
  end
end

-- What is needed of a server's statistics. There are a hundred of them: kept
-- for each of ten thousand slots, they took 40 MB that a worker never gave
-- back. The id is one of them: 2.6 has no method for it, and 3.0 warns of the
-- field.
local function slot_of(name, server)
  local stats = server:get_stats()
  return {
    name = name, id = stats.sid, server = server, is_backup = stats.bck == 1,
    is_in_maint = stats.status:find("^MAINT") ~= nil,
  }
end

-- Tells whether a server is an empty slot, or one that HAProxy restored as
-- told.
local function slots_of(backend, restored)
  local slots = {}
  for name, server in pairs(core.backends[backend].servers) do
    local place = restored[name]
    if is_placeholder(server) or is_at(server, place) then
      slots[#slots + 1] = slot_of(name, server)
    elseif place then
      refuse_half_restored(backend, server, place)
    end
  end
  table.sort(slots, by_id)
  return slots
end

local function declaration_of(slot)
  local server = slot.server
  return {
    weight = math.tointeger(server:get_weight()),
    maxconn = server:get_maxconn(),
    is_backup = slot.is_backup,
    is_for_names = server:get_addr() == FOR_NAMES,
    is_restored = not is_placeholder(server),
  }
end

--- Lists the slots of a backend. Only in `core.register_init`, but for a
-- backend that was added: HAProxies that can add one show it to Lua.
-- @tparam string name of the backend
-- @tparam {[string]=string} restored the host:port by slot that HAProxy was
--   told to restore
-- @treturn {string,...} names in the configuration's order, maybe none
-- @treturn {[string]=declaration} by name, see `synapse.service.placement`
-- @treturn[2] nil when there is no such backend
function runtime.slots(name, restored)
  if not core.backends[name] then
    return nil
  end
  local pool, declared = {}, {}
  for i, slot in ipairs(slots_of(name, restored)) do
    pool[i] = slot.name
    declared[slot.name] = declaration_of(slot)
  end
  return pool, declared
end

--- Lists the slots of the backends that have any, but for those that are
-- filled. Only in `core.register_init`.
-- @tparam {[string]=boolean} is_filled by the backend's name
-- @treturn {[string]={pool={string,...},declared={[string]=declaration}}}
function runtime.unused_slots(is_filled)
  local unused = {}
  for name in pairs(core.backends) do
    local pool, declared = {}, nil
    if not is_filled[name] then
      pool, declared = runtime.slots(name, {})
    end
    unused[name] = #pool > 0 and {pool = pool, declared = declared} or nil
  end
  return unused
end

--- Tells whether a backend can be filled. Only in `core.register_init`.
-- @tparam string name of the backend
-- @tparam {[string]=string} restored see `runtime.slots`
-- @treturn {slots=integer,backups=integer,is_disabled=boolean} how many slots
--   it has, how many of them are backups, and whether the slots are out of
--   traffic, as `disabled` makes them; nil when HAProxy restored them all
-- @treturn[2] nil when there is no such backend
function runtime.backend(name, restored)
  if not core.backends[name] then
    return nil
  end
  local slots, backups, is_disabled = slots_of(name, restored), 0, nil
  for _, slot in ipairs(slots) do
    backups = backups + (slot.is_backup and 1 or 0)
    if is_disabled == nil and is_placeholder(slot.server) then
      is_disabled = slot.is_in_maint
    end
  end
  return {slots = #slots, backups = backups, is_disabled = is_disabled}
end

local function set_place(target, server)
  local answer = target:set_addr(server.host, server.port) or ""
  if not commands.is_addressed(answer) then
    return false
  end
  if server.admin == "ready" then
    target:set_ready()
  elseif server.admin == "drain" then
    target:set_drain()
  end
  return true
end

-- After maintenance HAProxy counts a server as up, and one failed check takes
-- it out. A server that was down would serve until then.
local function restore_check(target, server)
  if server.admin == "maint" then
    return
  elseif server.check == "fails" then
    target:check_force_down()
  else
    target:check_force_up()
  end
end

--- Tells what this HAProxy can do, see `synapse.haproxy.version`.
-- @treturn capabilities
function runtime.can()
  return version.capabilities(core.get_info().Version)
end

-- The version does not change while HAProxy runs.
local has_counts
local function counts_in_lua()
  if has_counts == nil then
    has_counts = runtime.can().counts_in_lua
  end
  return has_counts
end

--- Fills a slot that HAProxy did not restore, as far as this HAProxy can do it
-- now, and gives a slot what HAProxy does not restore. Only in
-- `core.register_init`.
-- @tparam string backend
-- @tparam string slot
-- @tparam server server with `check`, "fails" where it is to begin down
-- @treturn boolean whether the slot is as it is to be
function runtime.fill(backend, slot, server)
  local target = core.backends[backend].servers[slot]
  local is_there = is_at(target, server.host .. ":" .. server.port)
  if not is_there and (runtime.can().address_is_deferred or
    not set_place(target, server))
  then
    return false
  end
  if server.weight ~= server.initial then
    target:set_weight(tostring(server.weight))
  end
  if server.maxconn ~= target:get_maxconn() then
    target:set_maxconn(tostring(server.maxconn))
  end
  restore_check(target, server)
  -- HAProxy restores maint, but it brings a draining server back as ready.
  if is_there and server.admin == "drain" then
    target:set_drain()
  end
  return true
end

--- Takes a slot out of traffic that is to be empty. Only in
-- `core.register_init`.
-- @tparam string backend
-- @tparam string slot
function runtime.empty(backend, slot)
  local target = core.backends[backend].servers[slot]
  if not is_placeholder(target) then
    target:set_maint()
  end
end

--- Tells whether a server has an address.
-- @tparam string backend
-- @tparam string slot
-- @tparam string host
-- @tparam integer port
-- @treturn ?boolean nil where that cannot be seen
function runtime.is_at(backend, slot, host, port)
  local server = core.backends[backend].servers[slot]
  return server and is_at(server, host .. ":" .. port)
end

--- Returns how many sessions a server has, queued ones included; at least one
-- if Lua cannot see them.
-- @tparam string backend
-- @tparam string slot
-- @treturn integer
function runtime.sessions(backend, slot)
  local server = core.backends[backend].servers[slot]
  if not server then
    -- Lua of HAProxy 2.6 does not see a server that was added at run time.
    return UNKNOWN
  end
  if counts_in_lua() then
    return server:get_cur_sess() + server:get_pend_conn()
  end
  local stats = server:get_stats()
  return (stats.scur or 0) + (stats.qcur or 0)
end

local function errors_of(stats)
  return stats.econ + stats.eresp + (stats.hrsp_5xx or 0)
end

--- Returns how many sessions a backend has, queued ones included.
-- @tparam string backend
-- @treturn integer
function runtime.sessions_of_backend(backend)
  local stats = core.backends[backend]:get_stats()
  return (stats.scur or 0) + (stats.qcur or 0)
end

--- Sets the value of a key in a map that HAProxy's configuration uses.
-- @tparam string map the path of its file
-- @tparam string key
-- @tparam string value
function runtime.set_map(map, key, value)
  core.set_map(map, key, value)
end

--- Removes a key from such a map.
-- @tparam string map
-- @tparam string key
function runtime.del_map(map, key)
  core.del_map(map, key)
end

--- Returns how many servers of a backend can take traffic.
-- @tparam string backend
-- @treturn integer those without the option `backup`
-- @treturn integer those with it
-- @treturn ?integer how many errors it has counted; nil: ask `runtime.errors`
function runtime.active(backend)
  local proxy = core.backends[backend]
  if counts_in_lua() then
    return proxy:get_srv_act(), proxy:get_srv_bck()
  end
  local stats = proxy:get_stats()
  return stats.act, stats.bck, errors_of(stats)
end

--- Returns how many errors a backend has counted.
-- @tparam string backend
-- @treturn integer see `counters.parse`
function runtime.errors(backend)
  return errors_of(core.backends[backend]:get_stats())
end

--- Returns what HAProxy counts of a backend.
-- @tparam string backend
-- @treturn {[string]=integer} see `counters.parse`
function runtime.counters(backend)
  local stats = core.backends[backend]:get_stats()
  return {
    sessions = stats.scur, queue = stats.qcur, requests_per_s = stats.rate,
    errors = errors_of(stats),
    last_change = stats.lastchg,
  }
end

--- Returns the number of a backend.
-- @tparam string backend
-- @treturn integer
function runtime.id(backend)
  return core.backends[backend]:get_stats().iid
end

--- Tells whether HAProxy is stopping.
-- @treturn boolean
function runtime.is_stopping()
  return tonumber(core.get_info().Stopping) == 1
end

--- Returns the time of day.
-- @treturn number seconds since the epoch
function runtime.wall()
  local now = core.now()
  return now.sec + now.usec / 1e6
end

--- Tells which HAProxy this is.
-- @treturn table `haproxy`: its version; `node`: the machine's name; `pid` of
--   the worker; `started`: seconds since the epoch
function runtime.about()
  local info = core.get_info()
  return {
    haproxy = info.Version, node = info.node,
    pid = math.tointeger(tonumber(info.Pid)),
    started = math.tointeger(tonumber(info.Start_time_sec)),
  }
end

--- Returns a function that pauses for other work if it has run long enough.
-- @tparam function now returns seconds
-- @tparam number slice seconds that are worked without a pause
-- @treturn function
function runtime.new_turn(now, slice)
  local began = now()
  return function()
    if now() - began > slice then
      core.msleep(1)
      began = now()
    end
  end
end

--- Returns a function that waits until a condition is true, or so many seconds.
-- @tparam function now returns seconds
-- @treturn function
function runtime.new_await(now)
  return function(condition, seconds)
    local till = now() + seconds
    while not condition() and now() < till do
      core.msleep(1)
    end
  end
end

--- Returns what an answer needs of HAProxy.
-- @tparam table applet the one that answers
-- @tparam function now returns seconds
-- @treturn table `turn()`: gives other work its turn once it is time;
--   `usable(backend)`: how many of its servers HAProxy would use, one where
--   these are backups; `await(condition, seconds)`: until it is true, or so
--   long
function runtime.visit(applet, now)
  return {
    turn = runtime.new_turn(now, SLICE),
    -- Thirty times as fast as `runtime.active`, which tasks have to use.
    usable = function(backend) return applet.f:nbsrv(backend) end,
    await = runtime.new_await(now),
  }
end

--- Lets other work run.
-- @tparam integer milliseconds
function runtime.sleep(milliseconds)
  core.msleep(milliseconds)
end

local LEVELS = {
  alert = core.alert, error = core.err, warning = core.warning,
  info = core.info, debug = core.debug,
}

--- Writes a line to HAProxy's log.
-- @tparam string level "alert", "error", "warning" or "info"
-- @tparam string line
function runtime.log(level, line)
  core.log(LEVELS[level], line)
end

-- Of syslog.
local PRIORITIES = {alert = 1, error = 3, warning = 4, info = 6, debug = 7}

--- Writes a line to stderr, as systemd's journal takes it from there.
-- @tparam string level see `runtime.log`
-- @tparam string line
function runtime.log_to_journal(level, line)
  io.stderr:write(string.format("<%d>%s\n", PRIORITIES[level], line))
end

--- Writes a line to stderr, where the person who starts HAProxy sees it.
-- @tparam string level see `runtime.log`
-- @tparam string line
function runtime.log_to_stderr(level, line)
  io.stderr:write(string.format("[%s] %s\n", level, line))
end

return runtime
