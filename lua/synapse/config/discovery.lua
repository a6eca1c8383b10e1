--- Reads where the instances of a service are found: `services.*.discovery` and
-- `services.*.discovery_multi`.
--
-- Pure, except for the functions that read files.
--
-- @module synapse.config.discovery

local address = require("synapse.instances.address")
local schema = require("synapse.config.schema")
local value = require("synapse.config.value")

local discovery = {}

--- One source.
-- @table source
-- @tfield string hosts    of the ensemble: "zk1:2181,zk2:2181", sorted
-- @tfield ?table auth     `scheme` and `secret`; or `needs_reload`: why only a
--   reload can read the secret
-- @tfield string ensemble sources with the same text share a session
-- @tfield string path     of the znode whose children are the instances
-- @tfield table decode    settings of `synapse.zookeeper.decode`
-- @tfield number pause    seconds between two reads that watches ask for
-- @tfield boolean create_path whether the path is made where it is missing
-- @tfield ?string origin  marks its instances, if the service has other sources
-- @tfield string read_as  how its znodes are read, as a text to compare
-- @tfield string place    sources with the same text share their reads
-- @tfield {filter,...} filters see `synapse.instances.labels`

local DAY = 86400
local POLLING = 60
local MOST_JITTER = 120

-- Checks a path. A chroot is one too.
local function check_path(report, path, place, what)
  if path and path ~= "/" and
    ((path .. "/"):find("//", 1, true) or (path .. "/"):find("/%.%.?/") or
      path:find("[\0-\31\127]"))
  then
    value.wrong(report, place, "%s is not %s", value.shown(path), what)
  end
  return path
end

local function read_path(report, given, place, chroot)
  local what = 'a path such as "/services/web"'
  local path = check_path(report,
    value.string(report, given, place, "^/", what), place, what)
  if path == "/" and chroot ~= "" then
    return chroot
  end
  return path and chroot .. path
end

-- A link-local address ends with a device.
local function is_ipv6(text)
  local _, why = address.canonical((text:gsub("%%[%w_.-]+$", "")))
  return text:find(":", 1, true) and why ~= "is not an IP address"
end

-- Tells whether a text is "host:port". A text with more than one colon must be
-- an IPv6 address with a port at its end.
local function is_server(text)
  local host, port = text:match("^([^%s,/]+):(%d%d?%d?%d?%d?)$")
  port = tonumber(port)
  if not port or port < 1 or port > 65535 then
    return false
  end
  return not host:find("[%[%]:]") or is_ipv6(host:match("^%[(.*)%]$") or host)
end

