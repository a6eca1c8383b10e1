--- Reads a configuration from its files: the same for the agent and for the
-- program that makes a haproxy.cfg of it.
--
-- @module synapse.config.configuration

local config = require("synapse.config.init")
local files = require("synapse.config.files")
local zookeeper = require("zookeeper")

local configuration = {}

local EDGES = {
  list = files.list, read = files.read, resolve = zookeeper.resolve,
}

--- Reads a synapse.conf.json, and the files of its `service_conf_dir`.
-- @tparam string path
-- @treturn config
-- @treturn {string,...} warnings, each with its place
-- @treturn[2] nil
-- @treturn[2] {string,...} all mistakes, each with its place
function configuration.read(path)
  local text, why = files.read(path)
  if not text then
    return nil, {why}
  end
  return config.parse(text, EDGES)
end

return configuration
