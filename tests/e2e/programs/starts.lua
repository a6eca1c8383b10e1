--- A service inside HAProxy that tries to start processes, and says from which
-- thread it did and what came of it.
local function thread()
  local file = io.open("/proc/thread-self/stat")
  local number = file:read("n")
  file:close()
  return number
end

local function popen()
  local pipe, why = io.popen("echo started")
  if not pipe then
    return why
  end
  local line = pipe:read("l")
  pipe:close()
  return line or "nothing"
end

core.register_service("starts", "http", function(applet)
  local _, _, status = os.execute("exit 3")
  local answer = string.format("%d;os.execute %s;io.popen %s", thread(),
    status, popen())
  applet:set_status(200)
  applet:add_header("content-length", #answer)
  applet:start_response()
  applet:send(answer)
end)
