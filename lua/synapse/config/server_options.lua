--- Reads `server_options`, the words of every server of a service.
--
-- They were written for servers that were made when their instance was known.
-- A slot is made before, so what names the instance is left out where HAProxy
-- does the same without, and refused where it does not.
--
-- Pure.
--
-- @module synapse.config.server_options

local add_server = require("synapse.haproxy.add_server")
local value = require("synapse.config.value")

local server_options = {}

-- Left out with their value: a check goes to the server's own address by
-- itself, and a cookie that follows the instance is `dynamic-cookie-key`'s.
local function is_needless(word, operand)
  return word == "cookie" or word == "port" and operand == "%{port}" or
    word == "addr" and operand == "%{host}"
end

local function repair(text)
  local words, kept, i = {}, {}, 1
  for word in text:gmatch("%S+") do
    words[#words + 1] = word
  end
  while words[i] do
    if is_needless(words[i], words[i + 1]) then
      i = i + 2
    else
      kept[#kept + 1] = words[i]
      i = i + 1
    end
  end
  return table.concat(kept, " ")
end

--- Reads the value.
-- @tparam report report
-- @param one
-- @tparam string place
-- @treturn table `server_text`: the words of a slot; `server_options`: what
--   slots are added with, or nil, and then `fixed`: why none can be
function server_options.read(report, given, place)
  if given == nil then
    return {server_text = "", fixed = "server_options is not set"}
  elseif type(given) ~= "string" then
    value.wrong(report, place, "%s is not a string", value.shown(given))
    return {}
  end
  local text = repair(given)
  local unknown = text:gsub("%%%%", ""):match("%%{[^}]*}?")
  if unknown then
    value.wrong(report, place, "`%s` is not known yet when the slots are " ..
      "made; leave it out", unknown)
  end
  text = text:gsub("%%%%", "%%")
  local options, why = add_server.parse(text)
  if not options then
    value.warn(report, place, "%s; no slots can be added", why)
    return {server_text = text, fixed = "server_options: " .. why}
  end
  return {server_text = text, server_options = options}
end

return server_options
