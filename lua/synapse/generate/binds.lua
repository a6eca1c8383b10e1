--- Finds frontends that listen on the same address.
--
-- HAProxy allows this. Their sockets share the port, and the kernel gives each
-- connection to one of them by chance.
--
-- Pure.
--
-- @module synapse.generate.binds

local address = require("synapse.instances.address")

local binds = {}

-- The prefixes of an address, and the family of each. An address with another
-- prefix has no port.
local PREFIXES = {[""] = "any", ipv4 = "4", ipv6 = "6", tcp = "any",
  tcp4 = "4", tcp6 = "6"}

local function is_wildcard(host)
  return host == "" or host == "*" or host == "0.0.0.0" or host == "::"
end

local function family_of(host, prefix)
  if prefix ~= "any" then
    return prefix
  end
  return host:find(":", 1, true) and "6" or "4"
end

-- Host names stay as they are, except localhost.
local function host_of(text)
  local host = text:gsub("^%[(.*)%]$", "%1")
  return host == "localhost" and "127.0.0.1" or address.canonical(host) or host
end

local function read_ports(text)
  local low, high = text:match("^(%d+)%-(%d+)$")
  low = tonumber(low or text:match("^%d+$"))
  return low, tonumber(high) or low
end

-- Reads one address of a `bind` line.
local function read_address(text)
  local prefix, rest = text:match("^(%w+)@(.*)$")
  prefix, rest = PREFIXES[prefix or ""], rest or text
  if rest:find("^/") then
    return {socket = rest}
  end
  local host, port = rest:match("^(.*):([%d-]+)$")
  local low, high = read_ports(port or "")
  if not prefix or not low then
    return nil
  end
  return {
    host = host_of(host), low = low, high = high,
    family = family_of(host, prefix), is_wildcard = is_wildcard(host_of(host)),
  }
end

-- "::" takes IPv4 too, unless the line has `v6only`.
local function read_line(line, section, list)
  local words = line.text:match("^bind%s+(.*)$")
  local addresses, options = (words or ""):match("^(%S+)%s*(.*)$")
  for text in (addresses or ""):gmatch("[^,]+") do
    local listener = read_address(text)
    if listener then
      listener.text, listener.line, listener.section = text, line, section
      listener.both = listener.is_wildcard and listener.family == "6" and
        not (" " .. options .. " "):find("%sv6only%s")
      list[#list + 1] = listener
    end
  end
end

local function overlap(a, b)
  if a.socket or b.socket then
    return a.socket == b.socket
  elseif a.high < b.low or b.high < a.low then
    return false
  elseif a.family ~= b.family then
    return a.both or b.both
  end
  return a.is_wildcard or b.is_wildcard or a.host == b.host
end

local function find_all(sections)
  local list = {}
  for _, section in ipairs(sections) do
    local kind = section.title.text:match("^%l+")
    for _, line in ipairs(section.lines) do
      if kind == "frontend" or kind == "listen" then
        read_line(line, section, list)
      end
    end
  end
  return list
end

--- Lists the overlaps. Lines of one section are meant to share.
-- @tparam {section,...} sections as of `synapse.generate.init`
-- @treturn {string,...}
function binds.overlaps(sections)
  local list, overlaps = find_all(sections), {}
  for i, listener in ipairs(list) do
    for j = 1, i - 1 do
      local other = list[j]
      if listener.section ~= other.section and overlap(listener, other) then
        overlaps[#overlaps + 1] = string.format(
          "%s: `bind %s` overlaps with `bind %s` of %s", listener.line.place,
          listener.text, other.text, other.line.place)
      end
    end
  end
  return overlaps
end

return binds
