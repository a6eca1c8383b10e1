--- Finds the blank backends in HAProxy's configuration, and decides which
-- service fits one of them.
--
-- Pure.
--
-- @module synapse.haproxy.blank

local config_text = require("synapse.haproxy.config_text")
local http_check = require("synapse.http_check")

local blank = {}

--- Blank backends of one kind.
-- @table blank_kind
-- @tfield string name of its frontend
-- @tfield {[string]={string,...}} listeners the options of each `bind` line, by
--   its address
-- @tfield {string,...} backends their names
-- @tfield integer slots of each
-- @tfield boolean has_table whether each has a stick table
-- @tfield section frontend
-- @tfield section backend the first of them
-- @tfield ?string template the `defaults` section of which HAProxy can make
--   backends that are like them

local NAMED = "slot.invalid:1"
local SLOT_OPTIONS = {["init-addr"] = "last,127.0.0.1"}

local function listeners_of(section)
  local listeners = {}
  for _, line in ipairs(section.lines) do
    local words = line.words
    if words[1] == "bind" and words[3] == "name" and words[4] == words[2] then
      listeners[words[2]] = table.move(words, 5, #words, 1, {})
    end
  end
  return listeners
end

-- Returns the words of a server line, and how many slots it makes; nil for any
-- other line.
local function slots_of(line)
  local words, rest = line.words, {}
  local last = words[1] == "server-template" and words[4] == NAMED and
    words[3]:match("^1%-(%d+)$")
  local i = 5
  while last and words[i] do
    if SLOT_OPTIONS[words[i]] == words[i + 1] then
      i = i + 1
    elseif words[i] == "backup" then
      return nil
    elseif words[i] ~= "disabled" then
      rest[#rest + 1] = words[i]
    end
    i = i + 1
  end
  return last and rest, math.tointeger(tonumber(last))
end

local function add_slots(kind)
  for _, line in ipairs(kind.backend.lines) do
    local server, slots = slots_of(line)
    if server and kind.slots == 0 then
      kind.server, kind.slots = table.concat(server, " "), slots
    end
    kind.has_table = kind.has_table or line.words[1] == "stick-table"
  end
end

local function number_of(name, kind)
  local prefix = kind.name .. "-"
  return name:sub(1, #prefix) == prefix and
    math.tointeger(tonumber(name:sub(#prefix + 1):match("^%d+$")))
end

local function add_backends(sections, kind)
  local found = {}
  for _, section in ipairs(sections) do
    local number = section.kind == "backend" and section.name and
      number_of(section.name, kind)
    if number then
      found[#found + 1] = {number = number, section = section}
    end
  end
  table.sort(found, function(a, b) return a.number < b.number end)
  for i, each in ipairs(found) do
    kind.backends[i] = each.section.name
  end
  kind.backend = found[1] and found[1].section
end

-- Tells whether a section finds its backends in the map, by a key.
local function is_led_by(section, key, routes)
  for _, line in ipairs(section.lines) do
    if line.words[1] == "use_backend" and
      line.words[2] == "%[" .. key .. ",map(" .. routes .. ")]"
    then
      return true
    end
  end
  return false
end

-- Servers that are added do not have the words of `default-server`, and a
-- `defaults` section has no stick table.
local function find_template(sections, kind)
  local name = kind.name .. "-own"
  for _, section in ipairs(sections) do
    if section.kind == "defaults" and section.name == name and
      not kind.has_table and
      not config_text.find(kind.backend, "default-server")
    then
      return name
    end
  end
  return nil
end

--- Finds the kinds.
-- @tparam {section,...} sections of `synapse.haproxy.config_text`
-- @tparam string routes the path of the map of backends
-- @treturn {blank_kind,...} in order
function blank.find(sections, routes)
  local kinds = {}
  for _, section in ipairs(sections) do
    if section.kind == "frontend" and is_led_by(section, "so_name", routes)
    then
      local kind = {name = section.name, frontend = section, backends = {},
        listeners = listeners_of(section), slots = 0, server = "",
        has_table = false}
      add_backends(sections, kind)
      if kind.backend then
        add_slots(kind)
        kind.template = find_template(sections, kind)
        kinds[#kinds + 1] = kind
      end
    end
  end
  return kinds
end

--- Tells whether there is a frontend that finds the backends by the host that
-- a request asks for.
-- @tparam {section,...} sections of `synapse.haproxy.config_text`
-- @tparam string routes the path of the map of backends
-- @treturn boolean
function blank.has_hosts(sections, routes)
  for _, section in ipairs(sections) do
    if section.kind == "frontend" and
      is_led_by(section, "req.hdr(host),host_only,lower", routes)
    then
      return true
    end
  end
  return false
end

--- Says which kinds HAProxy's configuration lacks, or has with other lines.
-- @tparam {blank_kind,...} kinds
-- @tparam {spare_kind,...} configured see `synapse.config.spare`
-- @treturn {string,...}
function blank.problems(kinds, configured)
  local by_name, problems = {}, {}
  for _, kind in ipairs(kinds) do
    by_name[kind.name] = kind
  end
  for _, wanted in ipairs(configured) do
    local kind = by_name[wanted.name]
    if not kind or #kind.backends ~= wanted.backends then
      problems[#problems + 1] = string.format("%s: haproxy.cfg has another " ..
        "number of blank backends (%s: %d, and not %d); make it again with " ..
        "synapse-haproxy-cfg", wanted.place, wanted.name,
        kind and #kind.backends or 0, wanted.backends)
    elseif wanted.own_backends and not kind.template then
      problems[#problems + 1] = string.format("%s.own_backends: has no " ..
        "effect, because haproxy.cfg has %s", wanted.place,
        config_text.find(kind.backend, "default-server") and
        "`default-server`; write its words into `server_options`" or
        "no `defaults " .. kind.name .. "-own`; make it again with " ..
        "synapse-haproxy-cfg")
    end
  end
  return problems
end

-- Shortens "services.web.haproxy.backend[0]" to "haproxy.backend[0]", because
-- the service is known.
local function key_of(line)
  return line.place:match("haproxy%.[%w_]+%[%d+%]$") or line.place
end

-- What the generator adds to such a line.
local ADDED = {cookie = " dynamic", ["stick-table"] = " srvkey addr"}

local function texts_of(section)
  local texts = {}
  for _, line in ipairs(section.lines) do
    texts[table.concat(line.words, "\0")] = true
  end
  return texts
end

local function has_line(texts, words)
  local text = table.concat(words, "\0")
  local added = ADDED[words[1]]
  return texts[text] or
    added and texts[text .. added:gsub(" ", "\0")] or false
end

local function mode_of(section)
  local mode = config_text.find(section, "mode")
  return mode and mode.words[2] or "tcp"
end

-- Lists the lines of a service, each with its words and where they may be.
local function lines_of(service, kind)
  local list = {}
  local front, back = texts_of(kind.frontend), texts_of(kind.backend)
  for key, texts in pairs({frontend = {front}, backend = {back},
    listen = {front, back}, shared_frontend = {}})
  do
    for _, line in ipairs(service.lines[key]) do
      list[#list + 1] = {line = line, words = config_text.words(line.text),
        texts = texts}
    end
  end
  table.sort(list, function(a, b) return a.line.place < b.line.place end)
  return list
end

local function words_of(lines)
  local list = {}
  for i, line in ipairs(lines) do
    list[i] = line.words
  end
  return list
end

local function is_there(line)
  for _, texts in ipairs(line.texts) do
    if has_line(texts, line.words) then
      return true
    end
  end
  return false
end

local function check_lines(lines, kind, why)
  for _, line in ipairs(lines) do
    if line.words[1] ~= "mode" and not http_check.part(line.words) and
      not is_there(line)
    then
      why("%s: `%s` is no line of %s", key_of(line.line), line.line.text,
        kind.name)
    end
  end
end

-- Services whose lines say nothing have the mode of the defaults.
local function check_mode(lines, kind, why)
  local mode, place = kind.backend.defaults and
    mode_of(kind.backend.defaults) or "tcp", "haproxy.listen"
  for _, line in ipairs(lines) do
    if line.words[1] == "mode" then
      mode, place = line.words[2], key_of(line.line)
    end
  end
  if mode ~= mode_of(kind.backend) then
    why("%s: the mode is %s, and that of %s is %s", place, mode or "missing",
      kind.name, mode_of(kind.backend))
  end
end

-- Returns the request of a check without its URI, in which services may differ.
local function request_of(check)
  local words = {check.method, check.version or "HTTP/1.0"}
  words[#words + 1] = check.rest ~= "" and check.rest or nil
  return table.concat(words, " ")
end

local function check_request(lines, kind, why)
  local words = words_of(lines)
  local wanted, problem = http_check.read(words)
  local there = http_check.read(words_of(kind.backend.lines))
  there = there and there.made_of and there or nil
  if problem then
    why("haproxy.listen: `http-check send` %s", problem)
  elseif (not wanted) ~= (not there) then
    why("haproxy.listen: `option httpchk` is %s, and %s", wanted and
      "there" or "not there", kind.name .. (there and " has it" or
      " does not have it"))
  elseif wanted and (not wanted.uri or request_of(wanted) ~= request_of(there))
  then
    why("haproxy.listen: the check sends `%s`, and that of %s `%s`",
      request_of(wanted), kind.name, request_of(there))
  elseif wanted and wanted.uri:find("[%s%c]") then
    why("haproxy.listen: the URI of the check has a space")
  end
  return wanted and wanted.uri
end

local function check_bind(service, kind, why)
  local options = table.concat(kind.listeners[service.bind.text], " ")
  local given = table.concat(config_text.words(service.bind.options or ""), " ")
  if options ~= given then
    why("haproxy.bind_options: `%s`, and those of %s are `%s`", given,
      kind.name, options)
  end
end

local function check_servers(service, kind, why)
  local server = table.concat(config_text.words(service.server_text), " ")
  if server ~= kind.server then
    why("haproxy.server_options: `%s`, and those of %s are `%s`", server,
      kind.name, kind.server)
  end
  local subset = service.subset
  local slots = math.max(service.slots,
    subset and subset.size + subset.least or 0)
  if slots > kind.slots then
    why("haproxy.slots: %d, and each backend of %s has %d", slots, kind.name,
      kind.slots)
  end
end

local function names_of(kinds)
  local names = {}
  for i, kind in ipairs(kinds) do
    names[i] = kind.name
  end
  return table.concat(names, ", ")
end

-- Returns the kind that listens where a service is to be reached.
local function kind_of_port(kinds, service, why)
  local bind = service.bind
  for _, kind in ipairs(bind and kinds or {}) do
    if kind.listeners[bind.text] then
      return kind
    end
  end
  if not bind then
    why("haproxy.port: is missing, and a blank backend is found by its port")
  else
    why("haproxy.port: no frontend of blank backends (%s) listens on %s",
      names_of(kinds), bind.text)
  end
  return nil
end

-- Returns the kind of a service that is found by the name of its host.
local function kind_of_host(kinds, service, why)
  local bind = service.bind
  for _, kind in ipairs(kinds) do
    if kind.name == service.kind then
      if bind and not kind.listeners[bind.text] then
        why("haproxy.port: %s does not listen on %s", kind.name, bind.text)
      end
      return kind
    end
  end
  why("discover.spare: haproxy.cfg has no %s", service.kind)
  return nil
end

--- Tells which kind serves a service.
-- @tparam {blank_kind,...} kinds
-- @tparam service service of the configuration
-- @treturn blank_kind
-- @treturn ?string the URI of its check, if that has one
-- @treturn[2] nil
-- @treturn[2] {string,...} why none does: each with the key of the service
function blank.fit(kinds, service)
  local reasons = {}
  local function why(format, ...)
    reasons[#reasons + 1] = string.format(format, ...)
  end
  local find = service.host_name and kind_of_host or kind_of_port
  local kind = find(kinds, service, why)
  if #reasons > 0 then
    return nil, reasons
  end
  local lines = lines_of(service, kind)
  if service.bind then
    check_bind(service, kind, why)
  end
  check_mode(lines, kind, why)
  check_servers(service, kind, why)
  check_lines(lines, kind, why)
  local uri = check_request(lines, kind, why)
  if #reasons > 0 then
    return nil, reasons
  end
  return kind, uri
end

return blank
