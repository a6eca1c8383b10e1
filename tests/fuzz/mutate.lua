--- Random texts, and texts that are nearly right.
local mutate = {}

-- What parts, ends, quotes or formats in some language on the way.
local TOKENS = {
  ";", "\n", "\r\n", "\0", " ", "/", "\\", '"', "'", "#", "\t", "<<\n", "%s%n",
  "\\u0000", "\\n", "\\ud800", "\27[31m", "\xff", "\xc3", "\u{202e}", "\127",
  "NaN", "-Infinity", "1e400", "-0", "0x10", "-1", "65536", "1e9",
  "9223372036854775808", "null", "true", "[", "]", "{", "}", ",", ":", "{}",
  "[]", '""', '"host":', '"port":80,', "; set server web/s1 state maint; ",
  "\nshow info\n", ("["):rep(40), ("x"):rep(300), "base64_", "_0000000001",
}

--- Returns one of a list, or nil when it is empty.
function mutate.pick(list)
  return #list > 0 and list[math.random(#list)] or nil
end

--- Tells true once in so many times.
function mutate.once_in(times)
  return math.random(times) == 1
end

--- Returns random bytes.
function mutate.bytes(length)
  local bytes = {}
  for i = 1, length do
    bytes[i] = string.char(math.random(0, 255))
  end
  return table.concat(bytes)
end

local function replace(text, first, last, new)
  return text:sub(1, first - 1) .. new .. text:sub(last + 1)
end

local CHANGES = {
  function(text, at)
    return replace(text, at, at, string.char(math.random(0, 255)))
  end,
  function(text, at)
    return replace(text, at, at - 1, mutate.pick(TOKENS))
  end,
  function(text, at)
    return replace(text, at, at, mutate.pick(TOKENS))
  end,
  function(text, at)
    return replace(text, at, at + math.random(0, 8), "")
  end,
  function(text, at)
    local part = text:sub(at, at + math.random(0, 30))
    return replace(text, at, at - 1, part)
  end,
  function(text, at)
    return text:sub(1, at)
  end,
  function(text)
    local first = text:find("%d")
    return first and replace(text, first, first, mutate.pick(TOKENS)) or text
  end,
}

--- Returns a text after some random changes.
function mutate.text(text)
  for _ = 1, math.random(4) do
    text = mutate.pick(CHANGES)(text, math.random(#text + 1))
  end
  return text
end

--- Returns a random JSON value, as text.
function mutate.json(depth)
  local kind = math.random(depth > 0 and 7 or 5)
  if kind <= 3 then
    return mutate.pick({"null", "true", "false", "0", "-1", "80", "65536",
      "1e9", "1e400", "0.5", '""', '"a"', '"10.0.0.1"', '"80 "',
      "9223372036854775808", '"\\u0000"', '";\\n"', '"\\ud800"'})
  elseif kind == 4 then
    return '"' .. mutate.text("10.0.0.1:80") .. '"'
  elseif kind == 5 then
    return tostring(math.random(-70000, 70000))
  end
  local parts = {}
  for i = 1, math.random(0, 4) do
    local key = mutate.pick({"host", "port", "name", "weight", "a", ""})
    parts[i] = (kind == 7 and '"' .. key .. '":' or "") ..
      mutate.json(depth - 1)
  end
  local list = table.concat(parts, ",")
  return kind == 7 and "{" .. list .. "}" or "[" .. list .. "]"
end

-- Values of a parsed document that lead from one place to another.
local function places(value, found)
  for key, member in pairs(value) do
    found[#found + 1] = {value, key}
    if type(member) == "table" then
      places(member, found)
    end
  end
  return found
end

local function by_name(a, b)
  return tostring(a[2]) .. tostring(a[1][a[2]]) <
    tostring(b[2]) .. tostring(b[1][b[2]])
end

--- Puts other values at some places of a document.
-- @tparam table document is changed
-- @tparam function decode turns JSON into a value
function mutate.document(document, decode)
  for _ = 1, math.random(3) do
    local found = places(document, {})
    if #found > 0 then
      table.sort(found, by_name)
      local place = mutate.pick(found)
      local value = decode("[" .. mutate.json(3) .. "]")
      place[1][place[2]] = value and value[1]
    end
  end
end

return mutate
