--- Translates old lines of a configuration into what HAProxy needs today.
--
-- Pure, except that it changes the lines that it is given.
--
-- @module synapse.generate.upgrade

local upgrade = {}

--- Translates a section: `listen stats :3212` became two lines in HAProxy 1.6.
-- @tparam section section of the configuration
-- @treturn section
function upgrade.section(section)
  local title = section.title
  local kind, name, addresses =
    title.text:match("^%s*(%l+)%s+(%S+)%s+(%S.*)$")
  if kind ~= "listen" and kind ~= "frontend" then
    return section
  end
  local lines = {{text = "bind " .. addresses, place = title.place}}
  table.move(section.lines, 1, #section.lines, 2, lines)
  return {
    title = {text = kind .. " " .. name, place = title.place}, lines = lines,
  }
end

--- Makes cookies follow the instances. Synapse named a cookie after its server.
-- But a slot has one instance after another, so its cookie is made of the
-- address and a key.
-- @tparam {line,...} lines of a section; changed
function upgrade.cookies(lines)
  for _, line in ipairs(lines) do
    if line.text:find("^cookie%s") and
      not (line.text .. " "):find("%sdynamic%s")
    then
      line.text = line.text .. " dynamic"
    end
  end
end

local function follow_instances(line)
  if not (line.text .. " "):find("%ssrvkey%s") then
    line.text = line.text .. " srvkey addr"
  end
end

--- Makes stick tables follow the instances. By default a table remembers the
-- name of a server, but a slot has one instance after another.
-- @tparam {line,...} lines of a section; changed
function upgrade.stick_tables(lines)
  for _, line in ipairs(lines) do
    if line.text:find("^stick%-table%s") then
      follow_instances(line)
    end
  end
end

--- Does the same for the stick tables of a section that services use.
-- @tparam section section changed
-- @tparam {[string]=boolean} used names of tables: "backend" or "peers/table"
function upgrade.used_tables(section, used)
  local kind, name = section.title.text:match("^%s*(%l+)%s+(%S+)")
  if kind ~= "peers" and used[name] then
    upgrade.stick_tables(section.lines)
  elseif kind == "peers" then
    for _, line in ipairs(section.lines) do
      local own = line.text:match("^table%s+(%S+)")
      if own and used[name .. "/" .. own] then
        follow_instances(line)
      end
    end
  end
end

-- Finds the last line of a kind, which HAProxy uses.
local function find(lines, defaults, pattern)
  for _, list in ipairs({lines, defaults}) do
    for i = #list, 1, -1 do
      if list[i].text:find(pattern) then
        return list[i]
      end
    end
  end
end

--- Returns a line with a cookie key for a backend that needs one and has none.
-- @tparam {line,...} lines of the backend
-- @tparam {line,...} defaults
-- @tparam string key
-- @treturn ?line nil where none is needed
function upgrade.cookie_key(lines, defaults, key)
  local cookie = find(lines, defaults, "^cookie%s")
  local mode = find(lines, defaults, "^mode%s")
  if not cookie or not mode or not mode.text:find("^mode%s+http%f[%W]") or
    find(lines, defaults, "^dynamic%-cookie%-key%s")
  then
    return nil
  end
  return {text = "dynamic-cookie-key " .. key, place = cookie.place}
end

return upgrade