-- All servers have the same tree, so there cannot be two chroots.
local function add_server(report, text, place, connect)
  local server, chroot = text:match("^%s*([^/]*)(/?.-)/*%s*$")
  chroot = chroot == "/" and "" or chroot
  if not is_server(server or "") then
    value.wrong(report, place, "%s is not %s", value.shown(text),
      '"host:port"')
    return
  end
  connect.servers[#connect.servers + 1] = server
  if chroot ~= "" and connect.chroot and chroot ~= connect.chroot then
    value.wrong(report, place, '"%s" and "%s": one chroot holds for all ' ..
      "servers", connect.chroot, chroot)
  elseif chroot ~= "" then
    connect.chroot = check_path(report, chroot, place, "a chroot")
  end
end

-- Returns the servers, sorted, and the chroot, "" for none. An entry may be a
-- whole connect string, with a comma at its end: some programs make it in a
-- loop.
local function read_hosts(report, given, place)
  local what = 'a list of "host:port"'
  if type(given) ~= "table" or #given == 0 then
    value.wrong(report, place, given == nil and "is missing; it must be %s" or
      "is not %s", what)
    return nil, ""
  end
  local connect = {servers = {}}
  for i, element in ipairs(given) do
    local where = string.format("%s[%d]", place, i - 1)
    local text = value.string(report, element, where, "[^,%s]", '"host:port"')
    for part in (text or ""):gmatch("[^,]+") do
      if part:find("%S") then
        add_server(report, part, where, connect)
      end
    end
  end
  table.sort(connect.servers)
  return table.concat(connect.servers, ","), connect.chroot or ""
end

local function read_decode(report, section, place)
  return (value.section(report, section, place, schema.DECODE))
end

local function read_password_file(report, given, place, read)
  local path = value.string(report, given, place, ".", "the path of a file")
  if not path then
    return nil
  end
  local text, why, is_for_reload = read(path)
  if not text and is_for_reload then
    return nil, string.format("%s: %s: %s; reload HAProxy", place, path, why)
  elseif not text then
    value.wrong(report, place, "%s: %s", path, why)
    return nil
  end
  return (text:gsub("\r?\n$", ""))
end

-- An error about a password does not show it.
local function read_password(report, object, place, read)
  local password, file, why = object.password, object.password_file, nil
  if (password == nil) == (file == nil) then
    value.wrong(report, place, "needs one of `password` and `password_file`")
    return nil
  elseif file ~= nil then
    place = place .. ".password_file"
    password, why = read_password_file(report, file, place, read)
  else
    place = place .. ".password"
  end
  if type(password) == "string" and password:find("^[^%c]+$") then
    return password
  elseif password ~= nil then
    value.wrong(report, place, "is not one line of text")
  end
  return nil, why
end

local function read_auth(report, section, place, read)
  if section == nil then
    return nil
  end
  local fields, object = value.section(report, section, place, schema.AUTH)
  local user = fields.user
  local password, why = read_password(report, object, place, read)
  if why then
    return {needs_reload = why, secret = ""}
  end
  return user and password and
    {scheme = "digest", secret = user .. ":" .. password}
end

local function read_filter(report, given, place)
  local fields, object = value.section(report, given, place,
    schema.LABEL_FILTER)
  if object.value == nil or type(object.value) == "table" then
    value.wrong(report, place .. ".value",
      "must be a string, a number or a boolean")
  end
  return {
    label = fields.label, value = object.value, condition = fields.condition,
  }
end

local function read_filters(report, object, place)
  local filters = {}
  if object.label_filter ~= nil then
    filters[1] =
      read_filter(report, object.label_filter, place .. ".label_filter")
  end
  local list = value.list(report, object.label_filters,
    place .. ".label_filters")
  for i, filter in ipairs(list) do
    filters[#filters + 1] = read_filter(report, filter,
      string.format("%s.label_filters[%d]", place, i - 1))
  end
  return filters
end

-- airbnb's synapse ignores a jitter that it cannot use.
local function read_jitter(report, given, place)
  local number = value.as_number(given)
  if number and number >= 0 and number <= MOST_JITTER then
    return number
  elseif given ~= nil then
    value.warn(report, place, "%s is not a number from 0 to %d, ignored",
      value.shown(given), MOST_JITTER)
  end
  return 0
end

-- Watches report more than polling would. The use of polling is kept: a large
-- service that changes all the time is not read more often than this.
local function read_pause(report, object, place)
  local jitter = read_jitter(report, object.discovery_jitter,
    place .. ".discovery_jitter")
  if object.method ~= "zookeeper_poll" then
    return jitter
  end
  return value.number(report, object.polling_interval_sec,
    place .. ".polling_interval_sec",
    {low = 0, high = DAY, default = POLLING})
end

local function join(...)
  local words = table.pack(...)
  for i = 1, words.n do
    words[i] = tostring(words[i])
  end
  return table.concat(words, "\n")
end

-- Reads a section with the method `zookeeper` or `zookeeper_poll`.
-- @tparam report report
-- @tparam table object the section, without nulls
-- @tparam table fields those that `value.section` read of it
-- @tparam string place
-- @tparam table context `read(path)`: a file's text, or nil and why not;
--   `port`: takes the place of every znode's, or nil; `is_several`: whether
--   the service has other sources as well
-- @treturn source
local function new_source(report, object, fields, place, context)
  local hosts, chroot = read_hosts(report, object.hosts, place .. ".hosts")
  local source = {
    hosts = hosts,
    path = read_path(report, object.path, place .. ".path", chroot),
    auth = read_auth(report, object.auth, place .. ".auth", context.read),
    decode = read_decode(report, object.decode, place .. ".decode"),
    pause = read_pause(report, object, place),
    create_path = fields.create_path,
    filters = read_filters(report, object, place),
  }
  source.decode.port = context.port
  source.origin = context.is_several and join(source.hosts, source.path) or nil
  source.ensemble = join(source.hosts, source.auth and source.auth.secret)
  source.read_as =
    join(source.decode.method, source.decode.endpoint_name, context.port)
  source.place = join(source.ensemble, source.path, source.origin, source.pause,
    source.create_path, source.read_as)
  return source
end

-- Returns no source for the method `base`.
local function read_source(report, section, place, context)
  local fields, object = value.section(report, section, place,
    schema.DISCOVERY)
  local method = fields.method
  if method and method ~= "base" then
    return new_source(report, object, fields, place, context)
  elseif method and context.is_several then
    value.wrong(report, place .. ".method", '"base" has no instances; use ' ..
      "`default_servers` of the service")
  end
  return nil
end

local function sorted_names(object)
  local names = {}
  for name in pairs(object) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

-- A sequence names every watcher exactly once.
local function read_order(report, list, place, watchers)
  local order, left = {}, {}
  for name in pairs(watchers) do
    left[name] = true
  end
  for i, name in ipairs(value.list(report, list, place)) do
    if left[name] then
      order[#order + 1] = name
      left[name] = nil
    else
      value.wrong(report, string.format("%s[%d]", place, i - 1),
        "%s is no watcher, or is there twice", value.shown(name))
    end
  end
  local missing = next(left) ~= nil and sorted_names(left)
  if missing then
    value.wrong(report, place, "%s is missing; it must list every watcher",
      value.shown(missing[1]))
  end
  return order
end

local function read_resolver(report, section, place, watchers)
  local fields, object = value.section(report, section, place, schema.RESOLVER)
  local method = fields.method
  if method ~= "sequential" then
    return method, sorted_names(watchers)
  end
  return method, read_order(report, object.sequential_order,
    place .. ".sequential_order", watchers)
end

local function read_several(report, section, place, primary, context)
  local object = value.object(report, section, place)
  value.keys(report, object, place, schema.MULTI)
  local watchers = value.object(report, object.watchers, place .. ".watchers")
  if watchers.primary ~= nil then
    value.warn(report, place .. ".watchers.primary",
      "`discovery` is the primary one, ignored")
  end
  watchers.primary = primary
  local resolver, order = read_resolver(report, object.resolver,
    place .. ".resolver", watchers)
  local sources, paths, readings = {}, {}, {}
  for i, name in ipairs(order) do
    local source = read_source(report, watchers[name],
      name == "primary" and context.place or place .. ".watchers." .. name,
      {read = context.read, port = context.port, is_several = true}) or {}
    sources[i], paths[i] = source, source.origin or ""
    readings[i] = source.read_as or ""
  end
  return {
    sources = sources, resolver = resolver,
    path = resolver and resolver .. "\n" .. table.concat(paths, "\n"),
    read_as = table.concat(readings, "\n"),
  }
end

--- Reads the keys of a source that is not a service's: `hosts`, `path` and
-- `auth`.
-- @tparam report report
-- @tparam table object the section, without nulls
-- @tparam string place
-- @tparam function read a password file's text, see `config.parse`
-- @treturn source
function discovery.source(report, object, place, read)
  return new_source(report, {hosts = object.hosts, path = object.path,
    auth = object.auth}, {create_path = false}, place, {read = read})
end

--- Reads the sections.
-- @tparam report report
-- @tparam table object the service, without nulls
-- @tparam string place of the service
-- @tparam table context `read(path)`: a password file's text, see
--   `config.parse`; `port`: takes the place of every znode's, or nil
-- @treturn table `sources`: a list, empty for the method `base`; `resolver`,
--   if there are several; `path`: a text that identifies the set of sources;
--   `read_as`: how their znodes are read, as a text to compare
function discovery.read(report, object, place, context)
  context.place = place .. ".discovery"
  if object.discovery_multi ~= nil then
    return read_several(report, object.discovery_multi,
      place .. ".discovery_multi", object.discovery, context)
  end
  local only = read_source(report, object.discovery, context.place, context)
  return {
    sources = {only}, path = only and only.path or "",
    read_as = only and only.read_as or "",
  }
end

return discovery
