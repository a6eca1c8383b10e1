--- Where HAProxy listens: which stats sockets a command may go through.
--
-- Pure, but for the files that it is given functions to read.
--
-- @module synapse.control.sockets

local config_text = require("synapse.haproxy.config_text")
local stats_sockets = require("synapse.haproxy.stats_sockets")

local sockets = {}

-- Debian's, and what haproxy-synapse adds to it.
local DEFAULTS = {"/etc/haproxy/haproxy.cfg", "/etc/haproxy/synapse.cfg"}

-- An address as haproxy.cfg has it. Only paths can be reached from here.
local function path_of(socket)
  return socket.address:match("^unix@(/.+)$") or
    socket.address:match("^(/.+)$")
end

-- Those that may change something come first; the agent's own is on no path.
local function in_order(list)
  local changing, others = {}, {}
  for _, socket in ipairs(list) do
    local path = path_of(socket)
    local may_change = socket.name and
      stats_sockets.may_change(socket.level)
    if path then
      table.insert(may_change and changing or others,
        {path = path, may_change = may_change or false, level = socket.level,
          place = socket.place})
    end
  end
  local number = #changing
  return table.move(others, 1, #others, number + 1, changing), number
end

local function read_files(paths, edges, must_exist)
  local texts, problems = {}, {}
  for _, path in ipairs(paths) do
    local files = config_text.files({path}, edges)
    for _, file in ipairs(files or {}) do
      texts[#texts + 1] = file
    end
    if not files and (must_exist or edges.exists(path)) then
      problems[#problems + 1] = path .. ": cannot be read" ..
        (edges.exists(path) and "" or ": no such file")
    end
  end
  return texts, problems
end

local SAMPLE = "stats socket /run/haproxy-synapse.sock mode 660 level " ..
  "operator name synapse"

--- Lists the sockets to try, in order.
-- @tparam table request see `options.read`: `socket`, `config`, `changes`
-- @tparam ?string variable SYNAPSE_SOCKET
-- @tparam table edges `read`, `list` (see `config_text.files`); `exists(path)`
-- @treturn {{path,may_change,level,place},...} with `is_given`: whether it was
--   said which one
-- @treturn[2] nil
-- @treturn[2] string why there is none
function sockets.find(request, variable, edges)
  local given = request.socket or not request.config and variable ~= "" and
    variable
  if given then
    return {{path = given, may_change = true}, is_given = true}
  end
  local paths = request.config or DEFAULTS
  local texts, problems = read_files(paths, edges, request.config)
  if #problems > 0 or #texts == 0 then
    return nil, (#problems > 0 and table.concat(problems, "; ") or
      table.concat(paths, " and ") .. ": no such files") ..
      "; say where HAProxy listens: -s SOCKET, or SYNAPSE_SOCKET"
  end
  local list, changing = in_order(stats_sockets.list(
    config_text.parse(texts, {environment = {}})))
  if #list == 0 then
    return nil, string.format("%s: no `stats socket` with a path; add `%s`, " ..
      "or give -s SOCKET", table.concat(paths, " and "), SAMPLE)
  elseif request.changes and changing > 0 then
    list = table.move(list, 1, changing, 1, {})
  end
  return list
end

return sockets
