--- Reads the HTTP request with which a backend checks its servers.
--
-- Pure.
--
-- @module synapse.http_check

local http_check = {}

--- A check.
-- @table http_check
-- @tfield string method
-- @tfield ?string uri     nil: it is made for each check
-- @tfield ?string made_of the expression that makes it
-- @tfield ?string version
-- @tfield string rest     more words of `http-check send`

-- Words of `http-check send` with a value, and the field that it is.
local FIELDS = {meth = "method", uri = "uri", ["uri-lf"] = "made_of",
  ver = "version"}

local function read_option(words)
  if #words > 5 then
    return nil, "has too many words; put headers into `http-check send hdr`"
  end
  local uri = words[4] or words[3]
  return {method = words[4] and words[3] or "OPTIONS", uri = uri or "/",
    version = words[5], rest = ""}
end

local function read_send(check, words)
  local rest, i = {}, 3
  while words[i] do
    local field = FIELDS[words[i]]
    if field then
      check[field] = words[i + 1]
      i = i + 2
    else
      rest[#rest + 1] = words[i]
      i = i + 1
    end
  end
  check.uri = not check.made_of and check.uri or nil
  check.rest = table.concat(rest, " ")
  return check
end

--- Splits a line of synapse.conf.json into its words.
-- @tparam string text
-- @treturn {string,...}
function http_check.words(text)
  local words = {}
  for word in text:gmatch("%S+") do
    words[#words + 1] = word
  end
  return words
end

--- Tells whether a line is about the request of the check.
-- @tparam {string,...} words of the line
-- @treturn ?string "option" or "send"
function http_check.part(words)
  if words[1] == "option" and words[2] == "httpchk" then
    return "option"
  end
  return words[1] == "http-check" and words[2] == "send" and "send" or nil
end

--- Reads the request.
-- @tparam {{string,...},...} lines the words of each
-- @treturn ?http_check nil: there is none
-- @treturn[2] nil
-- @treturn[2] string what is wrong
-- @treturn[2] integer with which line
function http_check.read(lines)
  local check, sent
  for i, words in ipairs(lines) do
    if http_check.part(words) == "option" then
      local why
      check, why = read_option(words)
      if why then
        return nil, why, i
      end
    elseif http_check.part(words) == "send" then
      if sent then
        return nil, "is the second one; only one request is sent", i
      end
      sent = words
    end
  end
  return check and (sent and read_send(check, sent) or check)
end

return http_check
