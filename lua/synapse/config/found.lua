--- Reads `discover`: where services are found in ZooKeeper, and what each of
-- them is.
--
-- Pure, but for what reads files and the environment.
--
-- @module synapse.config.found

local bind = require("synapse.config.bind")
local copy = require("synapse.copy")
local discovery = require("synapse.config.discovery")
local schema = require("synapse.config.schema")
local services = require("synapse.config.service")
local value = require("synapse.config.value")

local found = {}

--- The name of the frontend that leads to what is found.
found.FRONTEND = "discover"

--- Where services are found.
-- @table found
-- @tfield source source   whose children are services
-- @tfield {string,...} allow the names that become services, in which each
--   `*` stands for any letters
-- @tfield integer most    how many services there may be
-- @tfield spare_kind kind whose blank backends serve them
-- @tfield string suffix   of the host names by which they are reached
-- @tfield bind bind       where the frontend listens
-- @tfield table lines     of haproxy.cfg: `frontend`, a `{line,...}`

-- What is said once for all of them, or differs from one to the next.
local NOT_IN_TEMPLATE = {
  {"discovery", "method", "is \"zookeeper\""},
  {"discovery", "hosts", "belongs in discover.hosts"},
  {"discovery", "path", "belongs in discover.path"},
  {"discovery", "auth", "belongs in discover.auth"},
  {"discovery_multi", nil, "is not supported here"},
  {"haproxy", "backend_name", "is the service's name"},
  {"haproxy", "disabled", "belongs in discover.allow"},
  {"haproxy", "shared_frontend", "is not supported here"},
}

local function check_template(report, template, place)
  for _, rule in ipairs(NOT_IN_TEMPLATE) do
    local section, key, why = table.unpack(rule, 1, 3)
    local given = template[section]
    if key and value.is_object(given) and given[key] ~= nil then
      value.wrong(report, place .. "." .. section .. "." .. key,
        "%s; leave it out", why)
    elseif not key and given ~= nil then
      value.wrong(report, place .. "." .. section, "%s; leave it out", why)
    end
  end
end

