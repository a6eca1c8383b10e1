--- Adds backends while HAProxy runs, each with the name of its service.
--
-- HAProxy makes such a backend of a `defaults` section, which has the lines of
-- the blank backends of a kind; its slots are those of a blank one. It stays
-- until HAProxy reloads, and a service that comes back gets it again. For
-- HAProxy 3.4.0 may crash if a backend is deleted while `show servers state`
-- lists it.
--
-- @module synapse.haproxy.add_backend

local add_server = require("synapse.haproxy.add_server")
local commands = require("synapse.haproxy.commands")

local add_backend = {}
add_backend.__index = add_backend

-- Seconds after which no answer is awaited any more.
local LOST = 10

-- HAProxy allows these in a name, and no command can be hidden among them.
local NAME = "^[%w_.:-]+$"

--- Returns what has added no backend yet.
-- @tparam table deps
--   `can`: whether HAProxy adds backends, see `synapse.haproxy.version`;
--   `send(line)`: gives a line to HAProxy and returns a request number, or nil
--   and why; `added(backend)`: called when there is one more; `now()`; `log`
-- @treturn add_backend
function add_backend.new(deps)
  return setmetatable({
    deps = deps,
    backends = {}, -- by name: {name,service,kind,state,batches,...}
    asked = {},    -- the same by request
    numbers = {},  -- how many there are of each kind
  }, add_backend)
end

-- Lists the commands. Requests find the backend when it has all of its slots.
local function list_commands(name, kind, options)
  local list = {{field = "mode", text = "experimental-mode on"},
    {field = "backend",
      text = "add backend " .. name .. " from " .. kind.template}}
  for id = 1, kind.slots do
    table.move(add_server.commands({backend = name, slot = "s" .. id, id = id,
      options = options, keeps_idle = true}), 1, 4, #list + 1, list)
  end
  list[#list + 1] = {field = "publish", text = "publish backend " .. name}
  return list
end

-- Each command must fit into a batch that HAProxy takes.
local function batches_of(list)
  local batches = {commands.batch()}
  for _, command in ipairs(list) do
    if not commands.add(batches[#batches], {command}) then
      batches[#batches + 1] = commands.batch()
      commands.add(batches[#batches], {command})
    end
  end
  return batches
end

local function fail(self, one, why)
  one.state, one.batches, one.batch = "failed", nil, nil
  self.deps.log:error("%s: has a blank backend, because HAProxy did not add " ..
    "one of its own name: %s", one.service, why)
end

local function send_next(self, one)
  local batch = table.remove(one.batches, 1)
  local request, why = self.deps.send(commands.line(batch))
  if not request then
    return fail(self, one, why)
  end
  one.batch, one.since = batch, self.deps.now()
  self.asked[request] = one
end

local function begin(self, config, kind)
  local one = {name = config.backend, service = config.name, kind = kind,
    state = "asked", batches = batches_of(list_commands(config.backend, kind,
      config.server_options))}
  self.backends[one.name] = one
  self.numbers[kind] = (self.numbers[kind] or 0) + 1
  send_next(self, one)
  return one
end

-- Those of services that have left count too: they still take memory.
local function may_begin(self, config, kind)
  return self.deps.can and kind.template and config.server_options and
    config.backend:find(NAME) and
    (self.numbers[kind] or 0) < #kind.backends
end

--- Tells whether a service has a backend of its own name, and asks HAProxy for
-- it at the first call.
-- @tparam service config
-- @tparam blank_kind kind see `synapse.haproxy.blank`
-- @treturn string "there", "asked", or "failed": it gets none
function add_backend:state_of(config, kind)
  local one = self.backends[config.backend]
  if not one and may_begin(self, config, kind) then
    one = begin(self, config, kind)
  elseif not one or one.service ~= config.name or one.kind ~= kind then
    return "failed"
  end
  if one.state == "asked" and self.deps.now() - one.since > LOST then
    fail(self, one, "no answer")
  end
  return one.state
end

-- Returns the first command that HAProxy did not carry out, and its answer.
local function find_refusal(batch, answers)
  for i, entry in ipairs(batch) do
    if not answers[i] or not commands.is_done(entry.command, answers[i]) then
      return entry.command.text, answers[i] or "no answer"
    end
  end
  return nil
end

--- Takes an `answer` event, if it is for us.
-- @tparam table event
function add_backend:take_answer(event)
  local one = self.asked[event.request]
  self.asked[event.request or false] = nil
  if not one or one.state ~= "asked" then
    return
  elseif event.error then
    return fail(self, one, event.error)
  end
  local text, answer = find_refusal(one.batch, commands.answers(event.data))
  if text then
    fail(self, one, "`" .. text .. "`: " .. answer)
  elseif one.batches[1] then
    send_next(self, one)
  else
    one.state, one.batches, one.batch = "there", nil, nil
    self.deps.added(one.name)
  end
end

return add_backend
