--- Reads where the frontend of a service listens.
--
-- Pure.
--
-- @module synapse.config.bind

local cjson = require("cjson.safe")
local value = require("synapse.config.value")

local bind = {}

--- Where a frontend listens.
-- @table bind
-- @tfield string address
-- @tfield ?string port    or a range of ports; nil: the address says it all
-- @tfield ?string options more words of the line
-- @tfield string text     the address as the line has it
-- @tfield string place    in the configuration

local function is_range(text)
  local low, high = text:match("^(%d+)%-(%d+)$")
  low = tonumber(low or text:match("^%d+$"))
  high = tonumber(high) or low
  return low ~= nil and low >= 1 and low <= high and high <= 65535
end

local function read_port(report, port, place)
  local number = type(port) == "number" and math.tointeger(port)
  local text = number and tostring(number) or port
  if type(text) ~= "string" or not is_range(text) then
    value.wrong(report, place, "%s is not a port (1 to 65535)",
      value.shown(port))
    return nil
  end
  return text
end

--- Completes a listener by its `text`. HAProxy listens on one address of a
-- name. Debian's /etc/hosts names localhost twice, so that it listened on [::1]
-- alone and refused 127.0.0.1.
-- @tparam table listener
-- @treturn bind
function bind.new(listener)
  local address =
    (listener.address or ""):gsub("^localhost%f[:%z]", "127.0.0.1")
  listener.text = listener.port and address .. ":" .. listener.port or address
  return listener
end

--- Returns the line of haproxy.cfg.
-- @tparam bind one
-- @tparam ?string words that come before its options
-- @treturn line
function bind.line(one, words)
  local parts = {"bind", one.text}
  parts[#parts + 1] = words
  parts[#parts + 1] = one.options ~= "" and one.options or nil
  return {text = table.concat(parts, " "), place = one.place}
end

--- Reads the keys of a section.
-- @tparam report report
-- @tparam table object  the section, without nulls
-- @param port    its port; null and nil are not the same
-- @tparam string place
-- @tparam string address to listen on where the section has none
-- @treturn ?bind nil where there is no port: no frontend
function bind.read(report, object, port, place, address)
  local listener = {place = place .. ".port"}
  if port ~= cjson.null and port ~= nil then
    listener.port = read_port(report, port, listener.place)
  end
  if object.bind_address ~= nil then
    address = value.string(report, object.bind_address,
      place .. ".bind_address", "^%S+$", "an address to listen on")
  end
  if object.bind_options ~= nil then
    listener.options = value.string(report, object.bind_options,
      place .. ".bind_options", "^[^\r\n]*$", "the words of a `bind` line")
  end
  listener.address = address
  return port ~= nil and bind.new(listener) or nil
end

return bind
