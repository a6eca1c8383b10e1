--- Turns a znode into an instance: the trust boundary.
--
-- Anyone who can write to ZooKeeper can write any data, so no part of a znode
-- is used before this module has checked it. A bad host or port refuses the
-- instance; a bad weight or name is dropped, reported, and the instance serves.
-- A weight above HAProxy's maximum counts as the maximum.
--
-- Pure.
--
-- @module synapse.instances.instance

local address = require("synapse.instances.address")
local cjson = require("cjson.safe")
local hostname = require("synapse.instances.hostname")

local instance = {}

local MAX_BYTES = 65536
local MAX_DEPTH = 16
local MAX_NAME = 255

-- A decoder of our own: its limits must not change anybody else's.
local json = cjson.new()
json.decode_invalid_numbers(false)
json.decode_max_depth(MAX_DEPTH)

--- One host:port that offers a service.
-- @table instance
-- @tfield string key      "host:port", its identity
-- @tfield string host     canonical IP address, or host name
-- @tfield ?boolean is_name whether it is a name
-- @tfield integer port
-- @tfield ?integer weight 0 to 256
-- @tfield ?string name    its owner's name for it, for people
-- @tfield ?string options what it says of its server, haproxy_server_options
-- @tfield ?integer server_weight the weight in it, 0 to 256
-- @tfield ?integer maxconn the one in it
-- @tfield ?boolean is_backup whether `backup` is in it
-- @tfield ?table labels   strings, numbers and booleans by name
-- @tfield ?string znode   name of its znode, nil for a default server
-- @tfield ?integer sequence the number at the end of that name
-- @tfield ?integer czxid  the transaction that made the znode

-- HAProxy's greatest weight, and a bound of our own.
local MAX_WEIGHT, MAX_MAXCONN = 256, 1000000

--- The options of a znode: the words of `haproxy_server_options` that are
-- applied. airbnb's synapse wrote all words into haproxy.cfg. Here the slot
-- exists already, and HAProxy can change little of it at run time.
-- @table znode_options
-- @tfield ?integer weight  0 to 256
-- @tfield ?integer maxconn 1 to 1,000,000
-- @tfield ?boolean backup

local function integer(word)
  return word and word:find("^%d+$") and math.tointeger(tonumber(word)) or nil
end

-- Bounds a weight.
-- @tparam integer number 0 or more
-- @tparam string what names it, for the problem
-- @tparam {string,...} problems gets one if the weight is too great
-- @treturn integer
local function bounded_weight(number, what, problems)
  if number <= MAX_WEIGHT then
    return number
  end
  problems[#problems + 1] = string.format("%s %d is above %d, used as %d",
    what, number, MAX_WEIGHT, MAX_WEIGHT)
  return MAX_WEIGHT
end

local NUMBERS = {
  weight = function(number, problems)
    return bounded_weight(number, "haproxy_server_options: weight",
      problems)
  end,
  maxconn = function(number)
    return number >= 1 and number <= MAX_MAXCONN and number or nil
  end,
}

-- Returns the option at a place, and how many words it has; nil if it is not
-- applied.
local function read_at(words, i, problems)
  local word, number = words[i], integer(words[i + 1])
  if word == "backup" then
    return true, 1
  end
  local value = NUMBERS[word] and number and NUMBERS[word](number, problems)
  return value, value and 2 or 1
end

