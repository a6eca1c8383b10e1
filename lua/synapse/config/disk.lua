--- The files of the configuration, as HAProxy's user can read them.
--
-- After a chroot a path leads nowhere. So the directories of these files are
-- opened at load, and after it the files are found from there; symbolic links
-- of theirs must then be relative. Without a chroot paths are used as they are:
-- a directory that was replaced is seen.
--
-- What is read here is small, so it is read where it is asked for. That holds
-- HAProxy's thread up if a server of files does not answer: see `remote`.
--
-- @module synapse.config.disk

local disk = {}
disk.__index = disk

local MAX_BYTES = 64 * 1024 * 1024

--- Returns a disk on which no file is known.
-- @tparam table deps `open_directory(path)` of the zookeeper module;
--   `is_jailed()`: whether a chroot has happened
-- @treturn disk
function disk.new(deps)
  return setmetatable({deps = deps, opened = {}, first = nil}, disk)
end

-- Returns the directory of a path.
local function above(path)
  local parent = path:match("^(.*)/[^/]+/*$")
  return parent == "" and "/" or parent or "."
end

--- Opens the directory of a file, or of a directory. At load.
-- @tparam string path
function disk:open(path)
  local parent = above(path)
  self.opened[parent] = self.opened[parent] or self.deps.open_directory(parent)
  self.first = self.first or self.opened[parent]
end

-- Finds the open directory above a path. Returns it, and the way from there.
local function find(self, path)
  if path:sub(1, 1) == "/" and self.first and not self.deps.is_jailed() then
    return self.first, path
  end
  local parent, last = above(path), path
  -- No absolute path is below a directory that was opened as ".".
  local is_absolute = path:sub(1, 1) == "/"
  while parent ~= last and not (is_absolute and parent == ".") do
    if self.opened[parent] then
      local prefix = parent:gsub("/*$", "/")
      return self.opened[parent],
        parent == "." and path or path:sub(#prefix + 1)
    end
    last, parent = parent, above(parent)
  end
  return nil, "HAProxy's chroot hides it"
end

local function without_name(why)
  return (why:gsub("^.*: ", ""))
end

--- Reads all of a file.
-- @tparam string path
-- @treturn string
-- @treturn[2] nil
-- @treturn[2] string why not, without the path
function disk:read(path)
  local directory, name = find(self, path)
  if not directory then
    return nil, name
  end
  local text, why = directory:read(name, MAX_BYTES, true)
  return text, not text and without_name(why) or nil
end

--- Lists the names in a directory.
-- @tparam string path
-- @treturn {string,...} sorted
-- @treturn[2] nil
-- @treturn[2] string why not, without the path
function disk:list(path)
  local directory, name = find(self, path)
  if not directory then
    return nil, name
  end
  local names, why = directory:list(name)
  if not names then
    return nil, without_name(why)
  end
  table.sort(names)
  return names
end

--- Returns a number that changes with a file or a directory.
-- @tparam string path
-- @treturn integer 0: there is none, or it cannot be seen
function disk:stamp(path)
  local directory, name = find(self, path)
  return directory and directory:stamp(name) or 0
end

--- Tells on which network file system a file or a directory is.
-- @tparam string path
-- @treturn ?string for people; nil: on none, or it cannot be seen
function disk:remote(path)
  local directory, name = find(self, path)
  return directory and directory:remote(name) or nil
end

return disk
