--- Reads files and directories, at load: it blocks.
--
-- @module synapse.config.files

local dirent = require("posix.dirent")

local files = {}

--- Reads all of a file.
-- @tparam string path
-- @treturn string
-- @treturn[2] nil
-- @treturn[2] string why not, without the path
function files.read(path)
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

--- Lists the names in a directory.
-- @tparam string path
-- @treturn {string,...} sorted
-- @treturn[2] nil
-- @treturn[2] string why not, without the path
function files.list(path)
  local ok, names = pcall(dirent.dir, path)
  if not ok then
    return nil, (names:match(".*: ([^)]*)") or names)
  end
  table.sort(names)
  return names
end

return files
