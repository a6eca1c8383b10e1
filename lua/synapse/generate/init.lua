--- Makes the sections of a haproxy.cfg from a configuration.
--
-- Pure. `synapse.generate.negotiate` later removes the lines that HAProxy does
-- not accept.
--
-- @module synapse.generate.init

local bind = require("synapse.config.bind")
local found = require("synapse.generate.found")
local global = require("synapse.generate.global")
local spare = require("synapse.generate.spare")
local upgrade = require("synapse.generate.upgrade")

local generate = {}

--- A line of the file.
-- @table line
-- @tfield string text
-- @tfield string place   in the configuration
-- @tfield ?string unless when the line is left out: "unknown": if HAProxy does
--   not know the keyword; "unfit": if HAProxy refuses it for any reason
-- @tfield ?line source   the line of which this is one of two copies

local function mark(lines, unless)
  local marked = {}
  for i, line in ipairs(lines) do
    marked[i] = {text = line.text, place = line.place, unless = unless,
      source = unless == "unfit" and line or nil}
  end
  return marked
end

local function append(lines, more)
  table.move(more, 1, #more, #lines + 1, lines)
end

local function title(text, place)
  return {text = text, place = place}
end

-- HAProxy 3.3 and later refuses a frontend and a backend with the same name;
-- 3.2 warns.
local function frontend_name(service)
  return service.name == service.backend and service.name .. "-in" or
    service.name
end

local function frontend(service)
  local lines = mark(service.lines.frontend, "unknown")
  append(lines, mark(service.lines.listen, "unfit"))
  append(lines, {
    bind.line(service.bind),
    {text = "default_backend " .. service.backend,
      place = service.place .. ".haproxy.backend_name"},
  })
  return {title = title("frontend " .. frontend_name(service), service.place),
    lines = lines}
end

local SLOT = "^server%-template%s+%S+%s+%S+%s+(%S+)%s"
local SLOT_ADDRESSES = {["slot.invalid:1"] = true, ["127.0.0.1:1"] = true}

-- Ordinary slots and slots for backups are counted apart.
local function has_slots(lines, are_backups)
  for _, line in ipairs(lines) do
    local is_backup = line.text:find("%sbackup%f[%s%z]") ~= nil
    if SLOT_ADDRESSES[line.text:match(SLOT)] and is_backup == are_backups then
      return true
    end
  end
  return false
end

-- If a slot has an address in its line, HAProxy restores too little of it.
local LITERAL_SLOT = "^server[%w-]*%s.*%s127%.0%.0%.1:1%s"
local STATE_FILE = "^load%-server%-state%-from%-file%s"

-- A subset needs a slot for each of its instances, and for those that serve
-- while some of these fail.
local function number_of_slots(service)
  local subset = service.subset
  return math.max(service.slots, subset and subset.size + subset.least or 0)
end

local function slots_line(service, prefix, last)
  local words = {string.format("server-template %s 1-%d slot.invalid:1 " ..
    "init-addr last,127.0.0.1", prefix, number_of_slots(service))}
  if service.server_text ~= "" then
    words[2] = service.server_text
  end
  words[#words + 1] = last
  return {text = table.concat(words, " "),
    place = service.place .. ".haproxy.server_options"}
end

local ALL_BACKUPS = "^option%s+allbackups%f[%s%z]"

-- Instances that are not preferred are backups, and all of them are used.
local function add_backups(lines, service)
  if not service.prefer or #service.prefer == 0 then
    return
  end
  if not global.has(lines, ALL_BACKUPS) then
    lines[#lines + 1] = {text = "option allbackups",
      place = service.place .. ".prefer"}
  end
  if not has_slots(lines, true) then
    lines[#lines + 1] = slots_line(service, "b", "backup disabled")
  end
end

-- The lines that make HAProxy restore the slots from the agent's file.
local RESTORE = {"load-server-state-from-file global"}
local RESTORE_BESIDE_ANOTHER = {"load-server-state-from-file local",
  'server-state-file-name "${SYNAPSE_SERVERS}"'}

-- Adds what every backend with slots needs. Returns the line with the key of
-- its cookies, or nil if it needs none.
local function complete(service, name, lines, defaults, restore)
  upgrade.cookies(lines)
  upgrade.stick_tables(lines)
  local key = upgrade.cookie_key(lines, defaults, name)
  lines[#lines + 1] = key
  if not global.has(lines, LITERAL_SLOT) and
    not global.has(lines, STATE_FILE) then
    for _, text in ipairs(restore) do
      lines[#lines + 1] = {text = text, place = service.place}
    end
  end
  if not has_slots(lines, false) then
    lines[#lines + 1] = slots_line(service, "s", "disabled")
  end
  add_backups(lines, service)
  return key
end

local function backend(service, defaults, restore)
  local lines = mark(service.lines.backend, "unknown")
  append(lines, mark(service.lines.listen, "unfit"))
  local key = complete(service, service.backend, lines, defaults, restore)
  return {title = title("backend " .. service.backend, service.place),
    lines = lines}, key
end

-- The section's own lines come first, then those of each service.
local function shared_frontend(config)
  local lines = mark(config.lines.shared_frontend)
  for _, service in ipairs(config.services) do
    append(lines, mark(service.lines.shared_frontend, "unknown"))
  end
  return {
    title = title("frontend shared-frontend", "haproxy.shared_frontend"),
    lines = lines,
  }
end

local function note(notes, place, text)
  notes[#notes + 1] = place .. ": " .. text
end

local function restore_lines(config)
  return global.has_other_state_file(config.lines.global) and
    RESTORE_BESIDE_ANOTHER or RESTORE
end

local function add_spare(sections, config, defaults)
  append(sections, spare.sections(config.spare, config.services,
    function(kind, name, lines)
      complete(kind, name, lines, defaults, restore_lines(config))
    end))
end

local function templates(config, defaults)
  return spare.templates(config.spare, defaults, function(name, lines)
    upgrade.cookies(lines)
    lines[#lines + 1] = upgrade.cookie_key(lines, defaults, name)
  end)
end

local function add_service(sections, notes, service, config, defaults)
  local restore = restore_lines(config)
  if service.bind then
    sections[#sections + 1] = frontend(service)
  end
  local key
  sections[#sections + 1], key = backend(service, defaults, restore)
  if key then
    note(notes, key.place, "its cookies name an instance's address from now " ..
      "on, hashed; give `dynamic-cookie-key` a secret of your own")
  end
  local shared = service.lines.shared_frontend[1]
  if shared and not config.lines.shared_frontend then
    note(notes, shared.place, "left out; there is no " ..
      "`haproxy.shared_frontend` to add it to")
  end
end

-- The names of the tables of other sections by which services stick.
local function used_tables(config)
  local used = {}
  for _, service in ipairs(config.services) do
    for _, lines in ipairs({service.lines.backend, service.lines.listen}) do
      for _, line in ipairs(lines) do
        local name = line.text:match("^stick%s.*%stable%s+(%S+)")
        if name then
          used[name] = true
        end
      end
    end
  end
  return used
end

local function extra_section(section, used)
  local upgraded = upgrade.section(
    {title = section.title, lines = mark(section.lines)})
  upgrade.used_tables(upgraded, used)
  return upgraded
end

-- The status page, with defaults of its own, because others may be for TCP.
-- (These have another name than the frontend, because HAProxy 3.3 refuses the
-- same.) Only known host names reach the page: otherwise another site could
-- read it in a browser, under a name that this site owns.
local PAGE = {
  {title = "defaults synapse-status-page", "mode http", "timeout client 10s",
    "timeout http-request 5s"},
  {title = "frontend synapse-status from synapse-status-page", "bind %s",
    "maxconn 100",
    "acl known_host req.hdr(host),field(1,:) -m ip 0.0.0.0/0",
    "acl known_host req.hdr(host),field(1,:) -i localhost",
    "http-request deny unless known_host",
    "http-request use-service lua.synapse"},
}

local function has_page(sections)
  for _, section in ipairs(sections) do
    if global.has(section.lines, "use%-service%s+lua%.synapse%f[%s%z]") then
      return true
    end
  end
  return false
end

local function add_page(sections, address)
  for _, part in ipairs(PAGE) do
    local lines = {}
    for i, text in ipairs(part) do
      lines[i] = {place = "--status",
        text = text == "bind %s" and "bind " .. address or text}
    end
    sections[#sections + 1] =
      {title = title(part.title, "--status"), lines = lines}
  end
end

--- Makes the sections.
-- @tparam config config as `synapse.config.init` reads it
-- @tparam table paths `config`: of the synapse.conf.json; `agent`: of the
--   file for `lua-load`; `status`: where the status page listens, nil: there
--   is none
-- @treturn {section,...} each with its `title` and `lines`, a line each
-- @treturn {string,...} notes: what differs from the configuration
function generate.sections(config, paths)
  local notes, defaults = {}, mark(config.lines.defaults)
  upgrade.cookies(defaults)
  local sections = {
    {title = title("global", "haproxy.global"),
      lines = global.lines(mark(config.lines.global), paths)},
    {title = title("defaults", "haproxy.defaults"), lines = defaults},
  }
  local used = used_tables(config)
  for _, section in ipairs(config.extra_sections) do
    sections[#sections + 1] = extra_section(section, used)
  end
  for _, service in ipairs(config.services) do
    add_service(sections, notes, service, config, defaults)
  end
  add_spare(sections, config, defaults)
  sections[#sections + 1] = config.found and found.section(config.found) or nil
  if config.lines.shared_frontend then
    sections[#sections + 1] = shared_frontend(config)
  end
  append(sections, templates(config, defaults))
  if paths.status and not has_page(sections) then
    add_page(sections, paths.status)
  end
  return sections, notes
end

return generate
