--- Makes the sections of `haproxy.spare`: for each kind a frontend on all its
-- ports, and its blank backends.
--
-- The frontend finds a service's backend in a map, by the address that the
-- client has connected to, and the check of a backend finds its URI in another.
-- The agent writes both maps; without it they are empty.
--
-- Pure.
--
-- @module synapse.generate.spare

local bind = require("synapse.config.bind")
local http_check = require("synapse.http_check")

local spare = {}

local ROUTES = "${SYNAPSE_ROUTES-/dev/null}"
local CHECKS = "${SYNAPSE_CHECKS-/dev/null}"

-- How a port answers that no service has now.
local NO_SERVICE = {
  http = 'http-request return status 404 content-type text/plain string ' ..
    '"no service listens here now\\n" unless { so_name,map("' .. ROUTES ..
    '") -m found }',
  tcp = 'tcp-request connection reject unless { so_name,map("' .. ROUTES ..
    '") -m found }',
}

local function add(lines, place, text, ...)
  lines[#lines + 1] = {text = string.format(text, ...), place = place}
end

-- The addresses of the services that have a frontend of their own.
local function taken_by(services)
  local taken = {}
  for _, service in ipairs(services) do
    taken[service.bind and service.bind.text or false] = true
  end
  return taken
end

local function append(lines, more)
  table.move(more, 1, #more, #lines + 1, lines)
end

-- The lines for ports without a service come first: HAProxy applies the rules
-- of a section in this order.
local function frontend(kind, taken)
  local lines = {}
  add(lines, kind.place .. ".mode", "mode %s", kind.mode)
  for _, each in ipairs(kind.binds) do
    if not taken[each.text] then
      lines[#lines + 1] = bind.line(each, "name " .. each.text)
    end
  end
  add(lines, kind.place, "%s", NO_SERVICE[kind.mode])
  append(lines, kind.lines.frontend)
  add(lines, kind.place, 'use_backend "%%[so_name,map(%s)]"', ROUTES)
  return {title = {text = "frontend " .. kind.name, place = kind.place},
    lines = lines}
end

local function send_line(check)
  local words = {"http-check send meth", check.method,
    string.format('uri-lf "%%[be_name,map(%s,%s)]"', CHECKS, check.uri)}
  if check.version then
    words[#words + 1] = "ver " .. check.version
  end
  words[#words + 1] = check.rest ~= "" and check.rest or nil
  return table.concat(words, " ")
end

local function backend_lines(kind)
  local lines = {}
  add(lines, kind.place .. ".mode", "mode %s", kind.mode)
  for _, line in ipairs(kind.lines.backend) do
    local part = http_check.part(http_check.words(line.text))
    if part == "option" then
      add(lines, line.place, "option httpchk")
      add(lines, line.place, "%s", send_line(kind.check))
    elseif not part or not kind.check then
      add(lines, line.place, "%s", line.text)
    end
  end
  return lines
end

-- The backend that is added has its own check.
local function inherited(defaults, kind)
  local lines = {}
  for _, line in ipairs(defaults) do
    if not kind.check or not line.text:find("^http%-check%s") and
      not line.text:find("^option%s+httpchk%f[%s%z]")
    then
      lines[#lines + 1] = line
    end
  end
  return lines
end

--- Makes the `defaults` sections of which HAProxy can make backends while it
-- runs. They belong at the end: what follows a `defaults` section inherits from
-- it.
-- @tparam {spare_kind,...} kinds
-- @tparam {line,...} defaults the lines that all backends inherit
-- @tparam function complete adds to the lines what every backend needs that has
--   cookies; gets the name of the section and the lines
-- @treturn {section,...}
function spare.templates(kinds, defaults, complete)
  local sections = {}
  for _, kind in ipairs(kinds) do
    if kind.own_backends then
      local name, lines = kind.name .. "-own", inherited(defaults, kind)
      append(lines, backend_lines(kind))
      complete(name, lines)
      sections[#sections + 1] = {lines = lines, title = {
        text = "defaults " .. name, place = kind.place .. ".own_backends"}}
    end
  end
  return sections
end

--- Makes the sections.
-- @tparam {spare_kind,...} kinds see `synapse.config.spare`
-- @tparam {service,...} services those that have sections of their own
-- @tparam function complete adds to the lines of a backend what every backend
--   with slots needs, see `synapse.generate.init`; gets the kind, the name of
--   the backend and the lines
-- @treturn {section,...}
function spare.sections(kinds, services, complete)
  local sections, taken = {}, taken_by(services)
  for _, kind in ipairs(kinds) do
    sections[#sections + 1] = frontend(kind, taken)
    for number = 1, kind.backends do
      local name, lines = kind.name .. "-" .. number, backend_lines(kind)
      complete(kind, name, lines)
      sections[#sections + 1] = {
        title = {text = "backend " .. name, place = kind.place}, lines = lines}
    end
  end
  return sections
end

return spare
