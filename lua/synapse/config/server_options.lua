--- Reads `server_options`, the words of every server of a service.
--
-- They were written for servers that were made when their instance was known.
-- A slot is made before, so what names the instance is left out where HAProxy
-- does the same without, and refused where it does not.
--
-- Pure.
--
-- @module synapse.config.server_options

local value = require("synapse.config.value")

local server_options = {}

-- HAProxy drops the words of a command beyond the 64th without a message.
local MAX_WORDS = 48

-- The keywords of `add server`, by how many values follow. Left out are `id`,
-- `guid`, `addr` and `proto`, which would be wrong for a slot, or are broken
-- there.
local VALUES = {}

local function keywords(values, words)
  for word in words:gmatch("%S+") do
    VALUES[word] = values
  end
end

keywords(0, [[agent-check allow-0rtt backup check check-send-proxy check-ssl
  check-via-socks4 force-sslv3 force-tlsv10 force-tlsv11 force-tlsv12
  force-tlsv13 no-backup no-send-proxy no-send-proxy-v2 no-ssl-reuse no-sslv3
  no-tfo no-tls-tickets no-tlsv10 no-tlsv11 no-tlsv12 no-tlsv13 send-proxy
  send-proxy-v2 send-proxy-v2-ssl send-proxy-v2-ssl-cn ssl tfo tls-tickets
  disabled]])
keywords(1, [[agent-addr agent-inter agent-port agent-send alpn ca-file
  check-alpn check-proto check-sni ciphers ciphersuites crl-file crt downinter
  error-limit fall fastinter inter maxconn maxqueue minconn npn observe on-error
  on-marked-down on-marked-up pool-low-conn pool-max-conn pool-purge-delay port
  proxy-v2-options rise slowstart sni source ssl-max-ver ssl-min-ver track
  usesrc verify verifyhost weight ws]])
-- An older HAProxy does not have these at all: it refuses the configuration.
keywords(0, "check-reuse-pool strict-maxconn")
keywords(1, [[check-pool-conn-name client-sigalgs curves hash-key idle-ping
  init-state pool-conn-name set-proxy-v2-tlv-fmt shard sigalgs]])

local function split(text)
  local words = {}
  for word in text:gmatch("%S+") do
    words[#words + 1] = word
  end
  return words
end

-- Returns the words by keyword, without `disabled`, which every slot is.
local function sort(words)
  local kept, operands, i = {}, {}, 1
  while words[i] do
    local word, values = words[i], VALUES[words[i]:match("^[^(]*")]
    if not values then
      return nil, "`" .. word .. "` is none of `add server`'s keywords"
    elseif not words[i + values] then
      return nil, "`" .. word .. "` has no value"
    elseif word ~= "disabled" then
      table.move(words, i, i + values, #kept + 1, kept)
      operands[word] = words[i + values]
    end
    i = i + 1 + values
  end
  return kept, operands
end

--- Reads `server_options`. HAProxy 2.6 takes fewer words for a server that is
-- added at run time than for one of the configuration, and does not apply
-- `default-server` to it. Words that it would refuse, or take for something
-- else, are found here, before anything is sent. Pure.
-- @tparam string text
-- @treturn options see `synapse.haproxy.add_server`
-- @treturn[2] nil
-- @treturn[2] string why no server can be added with them
function server_options.parse(text)
  local odd = text:match("[^%g ]") or text:match("[;\\\"'$#<%z]")
  local words = split(text)
  if odd then
    return nil, string.format("%q has a meaning of its own", odd)
  elseif #words > MAX_WORDS then
    return nil, string.format("has more than %d words", MAX_WORDS)
  end
  local kept, operands = sort(words)
  if not kept then
    return nil, operands
  end
  return {
    text = table.concat(kept, " "),
    is_tls = operands.ssl ~= nil,
    verify = operands.verify,
    has_check = operands.check ~= nil,
    has_agent = operands["agent-check"] ~= nil,
    weight = math.tointeger(tonumber(operands.weight)) or 1,
    maxconn = math.tointeger(tonumber(operands.maxconn)) or 0,
  }
end

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
  local options, why = server_options.parse(text)
  if not options then
    value.warn(report, place, "%s; no slots can be added", why)
    return {server_text = text, fixed = "server_options: " .. why}
  end
  return {server_text = text, server_options = options}
end

return server_options
