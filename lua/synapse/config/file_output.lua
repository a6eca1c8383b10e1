--- Reads `file_output`, of all services and of one.
--
-- Pure.
--
-- @module synapse.config.file_output

local keys = require("synapse.config.keys")
local value = require("synapse.config.value")

local file_output = {}

--- Reads the section of the whole file.
-- @tparam report report
-- @param section its value
-- @treturn ?string the directory; nil where no files are wanted
function file_output.read(report, section)
  if section == nil then
    return nil
  end
  local object = value.object(report, section, "file_output")
  value.keys(report, object, "file_output", keys.FILE_OUTPUT)
  return value.string(report, object.output_directory,
    "file_output.output_directory", "^.", "the path of a directory")
end

--- Reads the section of a service.
-- @tparam report report
-- @param section its value
-- @tparam string place
-- @tparam string name of the service
-- @treturn boolean whether it gets a file
function file_output.wants(report, section, place, name)
  local object = value.object(report, section, place)
  value.keys(report, object, place, keys.SERVICE_FILE_OUTPUT)
  local disabled = value.boolean(report, object.disabled,
    place .. ".disabled", false)
  if not disabled and (name:find("[/%c]") or name:find("^%.") or #name > 240)
  then
    value.warn(report, place, "%s.json is no name of a file, so there is none",
      name)
    return false
  end
  return not disabled
end

return file_output
