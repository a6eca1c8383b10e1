--- Checks a synapse.conf.json and fills in the defaults.
--
-- Pure: the text comes in, and so does the function that resolves the names
-- of default servers. All mistakes are found in one run; each names its place
-- and what would be right.
--
-- @module synapse.config

local cjson = require("cjson.safe")
local keys = require("synapse.keys")
local service = require("synapse.config.service")
local value = require("synapse.config.value")

local config = {}

local json = cjson.new()
json.decode_invalid_numbers(false)
json.decode_max_depth(32)

--- What the agent does.
-- @table config
-- @tfield {service,...} services sorted by name
-- @tfield number session_timeout seconds
-- @tfield ?string state_file_path of the snapshot

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

-- cjson counts characters; people count lines.
local function syntax_error(text, message)
  local what, at = message:match("^(.*) at character (%d+)$")
  if not at then
    return message
  end
  local before = text:sub(1, tonumber(at) - 1)
  local _, lines = before:gsub("\n", "")
  return string.format("line %d, column %d: %s", lines + 1,
    #before:match("[^\n]*$") + 1, what)
end

local function read_top(report, whole, resolve)
  local top = value.object(report, whole, "the file")
  value.keys(report, top, "", keys.TOP)
  local haproxy = value.object(report, top.haproxy, "haproxy")
  value.keys(report, haproxy, "haproxy", keys.HAPROXY)
  local path = haproxy.state_file_path
  return {
    state_file_path = path ~= nil and value.string(report, path,
      "haproxy.state_file_path", "[^/]$", 'the path of a file') or nil,
    session_timeout = value.number(report, top.session_timeout,
      "session_timeout", {low = 1, high = 3600, default = 10}),
    services = service.read(report, top.services, {
      resolve = resolve,
      use_nerve_weights = value.boolean(report, haproxy.use_nerve_weights,
        "haproxy.use_nerve_weights", false),
    }),
  }
end

--- Reads a configuration.
-- @tparam string text JSON
-- @tparam function resolve turns "name:port" into "address:port,..." or nil
-- @treturn config
-- @treturn {string,...} warnings
-- @treturn[2] nil
-- @treturn[2] {string,...} all mistakes, each with its place
function config.parse(text, resolve)
  local whole, message = json.decode(text)
  if whole == nil then
    return nil, {syntax_error(text, message)}
  end
  local report = value.report()
  local made = read_top(report, whole, resolve)
  if #report.errors > 0 then
    return nil, report.errors
  end
  not_needed_line(report)
  return made, report.warnings
end

return config
