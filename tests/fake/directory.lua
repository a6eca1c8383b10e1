--- A directory of one test, with a `haproxy` that HAProxy's part is played by.
local dirent = require("posix.dirent")
local stdlib = require("posix.stdlib")
local stat = require("posix.sys.stat")
local unistd = require("posix.unistd")

return function()
  local path = assert(stdlib.mkdtemp("/tmp/synapse-spec.XXXXXX"))
  local directory = {path = path}

  function directory.write(name, text)
    local file = assert(io.open(path .. "/" .. name, "w"))
    file:write(text)
    file:close()
    return path .. "/" .. name
  end

  function directory.read(name)
    local file = io.open(path .. "/" .. name, "rb")
    local text = file and file:read("a")
    if file then
      file:close()
    end
    return text
  end

  --- Lists the names of what is in it.
  function directory.names()
    local names = {}
    for name in dirent.files(path) do
      names[#names + 1] = name ~= "." and name ~= ".." and name or nil
    end
    table.sort(names)
    return names
  end

  --- Has `haproxy -c -f FILE` run a script of the shell, with FILE as $3.
  function directory.play_haproxy(script)
    local program = directory.write("haproxy", "#!/bin/sh\n" .. script .. "\n")
    stat.chmod(program, tonumber("755", 8))
    directory.old_path = directory.old_path or os.getenv("PATH")
    stdlib.setenv("PATH", path .. ":" .. directory.old_path, true)
  end

  function directory.remove()
    if directory.old_path then
      stdlib.setenv("PATH", directory.old_path, true)
    end
    for _, name in ipairs(directory.names()) do
      os.remove(path .. "/" .. name)
    end
    unistd.rmdir(path)
  end
  return directory
end
