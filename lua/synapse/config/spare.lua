--- Reads `haproxy.spare`: the blank backends, which wait for new services.
--
-- Pure.
--
-- @module synapse.config.spare

local bind = require("synapse.config.bind")
local http_check = require("synapse.http_check")
local schema = require("synapse.config.schema")
local server_options = require("synapse.config.server_options")
local value = require("synapse.config.value")

local spare = {}

-- Each port is a listener of HAProxy, and a line of its configuration.
local MOST_PORTS = 1000

--- Blank backends of one kind, and the frontend that leads to them.
-- @table spare_kind
-- @tfield string name     of the frontend; those of the backends begin with it
-- @tfield string place    in the configuration
-- @tfield string mode     "http" or "tcp"
-- @tfield integer backends how many there are
-- @tfield integer slots   of each
-- @tfield string address  where the frontend listens, and
-- @tfield {bind,...} binds its ports there
-- @tfield boolean own_backends whether HAProxy is to add backends like them
-- @tfield string server_text the words of each server
-- @tfield ?http_check check by which servers are checked
-- @tfield table lines     of haproxy.cfg: `frontend` and `backend`, each a
--   `{line,...}`

-- What the next service would inherit from the last one, or has no effect here.
local REFUSED = {
  frontend = {
    {"^stick%-table%s", "would be one table for all services of this " ..
      "frontend, also for those that come later; put it into `backend`"},
    {"^mode%s", "belongs in the key `mode`"},
    {"^bind%s", "belongs in the keys `ports` and `bind_address`"},
    {"^default_backend%s", "would send requests of a port without a service " ..
      "somewhere; leave it out"},
    {"^use_backend%s", "would send requests of a service somewhere else; " ..
      "leave it out"},
  },
  backend = {
    {"^stick%-table%s.*%speers%s", "`peers` would bring back entries of the " ..
      "service that had the backend before; leave `peers` out"},
    {"^stick%s.*%stable%s", "the table of another section keeps the entries " ..
      "of a service that has left; leave `table` out"},
    {"track%-sc%d%s.*%stable%s", "the table of another section keeps the " ..
      "entries of a service that has left; leave `table` out"},
    {"^mode%s", "belongs in the key `mode`"},
    {"^http%-check%s+connect", "is not supported here; leave it out"},
  },
  own_backends = {
    {"^stick%f[%s-]", "is not possible in a backend that is added; leave it " ..
      "out, or `own_backends`"},
    {"^default%-server%s", "has no effect on a server that is added; put " ..
      "the words into `server_options`"},
  },
}

local function check_lines(report, lines, refused)
  for _, line in ipairs(lines) do
    for _, rule in ipairs(refused) do
      if line.text:find(rule[1]) then
        value.wrong(report, line.place, "`%s` %s", line.text, rule[2])
      end
    end
  end
end

local function read_check(report, lines)
  local words = {}
  for i, line in ipairs(lines) do
    words[i] = http_check.words(line.text)
  end
  local check, why, at = http_check.read(words)
  if why then
    value.wrong(report, lines[at].place, "`%s` %s", lines[at].text, why)
  elseif check and not check.uri then
    value.wrong(report, lines[1].place, "`uri-lf` makes its own URI, and a " ..
      "new service has one of its own; write `option httpchk METHOD URI`")
  end
  return check
end

local function read_ports(report, fields, place)
  local binds, text = {}, fields.ports
  local low, high = (text or ""):match("^(%d+)%-(%d+)$")
  low = math.tointeger(tonumber(low or text))
  high = math.tointeger(tonumber(high)) or low
  if not text then
    return binds
  elseif not low or low < 1 or high < low or high > 65535 then
    value.wrong(report, place .. ".ports", "%s is not a port or a range of " ..
      "ports, such as \"4000-4099\"", value.shown(text))
    return binds
  elseif high - low >= MOST_PORTS then
    value.wrong(report, place .. ".ports", "%s is more than %d ports",
      value.shown(text), MOST_PORTS)
    return binds
  end
  for port = low, high do
    binds[#binds + 1] = bind.new({address = fields.bind_address,
      port = tostring(port), options = fields.bind_options,
      place = place .. ".ports"})
  end
  return binds
