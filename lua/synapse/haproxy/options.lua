--- Reads `server_options`, the words of a server that is added at run time.
--
-- HAProxy 2.6 takes fewer words for such a server than for one of the
-- configuration, and does not apply `default-server` to it. Words that it would
-- refuse, or take for something else, are found here, before anything is sent.
--
-- Pure.
--
-- @module synapse.haproxy.options

local options = {}

-- HAProxy drops the words of a command beyond the 64th without a message.
local MAX_WORDS = 48

-- The keywords of `add server`, by how many values follow. Left out are `id`,
-- `addr` and `proto`, which would be wrong for a slot, or are broken there.
local VALUES = {}

local function keywords(values, words)
  for word in words:gmatch("%S+") do
    VALUES[word] = values
  end
end

keywords(0, [[agent-check allow-0rtt backup check check-send-proxy check-ssl
  check-via-socks4 force-sslv3 force-tlsv10 force-tlsv11 force-tlsv12
  force-tlsv13 no-backup no-send-proxy no-send-proxy-v2
  no-send-proxy-v2-ssl no-send-proxy-v2-ssl-cn no-ssl-reuse no-sslv3 no-tfo
  no-tls-tickets no-tlsv10 no-tlsv11 no-tlsv12 no-tlsv13 send-proxy
  send-proxy-v2 send-proxy-v2-ssl send-proxy-v2-ssl-cn ssl tfo tls-tickets
  disabled]])
keywords(1, [[agent-addr agent-inter agent-port agent-send alpn ca-file
  check-alpn check-proto check-sni ciphers ciphersuites crl-file crt downinter
  error-limit fall fastinter inter maxconn maxqueue minconn npn observe on-error
  on-marked-down on-marked-up pool-low-conn pool-max-conn pool-purge-delay port
  proxy-v2-options rise slowstart sni source ssl-max-ver ssl-min-ver track
  usesrc verify verifyhost weight ws]])

--- What a slot that grows is made with.
-- @table options
-- @tfield string text     as it is sent
-- @tfield boolean is_tls  whether it speaks TLS
-- @tfield ?string verify  "none" or "required", nil where it is not said
-- @tfield boolean has_check whether `enable health` has to follow
-- @tfield boolean has_agent whether `enable agent` has to follow
-- @tfield integer weight
-- @tfield integer maxconn 0: no limit

local function split(text)
  local words = {}
  for word in text:gmatch("%S+") do
    words[#words + 1] = word
  end
  return words
end

-- Returns the words by keyword, without `disabled`, which every slot is.
local function sort(words)
  local kept, found, i = {}, {}, 1
  while words[i] do
    local word, values = words[i], VALUES[words[i]]
    if not values then
      return nil, "`" .. word .. "` is none of `add server`'s keywords"
    elseif not words[i + values] then
      return nil, "`" .. word .. "` has no value"
    elseif word ~= "disabled" then
      table.move(words, i, i + values, #kept + 1, kept)
      found[word] = words[i + values]
    end
    i = i + 1 + values
  end
  return kept, found
end

--- Reads the words.
-- @tparam string text
-- @treturn options
-- @treturn[2] nil
-- @treturn[2] string why no server can be added with them
function options.parse(text)
  local odd = text:match("[^%g ]") or text:match("[;\\\"'$#<%z]")
  local words = split(text)
  if odd then
    return nil, string.format("%q has a meaning of its own", odd)
  elseif #words > MAX_WORDS then
    return nil, string.format("has more than %d words", MAX_WORDS)
  end
  local kept, found = sort(words)
  if not kept then
    return nil, found
  end
  return {
    text = table.concat(kept, " "),
    is_tls = found.ssl ~= nil,
    verify = found.verify,
    has_check = found.check ~= nil,
    has_agent = found["agent-check"] ~= nil,
    weight = math.tointeger(tonumber(found.weight)) or 1,
    maxconn = math.tointeger(tonumber(found.maxconn)) or 0,
  }
end

return options
