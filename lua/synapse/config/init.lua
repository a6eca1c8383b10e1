--- Reads a synapse.conf.json, checks it and fills in the defaults: the same for
-- the agent and for the program that makes a haproxy.cfg of it.
--
-- All mistakes are found in one run; each names its place and what would be
-- right. `config.parse` is pure but for its edges, the functions that read
-- `service_conf_dir` and the environment. The edges block, so they are for
-- HAProxy's load.
--
-- @module synapse.config.init

local dirent = require("posix.dirent")
local found = require("synapse.config.found")
local schema = require("synapse.config.schema")
local services = require("synapse.config.service")
local spare = require("synapse.config.spare")
local utsname = require("posix.sys.utsname")
local value = require("synapse.config.value")

local config = {}

--- Tells which service a file of `service_conf_dir` is of. Others lie about
-- where editors and package managers work.
-- @tparam string name of the file
-- @treturn ?string the service's name; nil: the file is none of ours
-- @treturn ?string "json", "yaml" or "yml"
function config.service_of(name)
  local service, suffix = name:match("^([^.].*)%.(%a+)$")
  if suffix == "json" or suffix == "yaml" or suffix == "yml" then
    return service, suffix
  end
end

local function read_service(report, path, read)
  local all, why = read(path)
  local object
  if all then
    object, why = value.decode(all)
  end
  if object == nil then
    value.wrong(report, path, "%s", why)
  end
  return object
end

local function add(report, objects, name, path, read)
  local service, suffix = config.service_of(name)
  if suffix ~= "json" then
    value.wrong(report, path, "YAML is not read; replace it with %s.json " ..
      "(YAML parsers read JSON too)", service)
    return
  elseif objects[service] ~= nil then
    value.warn(report, "services." .. service, "%s takes the place of what " ..
      "is said here", path)
  end
  objects[service] = read_service(report, path, read)
end

local function names_in(report, path, list)
  if not path then
    return {}
  end
  local names, why = list(path)
  if not names then
    value.wrong(report, "service_conf_dir", "%s: %s", path, why)
  end
  return names or {}
end

-- Adds the services of a directory to those of the file. One that is in both
-- is the directory's.
-- @tparam report report
-- @tparam table objects the value of each service by its name; added to
-- @tparam ?string path of the directory; nil: there is none
-- @tparam table edges as of `config.parse`
-- @treturn {[string]=string} the paths of the files by the services' names
local function merge_directory(report, objects, path, edges)
  local paths = {}
  for _, name in ipairs(names_in(report, path, edges.list)) do
    local service = config.service_of(name)
    edges.turn()
    if service then
      paths[service] = path:gsub("/*$", "/") .. name
      add(report, objects, name, paths[service], edges.read)
    end
  end
  return paths
end

--- A section of haproxy.cfg.
-- @table section
-- @tfield line title
-- @tfield {line,...} lines

