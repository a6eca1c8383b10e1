--- Merges `service_conf_dir`: a directory with a file for each service.
--
-- Pure, but for the functions that read the directory and its files.
--
-- @module synapse.config.directory

local text = require("synapse.config.text")
local value = require("synapse.config.value")

local directory = {}

-- Others lie about where editors and package managers work.
local function split(name)
  local service, suffix = name:match("^([^.].*)%.(%a+)$")
  if suffix == "json" or suffix == "yaml" or suffix == "yml" then
    return service, suffix
  end
end

local function read_service(report, path, read)
  local all, why = read(path)
  local made
  if all then
    made, why = text.decode(all)
  end
  if made == nil then
    value.wrong(report, path, "%s", why)
  end
  return made
end

local function add(report, objects, name, path, read)
  local service, suffix = split(name)
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
  if path == nil or not value.string(report, path, "service_conf_dir", ".",
    "the path of a directory")
  then
    return {}
  end
  local names, why = list(path)
  if not names then
    value.wrong(report, "service_conf_dir", "%s: %s", path, why)
  end
  return names or {}
end

--- Adds the services of a directory to those of the file. One that is in both
-- is the directory's.
-- @tparam report report
-- @tparam table objects the value of each service by its name; added to
-- @param path     of the directory; nil: there is none
-- @tparam table edges as of `config.parse`
-- @treturn {[string]=string} the paths of the files by the services' names
function directory.merge(report, objects, path, edges)
  local paths = {}
  for _, name in ipairs(names_in(report, path, edges.list)) do
    local service = split(name)
    if service then
      paths[service] = path:gsub("/*$", "/") .. name
      add(report, objects, name, paths[service], edges.read)
    end
  end
  return paths
end

return directory
