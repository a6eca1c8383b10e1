--- Names and data of znodes as nobody should write them.
local cjson = require("cjson.safe")
local mutate = dofile("tests/fuzz/mutate.lua")

local znodes = {}

local HOSTS = {
  '"10.0.0.1"', '"10.0.0.2"', '"10.0.0.3"', '"2001:db8::1"', '"::1"', '"::"',
  '"0.0.0.0"', '"169.254.1.1"', '"224.0.0.1"', '"255.255.255.255"', '"fe80::1"',
  '"ff02::1"', '"::ffff:10.0.0.4"', '"::ffff:0:0"', '"64:ff9b::a9fe:a9fe"',
  '"::10.0.0.1"', '"1:2:3:4:5:6:7::"', '"::2:3:4:5:6:7:8"', '"1::2::3"',
  '"10.0.0.01"', '"0x0a.0.0.1"', '"167772161"', '"10.0.0.1 "', '"10.0.0.1\\n"',
  '"10.0.0.1;show info"', '"10.0.0.1\\u0000"', '"localhost"', '""', "10",
  '"web1.example"', '"Web1.Example"', '"web1.example."', '"a b.example"',
  '"web1;show info"', '"web1\\n"', '"-a.example"', '"a..b"', '"0x7f.1"',
  "null", "[]", "{}", "true",
}
local PORTS = {
  "80", "8080", "1", "65535", "0", "-1", "65536", "80.5", "8e1", "1e400", "NaN",
  "0x50", '"80"', '"80 "', '"080"', '"0x50"', '"80;"', '"80\\n"', '"1e3"', '""',
  "null", "true", "[80]", "9223372036854775808", "-0", "4294967376",
}
local WEIGHTS = {
  "0", "1", "128", "256", "257", "-1", "1e9", "0.5", '"1"', '"1%"', "null",
  "true", "[]", "1e400", "1;", '"100%;show info"',
}
local NAMES = {
  '"i-1"', '""', "7", "null", "[]", '"a;b"', '"a\\nb"', '"\\u001b[31m"',
  '"\xff\xfe"', '"\\ud800"', '"' .. ("n"):rep(256) .. '"', '"a/b"', '"%s%n"',
}
local LABELS = {
  "null", "[]", "{}", '{"az":"a"}', '{"az":1e400}', '{"az":[1]}', '{"":""}',
  '{"az":"' .. ("x"):rep(256) .. '"}', '["az"]', '{"\\u0000":"\\n"}', "7",
}
local OPTIONS = {
  '"backup"', '"backup"', '"maxconn 5"', '"maxconn 1000000 backup"',
  '"weight 50"', '"weight 0"', '"weight 257"', '"maxconn 0"', '"maxconn -1"',
  '"maxconn 5;show info"', '"maxconn 5\\nshow info"', '"weight 1e3"', '""',
  '"maxconn 99999999999999999999"', '"id 12 backup"', '"disabled"',
  '"check port 22"', '"; disable server web/s1"', "null", "[]", "{}", "7",
  '"' .. ("backup "):rep(40) .. '"', '"weight"', '"maxconn maxconn 3"',
}
local BOOLEANS = {"true", "false", "null", '"false"', "0"}
local STATUSES = {'"ALIVE"', '"DEAD"', '"STOPPING"', "null", "1", '"alive"'}
local BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ" ..
  "abcdefghijklmnopqrstuvwxyz0123456789-_"

