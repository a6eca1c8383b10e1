--- What may be sent to HAProxy's runtime API: the grammar of a line.
--
-- Written from HAProxy's manual and from what the agent is for, on purpose
-- without a look at the code that makes the lines.
--
--     line    = command *(";" command)          at most 16,384 bytes
--     command = "set server " place " addr " ip " port " 1..65535
--             / "set server " named " addr 240.0.0.1 port " 1..65535
--             / "set server " named " fqdn " name
--             / "set server " place " weight " (0..256 / "0%" / "100%")
--             / "set server " place " state " ("ready" / "drain" / "maint")
--             / "set server " place " health down"
--             / "set maxconn server " place " " 0..1000000
--             / "show servers state " backend
--             / "show stat " 1..65535 " 4 " 1..65535
--             / "add server " backend "/" new " 127.0.0.1:1 id " 1..65535
--               " pool-max-conn -1 pool-purge-delay 5s" options [" backup"]
--             / "enable health " place / "enable agent " place
--     place   = backend "/" slot                both known
--     named   = a place whose slot is for host names: "n" 1..99
--     name    = 1..253 small letters, digits, dots and dashes, a letter among
--               them
--     new     = "s" 1..999                      not known yet
--     options = "" / " " what the configuration says for the backend
local grammar = {}

local BUFFER = 16384

local function is_number(text, low, high)
  return text:find("^%d+$") ~= nil and #text <= 7 and
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
    text:find("^ff%x%x:") or text:find("^fe[89ab]%x:")
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

--- Tells whether a text is a host name.
function grammar.is_name(text)
  return #text <= 253 and text:find("^[a-z0-9._-]+$") ~= nil and
    text:find("%a") ~= nil and not text:find("..", 1, true)
end

local function is_for_names(slot)
  return slot:find("^n%d%d?$") ~= nil
end

local WORDS = {
  addr = function(words, slot)
    local host, port = words:match("^(%S+) port (%d+)$")
    local is_good = host and (grammar.is_address(host) or
      host == "240.0.0.1" and is_for_names(slot))
    return is_good and is_number(port, 1, 65535) and
      {host = host, port = math.tointeger(tonumber(port))}
  end,
  fqdn = function(words, slot)
    return is_for_names(slot) and grammar.is_name(words) and {fqdn = words}
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
  health = function(words)
    return words == "down" and {}
  end,
}

local function parse_add(text, known)
  local backend, slot, id, rest = text:match("^add server ([^ /]+)/(s%d%d?%d?) "
    .. "127%.0%.0%.1:1 id (%d+) pool%-max%-conn %-1 pool%-purge%-delay 5s(.*)$")
  local words = backend and known.options[backend]
  if not words or known.slot(backend, slot) or not is_number(id, 1, 65535) then
    return nil
  end
  words = words == "" and "" or " " .. words
  return (rest == words or rest == words .. " backup") and {
    kind = "add", backend = backend, slot = slot, id = tonumber(id),
    is_backup = rest ~= words,
  }
end

local function parse_maxconn(text, known)
  local backend, slot, number =
    text:match("^set maxconn server ([^ /]+)/([^ /]+) (%d+)$")
  return known.slot(backend, slot) and is_number(number, 0, 1000000) and {
    kind = "maxconn", backend = backend, slot = slot,
    maxconn = math.tointeger(tonumber(number)),
  }
end

local function parse_enable(text, known)
  local kind, backend, slot = text:match("^enable (%l+) ([^ /]+)/([^ /]+)$")
  return (kind == "health" or kind == "agent") and known.slot(backend, slot) and
    {kind = "enable", backend = backend, slot = slot}
end

local function parse_show(text, known)
  local backend = text:match("^show servers state (%S+)$")
  return known.backends[backend] and {kind = "show", backend = backend}
end

local function parse_stat(text)
  local backend, server = text:match("^show stat (%d+) 4 (%d+)$")
  return backend and is_number(backend, 1, 65535) and
    is_number(server, 1, 65535) and {kind = "stat"}
end

local function parse_set(text, known)
  local backend, slot, kind, words =
    text:match("^set server ([^ /]+)/([^ /]+) (%l+) (.+)$")
  local found = known.slot(backend, slot) and WORDS[kind] and
    WORDS[kind](words, slot)
  if found then
    found.kind, found.backend, found.slot = kind, backend, slot
  end
  return found
end

local function parse_command(text, known)
  return parse_set(text, known) or parse_maxconn(text, known) or
    parse_show(text, known) or parse_stat(text) or parse_add(text, known) or
    parse_enable(text, known) or
    error(string.format("no such command: %q", text))
end

-- What a line may name. A slot that the line itself adds is known to the rest
-- of it, whether or not HAProxy has added it.
local function known_of(backends, options)
  local known = {backends = backends, options = options, added = {}}
  function known.slot(backend, slot)
    return backend and backends[backend] and
      (backends[backend][slot] or known.added[backend .. "/" .. slot])
  end
  return known
end

--- Parses a line.
-- @tparam string line
-- @tparam table backends of the slots by name
-- @tparam {[string]=string} options what slots are added with, by backend
-- @treturn {table,...} its commands; raises an error where there is none
function grammar.parse(line, backends, options)
  if #line > BUFFER or line:find("[^\32-\126]") then
    error(string.format("a line of %d bytes: %q", #line, line:sub(1, 2000)))
  end
  local known, commands = known_of(backends, options), {}
  for text in (line .. ";"):gmatch("([^;]*);") do
    local command = parse_command(text, known)
    if command.kind == "add" then
      known.added[command.backend .. "/" .. command.slot] = true
    end
    commands[#commands + 1] = command
  end
  return commands
end

return grammar
