--- Turns the text of an IP address into its one canonical form.
--
-- Pure. Strict on purpose: a text at whose meaning a lenient parser would guess
-- ("010.1.1.1", "1.2.3", "0x7f.1") is refused, so that two programs cannot read
-- one znode differently. The form of IPv6 is that of RFC 5952, in which HAProxy
-- prints addresses too, so both can be compared as strings.
--
-- @module synapse.instances.address

local address = {}

-- Ranges that no instance can have: {first octet, last first octet, why}.
local REFUSED_IPV4 = {
  {0, 0, "is unspecified"},
  {224, 239, "is a multicast address"},
  {240, 255, "is a broadcast or reserved address"},
}

local function parse_ipv4(text)
  local octets = {text:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")}
  if #octets ~= 4 then
    return nil
  end
  for i, digits in ipairs(octets) do
    if #digits > 3 or digits:find("^0.") or tonumber(digits) > 255 then
      return nil
    end
    octets[i] = math.tointeger(tonumber(digits))
  end
  return octets
end

local function refused_ipv4(octets)
  if octets[1] == 169 and octets[2] == 254 then
    return "is a link-local address"
  end
  for _, range in ipairs(REFUSED_IPV4) do
    if octets[1] >= range[1] and octets[1] <= range[2] then
      return range[3]
    end
  end
  return nil
end

-- "1.2.3.4" at the end of an IPv6 address stands for its last two groups.
local function expand_ipv4_tail(text)
  local head, tail = text:match("^(.*:)([%d.]+)$")
  if not (tail and tail:find(".", 1, true)) then
    return text
  end
  local octets = parse_ipv4(tail)
  if not octets then
    return nil
  end
  return string.format("%s%x:%x", head, octets[1] << 8 | octets[2],
    octets[3] << 8 | octets[4])
end

local function parse_groups(text)
  local groups = {}
  if text == "" then
    return groups
  end
  for part in (text .. ":"):gmatch("([^:]*):") do
    if not part:find("^%x%x?%x?%x?$") then
      return nil
    end
    groups[#groups + 1] = tonumber(part, 16)
  end
  return groups
end

local function parse_ipv6(text)
  text = expand_ipv4_tail(text)
  if not text then
    return nil
  end
  local left, right = text:match("^(.-)::(.*)$")
  local head = parse_groups(left or text)
  local tail = parse_groups(right or "")
  if not head or not tail then
    return nil
  end
  local missing = 8 - #head - #tail
  if left and missing < 1 or not left and missing ~= 0 then
    return nil
  end
  for _ = 1, missing do
    head[#head + 1] = 0
  end
  return table.move(tail, 1, #tail, #head + 1, head)
end

-- Finds the longest run of at least two groups of zeros, the first of equals.
local function longest_zeros(groups)
  local best, best_length, start = nil, 1, nil
  for i = 1, 9 do
    if groups[i] == 0 then
      start = start or i
    elseif start then
      if i - start > best_length then
        best, best_length = start, i - start
      end
      start = nil
    end
  end
  return best, best_length
end

local function join_groups(groups, first, last)
  local words = {}
  for i = first, last do
    words[#words + 1] = string.format("%x", groups[i])
  end
  return table.concat(words, ":")
end

local function format_ipv6(groups)
  local first, length = longest_zeros(groups)
  if not first then
    return join_groups(groups, 1, 8)
  end
  return join_groups(groups, 1, first - 1) .. "::" ..
    join_groups(groups, first + length, 8)
end

local function starts_with(groups, prefix)
  for i, group in ipairs(prefix) do
    if groups[i] ~= group then
      return false
    end
  end
  return true
end

local function embedded_ipv4(groups)
  return {groups[7] >> 8, groups[7] & 255, groups[8] >> 8, groups[8] & 255}
end

local function refused_ipv6(groups)
  if groups[1] >= 0xff00 then
    return "is a multicast address"
  elseif groups[1] & 0xffc0 == 0xfe80 then
    return "is a link-local address"
  elseif starts_with(groups, {0x64, 0xff9b, 0, 0, 0, 0}) then
    return refused_ipv4(embedded_ipv4(groups))
  elseif starts_with(groups, {0, 0, 0, 0, 0, 0}) then
    local rest = groups[7] << 16 | groups[8]
    if rest == 0 then
      return "is unspecified"
    end
    return rest ~= 1 and "is an IPv4-compatible address" or nil
  end
  return nil
end

local function canonical_ipv4(octets)
  local why = refused_ipv4(octets)
  if why then
    return nil, why
  end
  return table.concat(octets, ".")
end

--- Returns the canonical form of an address that an instance may have. An
-- IPv4 address written as IPv6 (`::ffff:10.0.0.1`) comes out as IPv4.
-- @tparam string text
-- @treturn string the address
-- @treturn[2] nil
-- @treturn[2] string why not, to be put after the text: "is unspecified"
function address.canonical(text)
  local octets = parse_ipv4(text)
  if octets then
    return canonical_ipv4(octets)
  end
  local groups = #text <= 45 and parse_ipv6(text)
  if not groups then
    return nil, "is not an IP address"
  end
  if starts_with(groups, {0, 0, 0, 0, 0, 0xffff}) then
    return canonical_ipv4(embedded_ipv4(groups))
  end
  local why = refused_ipv6(groups)
  if why then
    return nil, why
  end
  return format_ipv6(groups)
end

--- Returns an address and a port as one text, IPv6 in brackets.
-- @tparam string host a canonical address
-- @tparam integer port
-- @treturn string "10.0.0.1:80" or "[::1]:80"
function address.join(host, port)
  if host:find(":", 1, true) then
    return string.format("[%s]:%d", host, port)
  end
  return string.format("%s:%d", host, port)
end

return address
