--- Reads from haproxy.cfg which backends have slots, for `haproxy -c` alone.
--
-- `haproxy -c` ends before Lua may look at HAProxy's backends, and a service
-- without a backend should be found there, not at the restart. So this reads
-- the text, and where it cannot be sure (conditions, variables, quotes) it
-- says nothing: the start itself looks at the real backends.
--
-- Pure.
--
-- @module synapse.haproxy.config_check

local preview = {}

local SECTIONS = {}
for word in ([[global defaults frontend backend listen peers resolvers
  userlist cache ring program mailers http-errors fcgi-app
  log-forward]]):gmatch("%S+")
do
  SECTIONS[word] = true
end

-- Where these stand a word may not be what it looks like.
local UNSURE = "[$\"'\\]"

-- A named section of defaults may be any; its options are not followed.
local function inherited(defaults, line)
  if line:find("%sfrom%s") then
    return nil
  end
  return defaults.all_backups == true
end

local function begin_section(found, defaults, line, kind, name)
  if kind == "defaults" then
    defaults.all_backups = false
    return true, defaults
  elseif kind ~= "backend" and kind ~= "listen" then
    return true, nil
  elseif not name or name:find(UNSURE) then
    return false
  end
  found[name] = found[name] or {
    slots = 0, backups = 0, sure = true,
    all_backups = inherited(defaults, line),
  }
  return true, found[name]
end

local function read_option(section, line)
  if line:find("^%s*option%s+allbackups%f[%s#%z]") then
    section.all_backups = true
  elseif line:find("^%s*no%s+option%s+allbackups%f[%s#%z]") then
    section.all_backups = false
  end
end

local function address_of(line)
  return line:match("^%s*server%-template%s+%S+%s+%S+%s+(%S+)") or
    line:match("^%s*server%s+%S+%s+(%S+)")
end

local SLOTS = {
  ["slot.invalid:1"] = true, ["127.0.0.1:1"] = true, ["240.0.0.1:1"] = true,
}

local function read_server(backend, line)
  local address = address_of(line)
  if not address then
    return
  elseif address:find(UNSURE) then
    backend.sure = false
  elseif SLOTS[address] then
    backend.slots = backend.slots + 1
    if line:find(":1%f[%s].*%sbackup%f[%s#%z]") then
      backend.backups = backend.backups + 1
    end
  end
end

--- Lists the backends of a configuration.
-- @tparam {string,...} texts of its files, in order
-- @treturn {[string]={slots=integer,backups=integer,sure=boolean,
--   all_backups=boolean}} by name: how many lines declare slots, how many of
--   them declare backups, whether there can be no other, and whether HAProxy
--   uses all backups at once (nil: not known)
-- @treturn[2] nil when the text alone does not tell
function preview.backends(texts)
  local found, defaults, current, sure = {}, {}, nil, true
  for _, text in ipairs(texts) do
    for line in text:gmatch("[^\n]+") do
      local word, name = line:match("^%s*([%w.-]+)%s*([^%s#]*)")
      if word and word:find("^%.") then
        return nil
      elseif word and SECTIONS[word] then
        sure, current = begin_section(found, defaults, line, word, name)
      elseif word and current == defaults then
        read_option(current, line)
      elseif word and current then
        read_option(current, line)
        read_server(current, line)
      end
      if not sure then
        return nil
      end
    end
  end
  return found
end

local OURS = "SYNAPSE_SERVERS"

-- Which state file HAProxy reads for each backend, and for all; and which
-- backends have slots of which it restores but the port.
local function state_files(paths, texts)
  local of_backend, of_defaults, current, global = {}, nil, nil, nil
  local literal = {}
  for i, text in ipairs(texts) do
    local number = 0
    for line in (text .. "\n"):gmatch("([^\n]*)\n") do
      number = number + 1
      local word, value = line:match("^%s*([%w.-]+)%s*([^%s#]*)")
      local place = {
        value = value, at = string.format("%s:%d", paths[i], number),
      }
      if SECTIONS[word] then
        current = {kind = word, name = value}
        of_defaults = word ~= "defaults" and of_defaults or nil
        if word == "backend" or word == "listen" then
          of_backend[value] = of_defaults
        end
      elseif word == "server-state-file" then
        -- A second one does not count.
        global = global or place
      elseif word == "load-server-state-from-file" and current then
        if current.kind == "defaults" then
          of_defaults = place
        else
          of_backend[current.name] = place
        end
      elseif current and address_of(line) == "127.0.0.1:1" then
        literal[current.name] = place
      end
    end
  end
  return of_backend, global, literal
end

local function foreign(service, place)
  return string.format("%s: backend %s: `load-server-state-from-file %s` " ..
    "fills its slots from a file that is not the agent's; write " ..
    '`server-state-file "${SYNAPSE_SERVERS}"` below lua-load and ' ..
    "`load-server-state-from-file global` into the backend, or " ..
    "`load-server-state-from-file none`", place.at, service.backend,
    place.value)
end

--- Says which backend with slots HAProxy would fill in a wrong way: from a
-- state file that the agent did not write a slot would serve whatever was there
-- once, and of a slot with an address in its line HAProxy restores the port
-- alone.
-- @tparam {string,...} paths of the configuration's files
-- @tparam {string,...} texts of the same
-- @tparam {service,...} services
-- @treturn ?string nil when none is
function preview.state_file(paths, texts, services)
  local of_backend, global, literal = state_files(paths, texts)
  local is_ours = global and global.value:find(OURS, 1, true)
  for _, service in ipairs(services) do
    local place = of_backend[service.backend]
    if place and place.value ~= "none" and
      not (place.value == "global" and is_ours)
    then
      return foreign(service, place)
    elseif place and place.value == "global" and literal[service.backend] then
      return string.format("%s: backend %s: its slots have an address, of " ..
        "which HAProxy restores only the port; write `slot.invalid:1 " ..
        "init-addr last,127.0.0.1` in place of `127.0.0.1:1`",
        literal[service.backend].at, service.backend)
    end
  end
  return nil
end

-- Options that take a value which is not a file of the configuration.
local VALUE = {}
for word in ("-C -S -x -n -m -N -L -p -G"):gmatch("%S+") do
  VALUE[word] = true
end

--- Finds the files of the configuration.
-- @tparam {string,...} arguments of HAProxy's command line
-- @treturn {string,...} paths
-- @treturn boolean whether this is but a check of them
-- @treturn[2] nil when the arguments do not tell
function preview.files(arguments)
  local files, checks, i = {}, false, 2
  while arguments[i] do
    local one = arguments[i]
    if one == "--" then
      table.move(arguments, i + 1, #arguments, #files + 1, files)
      break
    elseif one == "-f" then
      i = i + 1
      files[#files + 1] = arguments[i]
    elseif one == "-C" then
      return nil
    elseif VALUE[one] then
      i = i + 1
    elseif one == "-c" then
      checks = true
    end
    i = i + 1
  end
  return files, checks
end

return preview
