--- Checks a synapse.conf.json and fills in the defaults.
--
-- Pure: the text comes in, and so do the functions that resolve the names of
-- default servers and read `service_conf_dir`. All mistakes are found in one
-- run; each names its place and what would be right.
--
-- @module synapse.config.init

local directory = require("synapse.config.directory")
local file_output = require("synapse.config.file_output")
local guard = require("synapse.config.guard")
local haproxy = require("synapse.config.haproxy")
local keys = require("synapse.config.keys")
local service = require("synapse.config.service")
local text = require("synapse.config.text")
local value = require("synapse.config.value")

local config = {}

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
-- @tfield table lines of haproxy.cfg: `global` and `defaults`, a `{line,...}`
--   each, `shared_frontend`, the same or nil
-- @tfield {section,...} extra_sections of haproxy.cfg, sorted by title

local function not_needed_line(report)
  local places = {}
  for place in pairs(report.not_needed) do
    places[#places + 1] = place
  end
  if #places == 0 then
    return
  end
  table.sort(places)
  table.insert(report.warnings, "keys that are not needed inside HAProxy " ..
    "are ignored: " .. table.concat(places, ", "))
end

local function read_services(report, top, made, edges)
  local objects = value.object(report, top.services, "services")
  return service.read(report, objects, {
    files = directory.merge(report, objects, top.service_conf_dir, edges),
    resolve = edges.resolve,
    read = edges.read,
    guard = guard.read(report, top.guard, keys.GUARD, "guard", guard.DEFAULT),
    use_nerve_weights = made.use_nerve_weights,
    bind_address = made.bind_address,
  })
end

local function read_top(report, whole, edges)
  local top = value.object(report, whole, "the file")
  value.keys(report, top, "", keys.TOP)
  local made = haproxy.read(report, top.haproxy, "haproxy")
  made.session_timeout = value.number(report, top.session_timeout,
    "session_timeout", {low = 1, high = 3600, default = 10})
  made.resync_interval = value.number(report, top.resync_interval,
    "resync_interval", {low = 1, high = 86400, default = 600})
  made.lockdown = value.boolean(report, top.lockdown, "lockdown", false)
  made.runtime_changes = value.boolean(report, top.runtime_changes,
    "runtime_changes", false)
  made.output_directory = file_output.read(report, top.file_output)
  made.services = read_services(report, top, made, edges)
  return made
end

--- Reads a configuration.
-- @tparam string all JSON
-- @tparam table edges `resolve(hosts)`: turns "name:port" into
--   "address:port,..." or nil; `list(directory)`: returns the names in it,
--   sorted, or nil and why not; `read(path)`: a file's text, or nil and why not
-- @treturn config
-- @treturn {string,...} warnings
-- @treturn[2] nil
-- @treturn[2] {string,...} all mistakes, each with its place
function config.parse(all, edges)
  local whole, message = text.decode(all)
  if whole == nil then
    return nil, {message}
  end
  local report = value.report()
  local made = read_top(report, whole, edges)
  if #report.errors > 0 then
    return nil, report.errors
  end
  not_needed_line(report)
  return made, report.warnings
end

return config