local function read_corpus()
  local texts = {}
  for _, file in ipairs({"accepted", "refused"}) do
    local opened = assert(io.open("tests/data/instance/" .. file .. ".json"))
    for _, one in ipairs(assert(cjson.decode(opened:read("a")))) do
      texts[#texts + 1] = one.data
    end
    opened:close()
  end
  return texts
end

local corpus = read_corpus()

-- Half of the hosts and ports are good, so that some of the rest comes to bear.
local function fields()
  local host = string.format('"10.0.0.%d"', math.random(1, 20))
  local parts = {
    '"host":' .. (mutate.once_in(2) and host or mutate.pick(HOSTS)),
    '"port":' .. (mutate.once_in(2) and "80" or mutate.pick(PORTS)),
  }
  if mutate.once_in(2) then
    table.insert(parts, math.random(3), '"weight":' .. mutate.pick(WEIGHTS))
  end
  if mutate.once_in(2) then
    table.insert(parts, math.random(3), '"name":' .. mutate.pick(NAMES))
  end
  if mutate.once_in(2) then
    table.insert(parts, math.random(3), '"haproxy_server_options":' ..
      mutate.pick(OPTIONS))
  end
  if mutate.once_in(10) then
    table.insert(parts, '"host":' .. mutate.pick(HOSTS))
  end
  if mutate.once_in(3) then
    table.insert(parts, '"labels":' .. mutate.pick(LABELS))
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

-- What the other programs write.
local FAMILIES = {
  function(text)
    return '{"available":' .. mutate.pick(BOOLEANS) .. "," .. text:sub(2)
  end,
  function(text)
    return '{"serviceEndpoint":' .. text .. ',"status":' ..
      mutate.pick(STATUSES) .. ',"shard":' .. mutate.pick(WEIGHTS) .. "}"
  end,
  function(text)
    return '{"enabled":' .. mutate.pick(BOOLEANS) .. ',"id":' ..
      mutate.pick(NAMES) .. ',"sslPort":' .. mutate.pick(PORTS) .. "," ..
      text:sub(2):gsub('"host"', '"address"')
  end,
}

local function long()
  local length = 65536 + math.random(-2, 2)
  local text = '{"host":"10.0.0.1","port":80,"name":"'
  return text .. ("x"):rep(length - #text - 2) .. '"}'
end

--- Returns the data of a znode.
function znodes.data()
  local kind = math.random(100)
  if kind <= 30 then
    return fields()
  elseif kind <= 50 then
    return (mutate.pick(FAMILIES)(fields()))
  elseif kind <= 75 then
    return mutate.text(mutate.pick(corpus))
  elseif kind <= 88 then
    return mutate.json(5)
  elseif kind <= 93 then
    return mutate.bytes(math.random(0, 60))
  elseif kind <= 99 then
    local depth = math.random(1, 40)
    return '{"host":"10.0.0.1","port":80,"labels":' .. ("["):rep(depth) ..
      ("]"):rep(depth) .. "}"
  end
  return long()
end

local function base64(bytes)
  local digits = {}
  for i = 1, #bytes, 3 do
    local a, b, c = bytes:byte(i, i + 2)
    local bits = a << 16 | (b or 0) << 8 | (c or 0)
    for j = 1, 4 do
      local digit = bits >> 24 - 6 * j & 63
      local is_padding = j == 3 and not b or j == 4 and not c
      digits[#digits + 1] = is_padding and "=" or
        BASE64:sub(digit + 1, digit + 1)
    end
  end
  return table.concat(digits)
end

local function encoded_name()
  local text = base64(znodes.data())
  local length = mutate.pick({#text, #text, #text, #text - 1, #text + 4, 0})
  local name = string.format("base64_%d_%s_%010d", length, text,
    math.random(0, 99))
  return mutate.once_in(3) and mutate.text(name) or name
end

--- Returns the name of a znode.
function znodes.name()
  local kind = math.random(10)
  if kind <= 4 then
    return encoded_name()
  elseif kind <= 7 then
    return string.format("%s_%010d", mutate.pick({"i-1", "", "a b", "a;b",
      "\27[31m", "a\nb", "\xff", "a/b", "a%d%s"}), math.random(0, 99))
  elseif kind == 8 then
    return mutate.bytes(math.random(1, 40))
  end
  return mutate.text("i-1_0000000007")
end

return znodes
