--- Drives a client of the zookeeper module from a plain program.
--
-- @module drive

local zookeeper = require("zookeeper")

local drive = {}

local PATIENCE = 20 * (tonumber(os.getenv("TEST_TIMEOUT") or "") or 1)

--- Polls until an event is the one sought; others are passed to `other`.
-- @tparam client client
-- @tparam function sought gets an event, says whether it is the one
-- @tparam ?function other
-- @treturn table the event
function drive.until_event(client, sought, other)
  local deadline = zookeeper.now() + PATIENCE
  while zookeeper.now() < deadline do
    local event = client:wait(200) and client:poll()
    if event and sought(event) then
      return event
    elseif event and other then
      other(event)
    end
  end
  error("the event did not come", 2)
end

--- Waits for a state of a session.
-- @tparam client client
-- @tparam string state
-- @tparam ?function other
-- @treturn table the event
function drive.until_state(client, state, other)
  return drive.until_event(client, function(event)
    return event.type == "session" and event.state == state
  end, other)
end

--- Waits for the reply to a request.
-- @tparam client client
-- @tparam ?integer request
-- @tparam ?string why it was refused
-- @treturn table the event
function drive.reply(client, request, why)
  assert(request, why)
  return drive.until_event(client, function(event)
    return event.type == "reply" and event.request == request
  end)
end

--- Opens a session and waits until it is connected.
-- @tparam client client
-- @tparam string hosts
-- @tparam ?number timeout
-- @treturn session
-- @treturn table the event
function drive.open(client, hosts, timeout)
  local session = assert(client:open{hosts = hosts, timeout = timeout})
  return session, drive.until_state(client, "connected")
end

return drive