local function read_allow(report, given, place)
  local patterns = {}
  for i, element in ipairs(value.list(report, given, place)) do
    local text = value.string(report, element,
      string.format("%s[%d]", place, i - 1), "^[%w_.*-]+$",
      "a name, in which `*` stands for any letters")
    patterns[#patterns + 1] = text
  end
  if #patterns == 0 then
    value.wrong(report, place, "is missing; it must be a list of names, " ..
      "such as [\"web-*\"], or [\"*\"] for all")
  end
  return patterns
end

local function find_kind(report, name, place, kinds)
  local names = {}
  for i, kind in ipairs(kinds) do
    if kind.name == "spare-" .. (name or "") and kind.mode == "http" then
      return kind
    end
    names[i] = kind.name:sub(#"spare-" + 1)
  end
  value.wrong(report, place, "%s is no kind of haproxy.spare with the mode " ..
    "\"http\"%s", value.shown(name), #names > 0 and
    " (there is " .. table.concat(names, ", ") .. ")" or "")
  return nil
end

local function join(path, name)
  return (path == "/" and "" or path) .. "/" .. name
end

-- Returns a function that reads each file once: the worker may not read the
-- files of passwords.
local function once(read)
  local known = {}
  return function(path)
    known[path] = known[path] or table.pack(read(path))
    return table.unpack(known[path], 1, known[path].n)
  end
end

-- Below the path of a service, or right in it, are its instances.
local function path_of(self, name)
  local path = join(self.object.path, name)
  return self.below ~= "" and join(path, self.below) or path
end

-- Lines that the template does not have are those of the backends.
local function complete(service, template, kind)
  local given = value.is_object(template.haproxy) and template.haproxy or {}
  if given.server_options == nil then
    service.server_text, service.server_options, service.fixed =
      kind.server_text, kind.server_options, kind.fixed
  end
  if given.slots == nil then
    service.slots = kind.slots
  end
  if not (given.listen or given.backend or given.frontend) then
    service.lines.backend = {{text = "mode " .. kind.mode, place = kind.place},
      table.unpack(kind.lines.backend)}
  end
end

-- Returns where a service is to be reached on a port, whether or not the
-- frontend of the kind listens there.
local function bind_of(kind, port)
  for _, each in ipairs(kind.binds) do
    if each.port == tostring(port) then
      return each
    end
  end
  return bind.new({address = kind.address, port = tostring(port),
    place = kind.place .. ".ports"})
end

--- Makes the configuration of a service.
-- @tparam found self
-- @tparam string name of the service
-- @tparam ?integer port where it is to be reached as well; false: by its host
--   name alone, even if the template has a port
-- @treturn service with `found`, the port in a table; `kind`, the name of the
--   frontend of its blank backends; `host_name`
-- @treturn[2] nil
-- @treturn[2] {string,...} what is wrong
function found.service(self, name, port)
  local report, template = value.report(), copy(self.template)
  local part = copy(value.object(report, template.discovery,
    "discover.service.discovery"))
  part.method, part.hosts, part.auth =
    "zookeeper", self.object.hosts, self.object.auth
  part.path = path_of(self, name)
  template.discovery = part
  local service = services.one(report, name, template, self.context)
  if #report.errors > 0 then
    return nil, report.errors
  end
  complete(service, self.template, self.kind)
  service.found, service.kind = {port = port}, self.kind.name
  service.host_name = (name .. self.suffix):lower()
  if port ~= nil then
    service.bind = port and bind_of(self.kind, port) or nil
  end
  return service
end

-- A name that no service has, to find the mistakes of the template.
local SAMPLE = "NAME"

local function check_sample(report, self)
  local _, errors = found.service(self, SAMPLE)
  for _, line in ipairs(errors or {}) do
    table.insert(report.errors, line)
  end
end

--- Reads the section.
-- @tparam report report
-- @param given its value; nil: no services are found
-- @tparam {spare_kind,...} kinds see `synapse.config.spare`
-- @tparam table context as of `services.read`
-- @treturn ?found
function found.read(report, given, kinds, context)
  if given == nil then
    return nil
  end
  local mistakes = #report.errors
  local fields, object = value.section(report, given, "discover",
    schema.DISCOVER)
  local secret = once(context.secret)
  local self = {
    object = object, template = value.object(report, object.service,
      "discover.service"),
    allow = read_allow(report, object.allow, "discover.allow"),
    kind = find_kind(report, fields.spare, "discover.spare", kinds),
    source = discovery.source(report, object, "discover", secret),
    below = (fields.below or ""):gsub("^/", ""), most = fields.max_services,
    suffix = fields.suffix, lines = {frontend = fields.frontend},
    bind = services.bind(report, object, "discover", context.bind_address),
  }
  if not self.bind then
    value.wrong(report, "discover.port",
      "is missing; it must be a port (1 to 65535)")
  end
  self.context = {
    place = "discover.service", secret = secret, files = {},
    environment = context.environment, machine = context.machine,
    guard = context.guard, use_nerve_weights = context.use_nerve_weights,
    bind_address = self.kind and self.kind.address,
  }
  check_template(report, self.template, "discover.service")
  if #report.errors == mistakes then
    check_sample(report, self)
  end
  return self
end

--- Reports a service whose frontend has the name of that of `discover`.
-- @tparam report report
-- @tparam {service,...} list those of the files
function found.check_names(report, list)
  for _, service in ipairs(list) do
    if service.name == found.FRONTEND and service.bind then
      value.wrong(report, service.place, "its frontend has the name of that " ..
        "of `discover`; give the service another name")
    end
  end
end

local function split(pattern)
  local parts = {}
  for part in (pattern .. "*"):gmatch("([^*]*)%*") do
    parts[#parts + 1] = part
  end
  return parts
end

-- Looks at each letter a few times at most: a name may be as long as anybody
-- likes.
local function is_like(name, parts)
  local first, last = parts[1], parts[#parts]
  if #parts == 1 then
    return name == first
  elseif name:sub(1, #first) ~= first or #name < #first + #last or
    name:sub(#name - #last + 1) ~= last
  then
    return false
  end
  local from, to = #first + 1, #name - #last
  for i = 2, #parts - 1 do
    local _, stop = name:find(parts[i], from, true)
    if not stop or stop > to then
      return false
    end
    from = stop + 1
  end
  return true
end

local NAME = "^[%w_][%w_.-]*$"
local MAX_NAME = 100

--- Says why a name cannot be that of a service.
-- @tparam string name
-- @treturn ?string nil: it can
function found.name_problem(name)
  return (#name > MAX_NAME or not name:find(NAME)) and string.format(
    "is no name of a service ([A-Za-z0-9_.-], at most %d); refused",
    MAX_NAME) or nil
end

--- Tells whether a child becomes a service.
-- @tparam found self
-- @tparam string name
-- @treturn boolean
function found.allows(self, name)
  for _, pattern in ipairs(self.allow) do
    if is_like(name, split(pattern)) then
      return true
    end
  end
  return false
end

return found
