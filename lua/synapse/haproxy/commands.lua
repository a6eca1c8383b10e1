--- The language of the runtime API: batches of commands, and HAProxy's answers.
--
-- HAProxy 2.6 takes one buffer (16,384 bytes) of commands separated by ";". It
-- answers each with a text and an empty line, or with an empty line alone.
--
-- Pure.
--
-- @module synapse.haproxy.commands

local commands = {}

local MAX_BYTES = 12000

-- Bits of srv_admin_state (HAProxy's enum srv_admin). 0x04 says that the
-- configuration has the word `disabled`, which a slot keeps for ever.
local ADMIN_FORCED_MAINT = 0x01
local ADMIN_FORCED_DRAIN = 0x08

--- Returns an empty batch.
-- @treturn batch a list of entries, and `bytes`
function commands.batch()
  return {bytes = 0}
end

--- Returns the command that asks for the state of a backend's servers.
-- @tparam string backend
-- @tparam integer count of its servers: the answer is long, so the command
--   counts as more bytes than it has
-- @treturn command with the field "state"
function commands.query(backend, count)
  return {
    field = "state",
    text = "show servers state " .. backend,
    bytes = 60 * count,
  }
end

--- Adds commands to a batch, all or none.
-- @tparam batch batch
-- @tparam {command,...} group each with `text`
-- @tparam table owner kept with each entry: the service that gets the answer
-- @treturn boolean whether they found room; the first group always does
function commands.add(batch, group, owner)
  local bytes = 0
  for _, command in ipairs(group) do
    bytes = bytes + math.max(command.bytes or 0, #command.text + 1)
  end
  if #batch > 0 and batch.bytes + bytes > MAX_BYTES then
    return false
  end
  for _, command in ipairs(group) do
    batch[#batch + 1] = {command = command, owner = owner}
  end
  batch.bytes = batch.bytes + bytes
  return true
end

--- Returns how many bytes of commands a batch has room for.
-- @tparam batch batch
-- @treturn integer
function commands.room(batch)
  return MAX_BYTES - batch.bytes
end

--- Returns a batch as the line to send.
-- @tparam batch batch
-- @treturn string without a newline
function commands.line(batch)
  local texts = {}
  for i, entry in ipairs(batch) do
    texts[i] = entry.command.text
  end
  return table.concat(texts, ";")
end

-- The only refusal of HAProxy 2.6 without an empty line after it.
local UNENDED = "^Backend must use a dynamic load balancing"

--- Splits what HAProxy sent into one answer for each command.
-- @tparam string text
-- @treturn {string,...} answers, "" where HAProxy had nothing to say
function commands.answers(text)
  local answers, lines = {}, {}
  for line in text:gmatch("([^\n]*)\n") do
    if line ~= "" then
      lines[#lines + 1] = line
    end
    if line == "" or line:find(UNENDED) then
      answers[#answers + 1] = table.concat(lines, "\n")
      lines = {}
    end
  end
  return answers
end

-- HAProxy 2.6 says all of these. HAProxy 3.0 says nothing of what stays the
-- same.
local ADDRESSED = {
  "^IP changed from", "^no need to change the addr", "^port changed from",
  "^nothing changed",
}

--- Tells whether an answer says that a server has the address it was given.
-- @tparam string answer
-- @treturn boolean
function commands.is_addressed(answer)
  for _, pattern in ipairs(ADDRESSED) do
    if answer:find(pattern) then
      return true
    end
  end
  return false
end

-- A connection may be in use, or idle and not closed yet.
local NOT_DELETED_YET = "^Server still has connections"

--- Tells whether an answer says that a server was deleted.
-- @tparam string answer
-- @treturn boolean
function commands.is_deleted(answer)
  return answer:find("^Server deleted") ~= nil
end

--- Tells whether HAProxy did what a command says, or may do it later.
-- @tparam command command
-- @tparam string answer
-- @treturn boolean
function commands.is_done(command, answer)
  if command.field == "addr" then
    return commands.is_addressed(answer)
  elseif command.field == "fqdn" then
    return answer:find(" changed its FQDN from ", 1, true) ~= nil or
      answer:find("^no need to change the FDQN") ~= nil
  elseif command.field == "errors" then
    return true
  elseif command.field == "add" then
    return answer:find("^New server registered") ~= nil
  elseif command.field == "backend" then
    return answer:find("New backend registered.", 1, true) ~= nil
  elseif command.field == "publish" then
    return answer:find("^Backend published") ~= nil
  elseif command.field == "del" then
    return commands.is_deleted(answer) or answer:find(NOT_DELETED_YET) ~= nil
  end
  return answer == ""
end

local function admin_of(bits)
  if bits & ADMIN_FORCED_MAINT ~= 0 then
    return "maint"
  end
  return bits & ADMIN_FORCED_DRAIN ~= 0 and "drain" or "ready"
end

-- Bits of srv_check_state: a check was configured, and is enabled.
local CHECKED = 0x06
local OP_STOPPED, OP_STARTING = 0, 1

-- The results of HAProxy's own check. In maint it rests and has none.
local function check_of(operational, bits, admin)
  if bits & CHECKED ~= CHECKED then
    return "none"
  elseif admin == "maint" then
    return nil
  end
  return operational == OP_STOPPED and "fails" or "passes"
end

-- HAProxy's enum healthcheck_status, of those that fail.
local CHECK_WHY = {
  [5] = "no socket", [7] = "no connection in time",
  [8] = "connection refused or lost", [10] = "no TLS handshake in time",
  [11] = "TLS handshake failed", [12] = "no answer in time",
  [13] = "unexpected answer", [14] = "unexpected answer",
  [17] = "wrong status", [18] = "program failed",
  [19] = "program not done in time",
}

-- The same of checks that pass, or have not ended yet. If the server is down
-- all the same, a command has set it down, or it waits for more of them
-- (`rise`).
local CHECK_PASSED = {
  [0] = true, [1] = true, [6] = true, [9] = true, [15] = true, [16] = true,
  [20] = true,
}

-- be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state
-- srv_uweight srv_iweight srv_time_since_last_change srv_check_status, two
-- more, srv_check_state, three more, srv_fqdn srv_port srvrecord srv_use_ssl:
-- columns 1 to 11, 14, then 18 to 21. The time since the last change is below
-- zero if HAProxy restored the server, because two of its clocks differ.
local STATE =
  "^%d+ %S+ (%d+) (%S+) (%S+) (%d+) (%d+) (%d+) (%d+) (%-?%d+) (%d+)" ..
  (" %S+"):rep(2) .. " (%d+)" .. (" %S+"):rep(3) .. " (%S+) (%d+) %S+ (%-?%d)"

-- The name in the line of a slot, see `synapse.haproxy.runtime`.
local SLOT_NAME = "slot.invalid"

local function integer(digits)
  return math.tointeger(tonumber(digits))
end

local function state_of(line)
  local id, name, host, operational, admin, weight, initial, changed, status,
    check, fqdn, port, tls = line:match(STATE)
  if not name then
    return nil
  end
  local now, is_slot = admin_of(integer(admin)), fqdn == SLOT_NAME
  local health = check_of(integer(operational), integer(check), now)
  return name, {
    id = integer(id), host = host, port = integer(port),
    weight = integer(weight), initial = integer(initial),
    fqdn = fqdn ~= "-" and not is_slot and fqdn:lower() or nil,
    is_slot = is_slot or nil,
    warming = integer(operational) == OP_STARTING and
      math.max(0, integer(changed)) or nil,
    admin = now, is_tls = tls == "1", check = health,
    check_why = health == "fails" and CHECK_WHY[integer(status)] or nil,
    is_rising = health == "fails" and CHECK_PASSED[integer(status)] or nil,
  }
end

--- Reads the answer to `show servers state <backend>`.
-- @tparam string answer
-- @treturn {[string]=server} by the server's name; each with its `id`,
--   `is_tls` and `check` as well: "passes", "fails" and `check_why` in words,
--   "none" if there is no check, nil if it rests; `is_rising` if it fails only
--   because it has not passed often enough yet; `warming`: for how
--   many seconds, while `slowstart` lasts; `is_slot`: whether its line has the
--   name that marks a slot
-- @treturn[2] nil when it is something else
-- @treturn[2] string the line that is
function commands.states(answer)
  local head, lines = answer:match("^(1\n# be_id [^\n]*)\n?(.*)")
  if not head then
    return nil, answer
  end
  local states = {}
  for line in lines:gmatch("[^\n]+") do
    local name, state = state_of(line)
    if not name then
      return nil, line
    end
    states[name] = state
  end
  return states
end

-- The columns of the file are those of STATE, up to the last one that HAProxy
-- requires: the next one says whether a server uses TLS, which the
-- configuration decides. HAProxy uses the file's weight only if the configured
-- weight is the one that the file names; that is 0 here, so the configured
-- weight wins. Of the check there is only what is needed.
local RESTORED = "1 %s 1 %s %s 2 %d 0 0 %d 6 3 1 6 0 0 0 slot.invalid %d -"
local RESTORED_HEADING = [[1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state ]] ..
  "srv_uweight srv_iweight srv_time_since_last_change srv_check_status " ..
  "srv_check_result srv_check_health srv_check_state srv_agent_state " ..
  "bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord\n"

local ADMIN_CONFIGURED = 0x04
local ADMIN = {
  ready = ADMIN_CONFIGURED, maint = ADMIN_CONFIGURED | ADMIN_FORCED_MAINT,
  drain = ADMIN_CONFIGURED | ADMIN_FORCED_DRAIN,
}

--- Returns a file for HAProxy's `server-state-file`. HAProxy fills its slots
-- from it before it accepts a connection.
-- @tparam {{backend,slot,host,port,admin,age},...} servers `age`: seconds since
--   it came into traffic
-- @treturn string
function commands.state_file(servers)
  local lines = {}
  for i, server in ipairs(servers) do
    lines[i] = string.format(RESTORED, server.backend, server.slot, server.host,
      ADMIN[server.admin], server.age, server.port)
  end
  return RESTORED_HEADING .. table.concat(lines, "\n") .. "\n"
end

return commands
