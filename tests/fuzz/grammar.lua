--- What may be sent to HAProxy's runtime API: the grammar of a line.
--
-- Written from HAProxy's manual and from what the agent is for, on purpose
-- without a look at the code that makes the lines.
--
--     line    = command *(";" command)          at most 16,384 bytes
--     command = "set server " place " addr " ip " port " 1..65535
--             / "set server " place " weight " (0..256 / "0%" / "100%")
--             / "set server " place " state " ("ready" / "drain" / "maint")
--             / "show servers state " backend
--     place   = backend "/" slot                both known
local grammar = {}

local BUFFER = 16384

local function is_number(text, low, high)
  return text:find("^%d+$") ~= nil and #text <= 5 and
    text == tostring(math.tointeger(tonumber(text))) and
    tonumber(text) >= low and tonumber(text) <= high
end

local function is_ipv4(text)
  local a, b, c, d = text:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
  return a ~= nil and is_number(a, 1, 223) and is_number(b, 0, 255) and
    is_number(c, 0, 255) and is_number(d, 0, 255) and
    not (a == "169" and b == "254")
end

-- Counts groups of hexadecimal digits without needless zeros; nil when there
-- is something else.
local function count_groups(text)
  local count = 0
  if text == "" then
    return 0
  end
  for group in (text .. ":"):gmatch("([^:]*):") do
    if not group:find("^[1-9a-f]%x?%x?%x?$") and group ~= "0" then
      return nil
    end
    count = count + 1
  end
  return count
end

local function is_ipv6(text)
  if not text:find("^[0-9a-f:]+$") or text == "::" or
    text:find("^ff..:") or text:find("^fe[89ab].:")
  then
    return false
  end
  local left, right = text:match("^(.-)::(.*)$")
  if not left then
    return count_groups(text) == 8
  end
  local before, after = count_groups(left), count_groups(right)
  return before ~= nil and after ~= nil and before + after <= 6
end

--- Tells whether a text is an address that an instance may have.
function grammar.is_address(text)
  return is_ipv4(text) or is_ipv6(text)
end

--- Tells whether a value is a port, as a number.
function grammar.is_port(value)
  return math.type(value) == "integer" and value >= 1 and value <= 65535
end

local WORDS = {
  addr = function(words)
    local host, port = words:match("^(%S+) port (%d+)$")
    return host and grammar.is_address(host) and is_number(port, 1, 65535) and
      {host = host, port = math.tointeger(tonumber(port))}
  end,
  weight = function(words)
    if words == "100%" or words == "0%" then
      return {percent = tonumber(words:sub(1, -2))}
    end
    return is_number(words, 0, 256) and {weight = tonumber(words)}
  end,
  state = function(words)
    return (words == "ready" or words == "drain" or words == "maint") and
      {admin = words}
  end,
}

local function parse_command(text, backends)
  local shown = text:match("^show servers state (%S+)$")
  if shown then
    return backends[shown] and {kind = "show", backend = shown}
  end
  local backend, slot, kind, words =
    text:match("^set server ([^ /]+)/([^ /]+) (%l+) (.+)$")
  local found = backend and backends[backend] and backends[backend][slot] and
    WORDS[kind] and WORDS[kind](words)
  if found then
    found.kind, found.backend, found.slot = kind, backend, slot
  end
  return found
end

--- Parses a line.
-- @tparam string line
-- @tparam table backends of the slots by name
-- @treturn {table,...} its commands; raises an error where there is none
function grammar.parse(line, backends)
  if #line > BUFFER or line:find("[^\32-\126]") then
    error(string.format("a line of %d bytes: %q", #line, line:sub(1, 2000)))
  end
  local commands = {}
  for text in (line .. ";"):gmatch("([^;]*);") do
    commands[#commands + 1] = parse_command(text, backends) or
      error(string.format("no such command: %q", text))
  end
  return commands
end

return grammar