--- Reads the words of `haproxy_server_options`.
-- @tparam string text
-- @tparam {string,...} problems gets what is bounded
-- @treturn znode_options
-- @treturn ?string the words that are not applied
function instance.parse_options(text, problems)
  local options, left, words, i = {}, {}, {}, 1
  for word in text:gmatch("%S+") do
    words[#words + 1] = word
  end
  while words[i] do
    local value, taken = read_at(words, i, problems)
    if value then
      options[words[i]] = value
    else
      left[#left + 1] = words[i]
    end
    i = i + taken
  end
  return options, #left > 0 and table.concat(left, " ") or nil
end

local DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ" ..
  "abcdefghijklmnopqrstuvwxyz0123456789-_"

-- The value of each digit, by its byte.
local VALUES = {}
for i = 1, #DIGITS do
  VALUES[DIGITS:byte(i)] = i - 1
end

--- Returns the bytes that a text of URL-safe base64 stands for.
-- @tparam string text
-- @treturn ?string nil if it is not base64
function instance.decode_base64(text)
  local digits = text:gsub("=?=$", "")
  if #text % 4 ~= 0 or digits:find("[^%w_-]") then
    return nil
  end
  local parts = {}
  for i = 1, #digits, 4 do
    local a, b, c, d = digits:byte(i, i + 3)
    local bits = VALUES[a] << 18 | (VALUES[b] or 0) << 12 |
      (VALUES[c] or 0) << 6 | (VALUES[d] or 0)
    parts[#parts + 1] =
      string.char(bits >> 16, bits >> 8 & 255, bits & 255)
  end
  return table.concat(parts):sub(1, #digits * 3 // 4)
end

local function quote(value)
  if type(value) == "string" then
    local dots = #value > 40 and "..." or ""
    return '"' .. value:sub(1, 40) .. '"' .. dots
  elseif type(value) == "table" then
    return "a list or object"
  elseif type(value) == "number" then
    return string.format("%.14g", value)
  end
  return value == cjson.null and "null" or tostring(value)
end

local function check_host(host)
  if host == nil then
    return nil, "has no host"
  elseif type(host) ~= "string" then
    return nil, string.format("host: %s is not a string", quote(host))
  end
  local canonical, why = address.canonical(host)
  if canonical then
    return canonical
  end
  local name = hostname.canonical(host)
  if name then
    return name, true
  elseif why == "is not an IP address" then
    why = "is not an IP address, nor a host name"
  end
  return nil, string.format("host: %s %s", quote(host), why)
end

local function integer_between(value, low, high)
  local number = type(value) == "number" and math.tointeger(value)
  return number and number >= low and number <= high and number or nil
end

local function check_port(port)
  if port == nil then
    return nil, "has no port"
  end
  local number = port
  if type(port) == "string" and port:find("^[1-9]%d?%d?%d?%d?$") then
    number = tonumber(port)
  end
  number = integer_between(number, 1, 65535)
  if not number then
    return nil, string.format("port: %s is not a port (1 to 65535)",
      quote(port))
  end
  return number
end

local function check_weight(weight, problems)
  if weight == nil or weight == cjson.null then
    return nil
  end
  local number = integer_between(weight, 0, math.maxinteger)
  if not number then
    problems[#problems + 1] = string.format(
      "weight: %s is not an integer from 0 to 256, dropped", quote(weight))
  end
  return number and bounded_weight(number, "weight:", problems)
end

local function check_text(text, field, problems)
  if text == nil or text == cjson.null then
    return nil
  elseif type(text) ~= "string" or #text > MAX_NAME then
    problems[#problems + 1] = string.format(
      "%s: %s is not a string of at most %d bytes, dropped", field,
      quote(text), MAX_NAME)
    return nil
  end
  return text
end

local NO_OPTIONS = {}

-- Returns the words, and the options that are applied.
local function check_options(words, problems)
  local text = check_text(words, "haproxy_server_options", problems)
  if not text then
    return nil, NO_OPTIONS
  end
  local options, left = instance.parse_options(text, problems)
  if left then
    problems[#problems + 1] = string.format("haproxy_server_options: %s is " ..
      "not applied (weight, maxconn and backup are)", quote(left))
  end
  return text, options
end

local function is_label(label, value)
  if type(label) ~= "string" or #label > MAX_NAME then
    return false
  elseif type(value) == "string" then
    return #value <= MAX_NAME
  end
  return type(value) == "boolean" or
    type(value) == "number" and value > -math.huge and value < math.huge
end

-- Labels choose among instances. Without some of its labels an instance may be
-- chosen wrongly, but no more than without any.
local function check_labels(labels, problems)
  if labels == nil or labels == cjson.null then
    return nil
  elseif type(labels) ~= "table" then
    problems[#problems + 1] = string.format(
      "labels: %s is not an object, dropped", quote(labels))
    return nil
  end
  local kept, dropped = {}, 0
  for label, value in pairs(labels) do
    if is_label(label, value) then
      kept[label] = value
    else
      dropped = dropped + 1
    end
  end
  if dropped > 0 then
    problems[#problems + 1] = string.format("labels: %d dropped; a label " ..
      "is a name with a number, a boolean or at most %d bytes", dropped,
      MAX_NAME)
  end
  return kept
end

--- Checks the fields of one instance, wherever they came from.
-- @tparam table fields `host`, `port`, and maybe `weight`, `name`,
--   `haproxy_server_options` and `labels`
-- @treturn instance
-- @treturn {string,...} what was dropped; empty if nothing was
-- @treturn[2] nil
-- @treturn[2] string why it is refused
function instance.check(fields)
  if type(fields) ~= "table" then
    return nil, "is not a JSON object"
  end
  local host, more = check_host(fields.host)
  if not host then
    return nil, more
  end
  local port, bad_port = check_port(fields.port)
  if not port then
    return nil, bad_port
  end
  local problems = {}
  local options, wanted = check_options(fields.haproxy_server_options, problems)
  return {
    key = address.join(host, port),
    host = host,
    is_name = more,
    port = port,
    weight = check_weight(fields.weight, problems),
    name = check_text(fields.name, "name", problems),
    options = options,
    server_weight = wanted.weight,
    maxconn = wanted.maxconn,
    is_backup = wanted.backup,
    labels = check_labels(fields.labels, problems),
  }, problems
end

local function sequence_of(name)
  local digits = name:match("_?(%d+)$")
  return digits and #digits <= 10 and math.tointeger(tonumber(digits)) or nil
end

-- cjson stops at a NUL, whatever follows. JSON has no NUL.
local function from_json(znode, text, decoder, sequence)
  local value = not text:find("\0", 1, true) and json.decode(text) or nil
  if value == nil then
    return nil, "is not JSON of at most " .. MAX_DEPTH .. " levels"
  end
  local fields, why = decoder(value)
  if not fields then
    return fields, why
  end
  local checked, problems = instance.check(fields)
  if checked then
    checked.znode = znode
    checked.sequence = sequence
  end
  return checked, problems
end

--- Makes an instance from a znode that was read.
-- @tparam string znode its name, the last part of the path
-- @tparam string data
-- @tparam table stat `data_length` and `czxid`
-- @tparam function decoder as `synapse.zookeeper.decode` makes it
-- @treturn instance or false: in order, and it does not serve
-- @treturn {string,...} what was dropped
-- @treturn[2] nil
-- @treturn[2] string why it is refused
function instance.from_data(znode, data, stat, decoder)
  if stat.data_length > MAX_BYTES or stat.data_length > #data then
    return nil, string.format("has %d bytes of data (at most %d)",
      stat.data_length, MAX_BYTES)
  end
  local checked, problems = from_json(znode, data, decoder,
    sequence_of(znode:match("_%d+$") or ""))
  if checked then
    checked.czxid = stat.czxid
  end
  return checked, problems
end

--- Makes an instance from a name that carries its data:
-- `base64_<length>_<base64url>_<sequence>`.
-- @tparam string znode
-- @tparam function decoder as `synapse.zookeeper.decode` makes it
-- @treturn instance or false: in order, and it does not serve
-- @treturn {string,...} what was dropped
-- @treturn[2] nil when the znode has to be read
function instance.from_name(znode, decoder)
  local length, rest = znode:match("^base64_(%d+)_(.*)$")
  length = length and #length < 10 and math.tointeger(tonumber(length))
  if not length or length == 0 or length > #rest or length > MAX_BYTES then
    return nil
  end
  local data, tail = instance.decode_base64(rest:sub(1, length)),
    rest:sub(length + 1)
  if not data or not tail:find("^_?%d*$") then
    return nil
  end
  return from_json(znode, data, decoder, sequence_of(tail))
end

--- Tells which of two instances of one host:port was registered later.
-- @tparam instance a
-- @tparam instance b
-- @treturn boolean whether `a` is the newer one
function instance.is_newer(a, b)
  if a.sequence and b.sequence and a.sequence ~= b.sequence then
    return a.sequence > b.sequence
  elseif a.czxid and b.czxid and a.czxid ~= b.czxid then
    return a.czxid > b.czxid
  end
  return (a.znode or "") > (b.znode or "")
end

local function has_labels(given, labels)
  for label, value in pairs(labels) do
    if given[label] ~= value then
      return false
    end
  end
  return true
end

local function same_labels(a, b)
  return a == b or a ~= nil and b ~= nil and has_labels(a, b) and
    has_labels(b, a)
end

--- Tells whether two instances are equal in everything, so that nothing must be
-- done.
-- @tparam instance a
-- @tparam instance b
-- @treturn boolean
function instance.is_same(a, b)
  return a.key == b.key and a.weight == b.weight and a.name == b.name and
    a.options == b.options and a.is_backup == b.is_backup and
    a.znode == b.znode and a.origin == b.origin and
    same_labels(a.labels, b.labels)
end

return instance
