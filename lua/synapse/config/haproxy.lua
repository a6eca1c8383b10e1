--- Reads the section `haproxy`: what holds for all services.
--
-- Pure.
--
-- @module synapse.config.haproxy

local keys = require("synapse.config.keys")
local value = require("synapse.config.value")

local haproxy = {}

--- A section of haproxy.cfg.
-- @table section
-- @tfield line title
-- @tfield {line,...} lines

local function read_sections(report, object, place)
  local sections, titles = {}, {}
  local found = value.object(report, object, place)
  for title in pairs(found) do
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
      lines = value.lines(report, found[title], where),
    }
  end
  return sections
end

--- Reads the section.
-- @tparam report report
-- @param section  its value
-- @tparam string place
-- @treturn table the fields of a configuration that come from it, and
--   `use_nerve_weights` and `bind_address` of services that do not say
function haproxy.read(report, section, place)
  local object = value.object(report, section, place)
  value.keys(report, object, place, keys.HAPROXY)
  local path = object.state_file_path
  return {
    state_file_path = path ~= nil and value.string(report, path,
      place .. ".state_file_path", "[^/]$", "the path of a file") or nil,
    state_file_ttl = value.number(report, object.state_file_ttl,
      place .. ".state_file_ttl", {low = 1, high = 1e9, default = 86400}),
    use_nerve_weights = value.boolean(report, object.use_nerve_weights,
      place .. ".use_nerve_weights", false),
    bind_address = value.string(report,
      value.either(object.bind_address, "localhost"),
      place .. ".bind_address", "^%S+$", "an address to listen on"),
    lines = {
      global = value.lines(report, object.global, place .. ".global"),
      defaults = value.lines(report, object.defaults, place .. ".defaults"),
      shared_frontend = object.shared_frontend ~= nil and
        value.lines(report, object.shared_frontend,
          place .. ".shared_frontend") or nil,
    },
    extra_sections = read_sections(report, object.extra_sections,
      place .. ".extra_sections"),
  }
end

return haproxy