local function read_sections(report, object, place)
  local sections, titles = {}, {}
  local by_title = value.object(report, object, place)
  for title in pairs(by_title) do
    titles[#titles + 1] = title
  end
  table.sort(titles)
  for i, title in ipairs(titles) do
    local where = string.format('%s["%s"]', place, title)
    if title:find("[\r\n]") then
      value.wrong(report, where, "a title is one line")
    end
    sections[i] = {
      title = {text = title, place = where},
      lines = value.lines(report, by_title[title], where),
    }
  end
  return sections
end

-- Reads the section `haproxy`: what holds for all services.
-- @tparam report report
-- @param section  its value
-- @tparam string place
-- @treturn table the fields of a configuration that come from it, and
--   `use_nerve_weights` and `bind_address` of services that do not say
local function read_haproxy(report, section, place)
  local fields, object = value.section(report, section, place, schema.HAPROXY)
  fields.lines = {
    global = fields.global, defaults = fields.defaults,
    shared_frontend = object.shared_frontend and fields.shared_frontend,
  }
  fields.global, fields.defaults, fields.shared_frontend = nil, nil, nil
  fields.extra_sections = read_sections(report, object.extra_sections,
    place .. ".extra_sections")
  fields.spare = spare.read(report, object.spare, fields)
  return fields
end

-- Returns the directory of the services' files; nil if no files are wanted.
local function read_output(report, section)
  local fields = section ~= nil and value.section(report, section,
    "file_output", schema.FILE_OUTPUT)
  return fields and fields.output_directory or nil
end

--- What the agent does.
-- @table config
-- @tfield {service,...} services sorted by name
-- @tfield number session_timeout seconds
-- @tfield boolean lockdown whether the worker may start no process
-- @tfield number resync_interval seconds
-- @tfield boolean runtime_changes whether commands on a stats socket may change
--   what the agent does
-- @tfield ?string state_file_path of the snapshot
-- @tfield number state_file_ttl seconds after which a snapshot is old
-- @tfield ?string output_directory of the services' files
-- @tfield ?string service_conf_dir the directory with more services
-- @tfield table lines of haproxy.cfg: `global` and `defaults`, a `{line,...}`
--   each, `shared_frontend`, the same or nil
-- @tfield {section,...} extra_sections of haproxy.cfg, sorted by title
-- @tfield {spare_kind,...} spare see `synapse.config.spare`
-- @tfield ?found found see `synapse.config.found`
-- @tfield discover       the section as the file has it

local function ignored_line(report)
  local places = {}
  for place in pairs(report.ignored) do
    places[#places + 1] = place
  end
  if #places == 0 then
    return
  end
  table.sort(places)
  table.insert(report.warnings, "keys that are not needed inside HAProxy " ..
    "are ignored: " .. table.concat(places, ", "))
end

-- Adds the services, and what finds more of them.
local function read_services(report, top, settings, edges)
  local objects = value.object(report, top.services, "services")
  local context = {
    files = merge_directory(report, objects, settings.service_conf_dir, edges),
    secret = edges.secret,
    turn = edges.turn,
    environment = edges.environment,
    machine = edges.machine,
    guard = services.guard(report, top.guard, schema.GUARD, "guard"),
    use_nerve_weights = settings.use_nerve_weights,
    bind_address = settings.bind_address,
  }
  settings.services = services.read(report, objects, context)
  settings.discover = top.discover
  settings.found = found.read(report, top.discover, settings.spare, context)
end

local function read_top(report, whole, edges)
  local fields, top = value.section(report, whole, "", schema.TOP)
  local settings = read_haproxy(report, top.haproxy, "haproxy")
  settings.session_timeout = fields.session_timeout
  settings.resync_interval = fields.resync_interval
  settings.lockdown = fields.lockdown
  settings.runtime_changes = fields.runtime_changes
  settings.output_directory = read_output(report, top.file_output)
  settings.service_conf_dir = fields.service_conf_dir
  read_services(report, top, settings, edges)
  spare.check_names(report, settings.spare, settings.services)
  if settings.found then
    found.check_names(report, settings.services)
  end
  return settings
end

local function complete(edges)
  return {
    list = edges.list, read = edges.read, secret = edges.secret or edges.read,
    environment = edges.environment, machine = edges.machine,
    turn = edges.turn or function() end,
  }
end

--- Reads a configuration.
-- @tparam string all JSON
-- @tparam table edges `list(directory)`: returns the names in it, sorted, or
--   nil and why not; `read(path)`: a file's text, or nil and why not;
--   `environment(name)`: a variable's value, or nil; `machine()`: the name of
--   this machine. Or left out: `secret(path)`: as `read`, of a file with a
--   password, and whether only a reload can read it; `turn()`: gives other
--   work its turn
-- @treturn config
-- @treturn {string,...} warnings
-- @treturn[2] nil
-- @treturn[2] {string,...} all mistakes, each with its place
function config.parse(all, edges)
  local whole, message = value.decode(all)
  if whole == nil then
    return nil, {message}
  end
  local report = value.report()
  local settings = read_top(report, whole, complete(edges))
  if #report.errors > 0 then
    return nil, report.errors
  end
  ignored_line(report)
  return settings, report.warnings
end

--- Reads all of a file.
-- @tparam string path
-- @treturn string
-- @treturn[2] nil
-- @treturn[2] string why not, without the path
function config.read_file(path)
  local file, why = io.open(path, "rb")
  local text
  if file then
    text, why = file:read("a")
    file:close()
  end
  if not text then
    return nil, (why:gsub("^.*: ", ""))
  end
  return text
end

-- Lists the names in a directory.
-- @tparam string path
-- @treturn {string,...} sorted
-- @treturn[2] nil
-- @treturn[2] string why not, without the path
function config.list_directory(path)
  local ok, names = pcall(dirent.dir, path)
  if not ok then
    return nil, (names:match(".*: ([^)]*)") or names)
  end
  table.sort(names)
  return names
end

--- The edges of `config.parse` at load. They block.
config.EDGES = {
  list = config.list_directory, read = config.read_file,
  environment = os.getenv,
  machine = function() return utsname.uname().nodename end,
}

--- Reads a synapse.conf.json, and the files of its `service_conf_dir`.
-- @tparam string path
-- @tparam ?table edges see `config.parse`; `config.EDGES` if none are given
-- @treturn config
-- @treturn {string,...} warnings, each with its place
-- @treturn[2] nil
-- @treturn[2] {string,...} all mistakes, each with its place
function config.read(path, edges)
  local text, why = config.read_file(path)
  if not text then
    return nil, {why}
  end
  return config.parse(text, edges or config.EDGES)
end

return config