end

-- Returns where the frontend of a kind listens.
local function read_binds(report, object, fields, place)
  local binds = read_ports(report, fields, place)
  if object.ports == nil and #fields.sockets == 0 then
    value.wrong(report, place .. ".ports", "is missing; it must be a port " ..
      "or a range of ports, such as \"4000-4099\", unless there are `sockets`")
  end
  for _, socket in ipairs(fields.sockets) do
    if not socket.text:find("^/[^%s,]+$") then
      value.wrong(report, socket.place, "%s is not the path of a Unix " ..
        "socket, such as \"/run/haproxy/new-1.sock\"",
        value.shown(socket.text))
    end
    binds[#binds + 1] = bind.new({address = socket.text,
      options = fields.bind_options, place = socket.place})
  end
  return binds
end

local function read_kind(report, name, given, defaults)
  local place = "haproxy.spare." .. name
  local fields, object = value.section(report, given, place, schema.SPARE,
    {bind_address = defaults.bind_address})
  local kind = server_options.read(report, object.server_options,
    place .. ".server_options")
  kind.name, kind.place, kind.mode = "spare-" .. name, place, fields.mode
  kind.backends, kind.slots = fields.backends, fields.slots
  kind.address, kind.own_backends = fields.bind_address, fields.own_backends
  kind.binds = read_binds(report, object, fields, place)
  kind.lines = {frontend = fields.frontend, backend = fields.backend}
  check_lines(report, kind.lines.frontend, REFUSED.frontend)
  check_lines(report, kind.lines.backend, REFUSED.backend)
  if kind.own_backends then
    check_lines(report, kind.lines.backend, REFUSED.own_backends)
  end
  kind.check = read_check(report, kind.lines.backend)
  if kind.check and kind.mode == "tcp" then
    value.wrong(report, place .. ".backend", "`option httpchk` needs " ..
      "the mode \"http\" here")
  end
  if not name:find("^[%w_.:]+$") then
    value.wrong(report, place, "%s is no part of the name of a frontend " ..
      "([A-Za-z0-9_.:])", value.shown(name))
  end
  return kind
end

-- Two of them would share the address, and HAProxy would choose by chance.
local function check_binds(report, kinds)
  local known = {}
  for _, kind in ipairs(kinds) do
    for _, listener in ipairs(kind.binds) do
      local other = known[listener.text]
      if other and other ~= kind then
        value.wrong(report, listener.place, "%s is also one of %s",
          listener.text, other.place)
        break
      end
      known[listener.text] = kind
    end
  end
end

--- Reads the kinds.
-- @tparam report report
-- @param given the value of `haproxy.spare`
-- @tparam table defaults `bind_address`
-- @treturn {spare_kind,...} sorted by name
function spare.read(report, given, defaults)
  local objects, names, kinds =
    value.object(report, given, "haproxy.spare"), {}, {}
  for name in pairs(objects) do
    names[#names + 1] = name
  end
  table.sort(names)
  for i, name in ipairs(names) do
    kinds[i] = read_kind(report, name, objects[name], defaults)
  end
  check_binds(report, kinds)
  return kinds
end

--- Reports services whose names are those of a frontend or a blank backend.
-- @tparam report report
-- @tparam {spare_kind,...} kinds
-- @tparam {service,...} services
function spare.check_names(report, kinds, services)
  for _, service in ipairs(services) do
    for _, kind in ipairs(kinds) do
      local backend = service.backend or ""
      if service.name == kind.name or backend == kind.name or
        backend:sub(1, #kind.name + 1) == kind.name .. "-"
      then
        value.wrong(report, service.place, "its name, or that of its " ..
          "backend, is one of %s; give one of the two another name",
          kind.place)
      end
    end
  end
end

return spare
