--- The stats sockets that haproxy.cfg declares.
--
-- HAProxy does not tell a Lua command the level of its socket. It tells the
-- socket's `name`, and the configuration has the level for that name.
--
-- Pure.
--
-- @module synapse.haproxy.stats_sockets

local stats_sockets = {}

-- Each level may do what the levels before it may.
local RANKS = {user = 1, operator = 2, admin = 3}

-- HAProxy's own default.
local DEFAULT = "operator"

local function socket_of(line)
  local words, socket = line.words, {level = DEFAULT, place = line.place}
  socket.address = words[3]
  for i = 4, #words - 1 do
    if words[i] == "level" and RANKS[words[i + 1]] then
      socket.level = words[i + 1]
    elseif words[i] == "name" then
      socket.name = words[i + 1]
    end
  end
  return socket
end

--- Lists the stats sockets.
-- @tparam {section,...} sections of the configuration, see
--   `synapse.haproxy.config_text`
-- @treturn {{address,level,name,place},...} in order
function stats_sockets.list(sections)
  local list = {}
  for _, section in ipairs(sections) do
    for _, line in ipairs(section.kind == "global" and section.lines or {}) do
      if line.words[1] == "stats" and line.words[2] == "socket" and
        line.words[3]
      then
        list[#list + 1] = socket_of(line)
      end
    end
  end
  return list
end

--- Tells whether a level allows to change what the agent does.
-- @tparam ?string level nil: nobody knows
-- @treturn boolean
function stats_sockets.may_change(level)
  return (RANKS[level] or 0) >= RANKS.operator
end

--- Returns the level of each socket that has a name. If several sockets have
-- the same name, or a condition decides between two, the lowest level counts.
-- @tparam {section,...} sections
-- @treturn {[string]=string}
function stats_sockets.levels(sections)
  local levels = {}
  for _, socket in ipairs(stats_sockets.list(sections)) do
    local before = socket.name and levels[socket.name]
    if socket.name and
      (not before or RANKS[socket.level] < RANKS[before])
    then
      levels[socket.name] = socket.level
    end
  end
  return levels
end

return stats_sockets
