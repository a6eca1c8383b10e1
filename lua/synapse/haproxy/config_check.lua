--- Says what in HAProxy's configuration keeps the agent from working.
--
-- Pure.
--
-- @module synapse.haproxy.config_check

local config_text = require("synapse.haproxy.config_text")

local config_check = {}

local LINE =
  "`server-template s 1-16 slot.invalid:1 init-addr last,127.0.0.1 disabled`"

local BACKUP_LINE = LINE:gsub(" s 1", " b 1"):gsub("disabled", "backup %0")

-- The addresses that mark a slot, see `synapse.haproxy.runtime`.
local NAMED, LITERAL = "slot.invalid:1", "127.0.0.1:1"
local SLOT = {[NAMED] = true, [LITERAL] = true, ["240.0.0.1:1"] = true}
local INIT_ADDR = "last,127.0.0.1"

--- A server line of a backend that declares slots.
-- @table slots_line
-- @tfield line line
-- @tfield {string,...} options its words, after those of `default-server`
-- @tfield string address

local ADDRESS_AT = {server = 3, ["server-template"] = 4}

local function append(words, line, first)
  table.move(line.words, first, #line.words, #words + 1, words)
end

-- The `default-server` lines that a section inherits.
local function inherited(section)
  local words = {}
  for _, line in ipairs(section.defaults and section.defaults.lines or {}) do
    if line.words[1] == "default-server" then
      append(words, line, 2)
    end
  end
  return words
end

-- Lists the lines with slots.
local function slots_of(section)
  local lines, options = {}, inherited(section)
  for _, line in ipairs(section.lines) do
    local keyword = line.words[1]
    local address = ADDRESS_AT[keyword]
    if keyword == "default-server" then
      append(options, line, 2)
    elseif address and SLOT[line.words[address]] then
      local all = table.move(options, 1, #options, 1, {})
      append(all, line, address + 1)
      lines[#lines + 1] =
        {line = line, options = all, address = line.words[address]}
    end
  end
  return lines
end

-- Returns which of two opposite options counts: the one named last.
local function last_of(options, on, off)
  local holds
  for _, word in ipairs(options) do
    if word == on or word == off then
      holds = word == on
    end
  end
  return holds
end

-- Returns the last value of an option.
local function value_of(options, name)
  local value
  for i, word in ipairs(options) do
    value = word == name and options[i + 1] or value
  end
  return value
end

-- Options that no slot may have.
local REFUSED = {
  {
    holds = function(slots)
      return last_of(slots.options, "agent-check", "no-agent-check")
    end,
    why = "`agent-check` takes slots in and out of traffic by itself, also " ..
      "empty ones, and undoes what ZooKeeper says; remove it",
  },
  {
    holds = function(slots)
      return slots.address == NAMED and
        value_of(slots.options, "init-addr") ~= INIT_ADDR
    end,
    why = "a slot at `" .. NAMED .. "` has no address without `init-addr " ..
      INIT_ADDR .. "`; write that",
  },
  {
    holds = function(slots)
      return slots.address == NAMED and value_of(slots.options, "resolvers")
    end,
    why = "`resolvers` would have HAProxy ask DNS for `" .. NAMED .. "`; " ..
      "remove it, or write `240.0.0.1:1`, which makes slots for host names",
  },
}

local function slot_problems(place, section)
  local problems = {}
  for _, slots in ipairs(slots_of(section)) do
    for _, rule in ipairs(REFUSED) do
      if slots.line.sure and rule.holds(slots) then
        problems[#problems + 1] = string.format("%s: %s: %s", place,
          slots.line.place, rule.why)
      end
    end
  end
  return problems
end

-- Finds the line by which an option is on: the last of a section that names it,
-- or of the defaults that it inherits.
local function find_option(section, option)
  for i = #section.lines, 1, -1 do
    local line = section.lines[i]
    local text = table.concat(line.words, " ")
    if text == "option " .. option then
      return line
    elseif text == "no option " .. option then
      return nil
    end
  end
  return section.defaults and find_option(section.defaults, option)
end

local function find_backend(sections, name)
  for _, section in ipairs(sections) do
    if (section.kind == "backend" or section.kind == "listen") and
      section.name == name
    then
      return section
    end
  end
end

--- Describes a backend by the text.
-- @tparam {section,...} sections
-- @tparam string name
-- @treturn table see `config_check.backend_problem`, with its `section`
-- @treturn[2] nil when there is no such backend
function config_check.backend(sections, name)
  local section = find_backend(sections, name)
  if not section then
    return nil
  end
  local lines, backups, is_disabled = slots_of(section), 0, true
  for _, line in ipairs(lines) do
    is_disabled = is_disabled and
      last_of(line.options, "disabled", "enabled") == true
    backups = backups +
      (last_of(line.options, "backup", "no-backup") and 1 or 0)
  end
  return {
    slots = #lines, backups = backups, is_disabled = is_disabled,
    -- Whether HAProxy uses all backups at once.
    all_backups = find_option(section, "allbackups") ~= nil, section = section,
  }
end

--- Tells whether HAProxy checks the servers of a backend.
-- @tparam {section,...} sections
-- @tparam string name
-- @treturn boolean
function config_check.is_checked(sections, name)
  local section = find_backend(sections, name)
  for _, slots in ipairs(section and slots_of(section) or {}) do
    if last_of(slots.options, "check", "no-check") then
      return true
    end
  end
  return false
end

-- Instances that are not preferred are HAProxy's backups.
local function prefer_problem(service, backend, place)
  if not service.prefer or #service.prefer == 0 then
    return nil
  elseif backend.backups == 0 then
    return place .. " has no slots for backups, which `prefer` needs; add a " ..
      "line " .. BACKUP_LINE
  elseif backend.all_backups == false then
    return place .. " has no line `option allbackups`, which `prefer` needs:" ..
      " without it HAProxy sends everything to one backup"
  end
  return nil
end

--- Says why a service cannot fill its backend.
-- @tparam service service of the configuration
-- @tparam ?table backend `slots`: how many slots it has, or lines with slots,
--   and `backups` of them; `is_disabled`: whether they are out of traffic, and
--   `all_backups`: whether all backups are used, nil if that is not known; nil:
--   there is no backend
-- @treturn ?string nil when it can
function config_check.backend_problem(service, backend)
  local place = "services." .. service.name .. ": backend " .. service.backend
  if not backend then
    return place .. " is not in HAProxy's configuration; add it, with a line "
      .. LINE
  elseif backend.slots == 0 then
    return place .. " has no slots; add a line " .. LINE
  elseif backend.is_disabled == false then
    return place .. ": its slots are not `disabled`; their line is to be like "
      .. LINE
  end
  return prefer_problem(service, backend, place)
end

local STATIC = {
  ["static-rr"] = true, source = true, uri = true, url_param = true,
  hdr = true, ["rdp-cookie"] = true, hash = true,
}

--- Returns the line that makes a backend keep the weights it begins with: a
-- static algorithm takes only 0 and the first weight.
-- @tparam section section
-- @treturn ?line
function config_check.static_balance(section)
  local balance = config_text.find(section, "balance")
  local algorithm = balance and (balance.words[2] or ""):match("^[%w_-]+")
  local hash = config_text.find(section, "hash-type")
  if not STATIC[algorithm] or algorithm ~= "static-rr" and hash and
    hash.words[2] == "consistent"
  then
    return nil
  end
  return balance
end

--- Tells whether a backend sends any client's request over a connection that
-- another client's request made.
-- @tparam section section
-- @treturn boolean
function config_check.shares_connections(section)
  local reuse = config_text.find(section, "http-reuse")
  local how = reuse and reuse.words[2]
  return how == "aggressive" or how == "always"
end

local function each_line(sections, kind, visit)
  for _, section in ipairs(sections) do
    if not kind or section.kind == kind then
      for _, line in ipairs(section.lines) do
        visit(line, section)
      end
    end
  end
end

-- Returns the first line of `global` for which a function is true.
local function find_global(sections, matches)
  local first
  each_line(sections, "global", function(line)
    first = first or matches(line.words) and line or nil
  end)
  return first
end

local function has_word(words, first, second)
  for i = 1, #words do
    if words[i] == first and (not second or words[i + 1] == second) then
      return true
    end
  end
  return false
end

local function check_socket(sections, admin, errors)
  local socket = find_global(sections, function(words)
    return words[1] == "stats" and words[2] == "socket" and
      words[3] == admin
  end)
  local line = '`stats socket "${SYNAPSE_ADMIN}" level admin`'
  if not socket then
    errors[#errors + 1] = "global: the agent cannot change servers " ..
      "without its private socket; add " .. line .. " below lua-load"
  elseif not has_word(socket.words, "level", "admin") then
    errors[#errors + 1] = socket.place .. ": the agent's private socket has " ..
      "no right to change servers; it must be " .. line
  end
end

local function check_task_timeout(sections, errors)
  local limit = find_global(sections, function(words)
    return words[1] == "tune.lua.task-timeout" and words[2] ~= "0"
  end)
  if limit then
    errors[#errors + 1] = limit.place .. ": tune.lua.task-timeout would end " ..
      "the agent, which is a task that never ends; remove it"
  end
end

local function check_threads(sections, warnings)
  if not find_global(sections, function(words)
    return words[1] == "insecure-fork-wanted"
  end) then
    warnings[#warnings + 1] = "global: without `insecure-fork-wanted` a " ..
      "worker that is not root opens no session with ZooKeeper; add it"
  end
end

--- Tells whether all of HAProxy's own log goes to the machine's syslog.
-- @tparam {section,...} sections
-- @treturn boolean also when there is no log
function config_check.logs_to_machine(sections)
  return not find_global(sections, function(words)
    return words[1] == "log" and words[2] ~= "/dev/log"
  end)
end

-- Returns the first line that makes HAProxy start processes to check servers.
local function external_check(sections)
  local first
  each_line(sections, nil, function(line)
    first = first or (line.words[1] == "external-check" or
      line.words[1] == "option" and line.words[2] == "external-check") and
      line or nil
  end)
  return first
end

local function check_lockdown(sections, settings, verdict, problems)
  local line = settings.lockdown and external_check(sections)
  verdict.lockdown = settings.lockdown and not line
  if line then
    problems[#problems + 1] = string.format("lockdown: %s has " ..
      "external-check, whose processes it forbids; remove one of the two",
      line.place)
  end
end

-- Finds the file that `load-server-state-from-file global` reads: HAProxy takes
-- the first.
local function global_state_file(sections)
  return find_global(sections, function(words)
    return words[1] == "server-state-file"
  end)
end

--- Finds a state file of the operator's. HAProxy then reads that for all
-- backends, and not the agent's.
-- @tparam {section,...} sections
-- @tparam string ours what stands for the path of the agent's
-- @treturn ?line
function config_check.other_state_file(sections, ours)
  local file = global_state_file(sections)
  return file and file.words[2] ~= ours and file or nil
end

local function reads_ours(sections, section, from, ours)
  local file
  if from == "global" then
    file = global_state_file(sections)
  elseif from == "local" then
    file = config_text.find(section, "server-state-file-name")
  end
  return file ~= nil and file.words[2] == ours.servers
end

local function how_to_read_ours(sections, ours)
  local other = config_check.other_state_file(sections, ours.servers)
  if other then
    return "write `load-server-state-from-file local` and " ..
      '`server-state-file-name "${SYNAPSE_SERVERS}"` into the backend, ' ..
      "since the global one is that of " .. other.place
  end
  return 'write `server-state-file "${SYNAPSE_SERVERS-none}"` below ' ..
    "lua-load and `load-server-state-from-file global` into the backend"
end

-- Says which state file would fill slots wrongly. From a file that the agent
-- did not write, a slot would serve whatever was there once. And if a slot has
-- an address in its line, HAProxy restores only the port.
local function state_problem(sections, service, section, ours)
  local load = config_text.find(section, "load-server-state-from-file")
  local from = load and load.words[2]
  if not load or from == "none" then
    return nil
  elseif not reads_ours(sections, section, from, ours) then
    return string.format("%s: backend %s: `load-server-state-from-file %s` " ..
      "fills its slots from a file that is not the agent's; %s, or " ..
      "`load-server-state-from-file none`", load.place, service.backend, from,
      how_to_read_ours(sections, ours))
  end
  for _, slots in ipairs(slots_of(section)) do
    if slots.address == LITERAL then
      return string.format("%s: backend %s: its slots have an address, of " ..
        "which HAProxy restores only the port; write `slot.invalid:1 " ..
        "init-addr last,127.0.0.1` in place of `127.0.0.1:1`",
        slots.line.place, service.backend)
    end
  end
  return nil
end

-- HAProxy ignores `dispatch` where there is a `balance`.
local function dispatch_problem(service, section)
  local dispatch = config_text.find(section, "dispatch")
  if not dispatch or config_text.find(section, "balance") then
    return nil
  end
  return string.format("%s: backend %s: `dispatch` sends everything to its " ..
    "own address and nothing to a slot; remove it", dispatch.place,
    service.backend)
end

-- Such a backend has no `balance`. In it a server that was once in maintenance
-- stays down, and every slot was.
local function transparent_problem(service, section)
  local transparent = find_option(section, "transparent")
  return transparent and string.format("%s: backend %s: `option " ..
    "transparent` sends requests where they were sent before, and nothing " ..
    "to a slot; remove it", transparent.place, service.backend)
end

local function check_service(sections, service, verdict, ours)
  local backend = config_check.backend(sections,
    service.blank or service.backend)
  local errors, place = verdict.errors, "services." .. service.name
  errors[#errors + 1] = config_check.backend_problem(service, backend)
  if not backend then
    return
  end
  local problems = slot_problems(place, backend.section)
  table.move(problems, 1, #problems, #errors + 1, errors)
  errors[#errors + 1] =
    state_problem(sections, service, backend.section, ours)
  verdict.shares_connections[service.name] =
    config_check.shares_connections(backend.section)
  errors[#errors + 1] = dispatch_problem(service, backend.section)
  errors[#errors + 1] = transparent_problem(service, backend.section)
  local static = config_check.static_balance(backend.section)
  verdict.fixed_weights[service.name] = static ~= nil
  if static and service.use_nerve_weights then
    table.insert(verdict.warnings, string.format("%s: %s: `%s` takes no " ..
      "weights at run time: those of znodes are ignored, except 0, which " ..
      "drains", place, static.place, table.concat(static.words, " ")))
  end
end

local function new_verdict()
  return {errors = {}, warnings = {}, fixed_weights = {},
    shares_connections = {}}
end

--- Checks what HAProxy's configuration has for one service.
-- @tparam {section,...} sections
-- @tparam service service
-- @tparam table ours see `config_check.verdict`
-- @treturn table the same without `lockdown`
function config_check.of_service(sections, service, ours)
  local verdict = new_verdict()
  check_service(sections, service, verdict, ours)
  return verdict
end

--- Checks HAProxy's configuration. If the agent has no services, it needs
-- nothing of the configuration, and nothing is an error.
-- @tparam {section,...} sections of `synapse.haproxy.config_text`
-- @tparam config settings of the agent
-- @tparam table ours `admin`: the address of the agent's private socket;
--   `servers`: what stands for the path of its state file
-- @treturn table `errors`, why the agent cannot work, and `warnings`, a
--   `{string,...}` each; `lockdown`, whether the worker may be locked down;
--   `fixed_weights`, by service: whether its backend takes no weights;
--   `shares_connections`, by service, see `config_check.shares_connections`
function config_check.verdict(sections, settings, ours)
  local verdict = new_verdict()
  local problems = settings.services[1] and verdict.errors or verdict.warnings
  check_socket(sections, ours.admin, problems)
  check_task_timeout(sections, problems)
  check_threads(sections, verdict.warnings)
  check_lockdown(sections, settings, verdict, problems)
  for _, service in ipairs(settings.services) do
    check_service(sections, service, verdict, ours)
  end
  return verdict
end

return config_check
