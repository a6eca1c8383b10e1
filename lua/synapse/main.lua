--- The agent's life inside HAProxy.
--
-- HAProxy has three stages, and rules what may happen in each: *load* (also in
-- `haproxy -c` and in the master: no thread, no session), *init* (servers
-- exist, nothing is served yet) and the *tasks* (in the worker, after fork,
-- chroot and the change of user).
--
-- @module synapse.main

local add_backend = require("synapse.haproxy.add_backend")
local agent = require("synapse.agent")
local cli = require("synapse.status.cli")
local commands = require("synapse.haproxy.commands")
local blank = require("synapse.haproxy.blank")
local config = require("synapse.config.init")
local config_check = require("synapse.haproxy.config_check")
local config_text = require("synapse.haproxy.config_text")
local disk = require("synapse.config.disk")
local found = require("synapse.found")
local http = require("synapse.status.http")
local live = require("synapse.config.live")
local logger = require("synapse.log")
local lookup = require("synapse.zookeeper.lookup")
local plural = require("synapse.plural")
local runtime = require("synapse.haproxy.runtime")
local snapshot = require("synapse.snapshot.format")
local snapshot_file = require("synapse.snapshot.file")
local stat = require("posix.sys.stat")
local spare = require("synapse.spare")
local stats_sockets = require("synapse.haproxy.stats_sockets")
local unistd = require("posix.unistd")
local zookeeper = require("synapse.c_module")

local main = {}

local SUPERVISE_EVERY = 250
local LOOK_EVERY = 250
-- Seconds of reading between two pauses: a thousand services take 0.3 s.
local READ_SLICE = 0.001
local STUCK_AFTER = 10
local LONG_BLOCK = 0.05

local log = logger.new({write = runtime.log, now = zookeeper.now})

-- Keeps the passwords, because the worker may not be able to read their files.
local function read_config(path, secrets)
  local edges = {}
  for name, edge in pairs(config.EDGES) do
    edges[name] = edge
  end
  edges.secret = function(file)
    local text, why = config.read_file(file)
    secrets[file] = text
    return text, why
  end
  local settings, notes = config.read(path, edges)
  if not settings then
    error("synapse: " .. path .. ": " .. table.concat(notes, "; "), 0)
  end
  for _, note in ipairs(notes) do
    log:warning("%s: %s", path, note)
  end
  return settings
end

-- Names are looked up at load because the worker knows fewer sources of names
-- after its chroot.
local function look_up(settings, known)
  local names = lookup.new(settings.services, log)
  if settings.found then
    names:add_ensemble(settings.found.source.hosts)
  end
  names:at_load(zookeeper, known)
  return names
end

local function refuse(problems)
  if #problems > 0 then
    error("synapse: " .. table.concat(problems, "; "), 0)
  end
end

-- Returns the texts of a file of /proc, which end with a zero byte each.
local function read_process(name)
  local texts = {}
  for text in (config.read_file("/proc/self/" .. name) or ""):gmatch("[^\0]+")
  do
    texts[#texts + 1] = text
  end
  return texts
end

-- The environment as it was before HAProxy read its configuration, which may
-- change it, with what HAProxy adds to it.
local function read_environment()
  local environment = {}
  for _, name in ipairs({"HAPROXY_LOCALPEER", "HAPROXY_CFGFILES"}) do
    environment[name] = os.getenv(name)
  end
  for _, text in ipairs(read_process("environ")) do
    local name, content = text:match("^([^=]+)=(.*)$")
    environment[name or ""] = content
  end
  return environment
end

-- These stand for the path of the state file, which is not known yet, and for
-- the paths of the maps of `synapse.spare`.
local STATE_FILE = "SYNAPSE_SERVERS"
local ROUTES, CHECKS = "SYNAPSE_ROUTES", "SYNAPSE_CHECKS"

-- Returns HAProxy's configuration from its text, or nil if the text cannot be
-- read.
local function read_haproxy(admin)
  local paths = config_text.arguments(read_process("cmdline"))
  local texts = config_text.files(paths,
    {read = config.read_file, list = config.list_directory})
  return texts and config_text.parse(texts, {
    environment = read_environment(),
    loaded = {SYNAPSE_ADMIN = admin, SYNAPSE_SERVERS = STATE_FILE,
      [ROUTES] = ROUTES, [CHECKS] = CHECKS},
    version = core.get_info().Version,
  })
end

-- If stderr leads to systemd's journal, JOURNAL_STREAM names its socket.
local function is_journal()
  local stderr = stat.stat("/proc/self/fd/2")
  return stderr ~= nil and os.getenv("JOURNAL_STREAM") ==
    string.format("%d:%d", stderr.st_dev, stderr.st_ino)
end

-- HAProxy writes each line to its syslogs, and HAProxy 2.6 to stderr as well.
-- Under Debian's unit both end in the journal, and one line is enough. If
-- HAProxy would lose the lines of the load, they go to stderr. Returns the
-- function that writes the lines after the load.
local function choose_log(sections)
  local log_to_stderr = is_journal() and runtime.log_to_journal or
    runtime.log_to_stderr
  local ends_in_journal = is_journal() and sections and
    config_check.logs_to_machine(sections)
  local log_later = ends_in_journal and runtime.log_to_journal or runtime.log
  log.write = runtime.can().logs_while_loading and log_later or log_to_stderr
  return log_later
end

-- HAProxy uses the first `server-state-file`, and logs an alert about a second
-- one. With this variable the configuration leaves the agent's out.
local function tell_of_other_state_file(sections)
  if config_check.other_state_file(sections, STATE_FILE) then
    zookeeper.setenv("SYNAPSE_OTHER_STATE_FILE", "1")
  end
end

local function take_verdict(service, verdict)
  service.has_fixed_weights = verdict.fixed_weights[service.name]
  service.shares_connections = verdict.shares_connections[service.name]
end

-- Returns why HAProxy's configuration has no backend for a service, or nil. A
-- service without a backend of its own may get a blank one.
local function find_backend(sections, spares, service)
  if spares:has(service.backend) then
    return "backend " .. service.backend .. " is a blank one; give the " ..
      "service's another name"
  elseif service.found then
    return config_check.backend(sections, service.backend) and
      "haproxy.cfg has a backend of this name" or spares:reserve(service)
  elseif spares.kinds[1] and
    not config_check.backend(sections, service.backend)
  then
    local why = spares:reserve(service)
    return why and "backend " .. service.backend .. " is not in HAProxy's " ..
      "configuration, and no blank backend serves it: " .. why
  end
  return nil
end

local function find_backends(sections, settings, spares)
  local problems = {}
  spares:expect(settings.services)
  for _, service in ipairs(settings.services) do
    local why = find_backend(sections, spares, service)
    problems[#problems + 1] = why and "services." .. service.name .. ": " .. why
  end
  return problems
end

local function tell_of_own_backends(kinds)
  for _, kind in ipairs(kinds) do
    if kind.own_backends and not runtime.can().adds_backends then
      log:info("%s.own_backends: this HAProxy cannot add a backend, so new " ..
        "services have blank ones", kind.place)
    end
  end
end

local function check_haproxy(sections, settings, admin, spares)
  for _, line in ipairs(blank.problems(spares.kinds, settings.spare)) do
    log:warning("%s", line)
  end
  tell_of_own_backends(settings.spare)
  if settings.found and not blank.has_hosts(sections, ROUTES) then
    log:warning("discover: haproxy.cfg has no frontend for it; make it " ..
      "again with synapse-haproxy-cfg")
  end
  local problems = find_backends(sections, settings, spares)
  local verdict = config_check.verdict(sections, settings,
    {admin = admin, servers = STATE_FILE})
  for _, warning in ipairs(verdict.warnings) do
    log:warning("%s", warning)
  end
  refuse(table.move(problems, 1, #problems, #verdict.errors + 1,
    verdict.errors))
  settings.lockdown = verdict.lockdown
  for _, service in ipairs(settings.services) do
    take_verdict(service, verdict)
  end
end

-- Returns why HAProxy, as it is configured, cannot serve a service as
-- synapse.conf.json has it now, or nil.
local function objection(loaded, agent_of, service)
  local no_blank = loaded.sections and
    find_backend(loaded.sections, loaded.spares, service)
  if no_blank then
    return no_blank .. (service.found and "" or "; make haproxy.cfg again " ..
      "with synapse-haproxy-cfg, and reload HAProxy")
  end
  local verdict = loaded.sections and config_check.of_service(loaded.sections,
    service, {admin = loaded.admin, servers = STATE_FILE})
  local why = verdict and verdict.errors[1] or
    not service.blank and
    not agent_of().changes:has_slots(service.backend) and
    config_check.backend_problem(service, nil)
  if why then
    loaded.spares:give_up(service)
    return why:gsub("^services%.[^:]*: ", "") .. "; and reload HAProxy"
  elseif verdict then
    take_verdict(service, verdict)
  end
  return nil
end

-- HAProxy itself may know more at its start than its text shows.
local function check_backends(services, restored)
  local problems = {}
  for _, service in ipairs(services) do
    local name = service.blank or service.backend
    local backend = runtime.backend(name, restored[name] or {})
    problems[#problems + 1] = config_check.backend_problem(service, backend)
  end
  refuse(problems)
end

-- `lua-load-per-thread` would start an agent in each thread, and each would
-- undo what the others do.
local function check_thread()
  if core.thread ~= 0 then
    error("synapse: the agent runs once for all threads; load it with " ..
      "`lua-load` instead of `lua-load-per-thread`", 0)
  end
end

-- The directory stays open, because the worker writes to it after its chroot.
local function open_output(path)
  local directory, why
  if path then
    directory, why = zookeeper.open_directory(path)
  end
  if why then
    log:error("file_output.output_directory: %s; no files are written", why)
  end
  return directory and {directory = directory, path = path} or nil
end

-- Lists the slots that HAProxy should restore, and their addresses by backend
-- and slot. Host names are left out, because HAProxy resolves them.
local function to_restore(services, records)
  local servers, restored = {}, {}
  for _, service in ipairs(services) do
    local record = snapshot.record_of(records, service)
    local backend = service.blank or service.backend
    for _, server in ipairs(record and snapshot.servers(record) or {}) do
      server.backend = backend
      server.age = math.max(0, os.time() - server.since)
      servers[#servers + 1] = server
      restored[backend] = restored[backend] or {}
      restored[backend][server.slot] = server.key
    end
  end
  return servers, restored
end

-- HAProxy reads the file once it has read its configuration.
local function offer_state(services, records)
  local servers, restored = to_restore(services, records)
  local file, path = zookeeper.memory_file(commands.state_file(servers))
  if not file then
    log:error("no file of the servers to restore: %s", path)
    return {restored = {}, close = function() end}
  end
  zookeeper.setenv("SYNAPSE_SERVERS", path)
  return {restored = restored, close = function() file:close() end}
end

-- HAProxy reads the maps with its configuration. A master that executes itself
-- still has the variables of the last load.
local function offer_maps(spares)
  local files, paths, texts = {}, {}, {}
  texts[ROUTES], texts[CHECKS] = spares:maps()
  for name, text in pairs(texts) do
    local file, path = nil, "/dev/null"
    if spares.kinds[1] then
      file, path = zookeeper.memory_file(text)
    end
    if not path or spares.kinds[1] and not file then
      error("synapse: haproxy.spare: no file of the blank backends: " ..
        tostring(path), 0)
    end
    zookeeper.setenv(name, path)
    files[#files + 1], paths[name] = file, path
  end
  return {paths = paths, close = function()
    for _, file in ipairs(files) do
      file:close()
    end
  end}
end

-- Names this process among all processes at any time, by its id and its start.
-- The start is the 22nd field of its line, after its name in parentheses.
local function process_id()
  local fields = {}
  local line = config.read_file("/proc/self/stat") or ""
  for field in (line:match(".*%) (.*)") or ""):gmatch("%S+") do
    fields[#fields + 1] = field
  end
  return string.format("%d %s", unistd.getpid(), fields[20] or "")
end

-- Describes this process for the lock of the snapshot. Returns nil if HAProxy
-- only checks its configuration.
local function this_process()
  local paths, is_check, replaced =
    config_text.arguments(read_process("cmdline"))
  if is_check then
    return nil
  end
  local namespace = unistd.readlink("/proc/self/ns/pid") or ""
  return {
    namespace = namespace, start = namespace .. " " .. process_id(),
    replaced = replaced, files = table.concat(paths, " "),
  }
end

-- The files of the configuration, before and after the chroot.
local function new_disk()
  local root = stat.stat("/")
  return disk.new({
    open_directory = zookeeper.open_directory,
    is_jailed = function()
      local now = stat.stat("/")
      return not now or now.st_dev ~= root.st_dev or now.st_ino ~= root.st_ino
    end,
  })
end

-- What HAProxy's configuration has for the key `haproxy.spare`.
local function new_spares(sections)
  return spare.new(sections and blank.find(sections, ROUTES) or {}, {log = log})
end

-- Runs one step of a task. No error may leave it: it would end the task for
-- good. Returns whether all was well, and what the step returned.
local function guarded(what, step, ...)
  local ok, result = xpcall(step, debug.traceback, ...)
  if not ok then
    log:error("error in %s: %s", what, result)
  end
  return ok, result
end

-- Reads the files of the configuration if they have changed. Two tasks call it:
-- one now and then, and one when the kernel has told of a change.
local function look_at_files(loaded)
  if loaded.is_looking then
    return
  end
  loaded.is_looking = true
  repeat
    guarded("reading the configuration", loaded.live.turn, loaded.live)
  until not loaded.live.is_noticed
  loaded.is_looking = false
end

local function new_live(loaded, client, agent_of)
  local function look() look_at_files(loaded) end
  return live.new({
    path = loaded.path, disk = new_disk(), secrets = loaded.secrets, log = log,
    follow = function(directory, ending)
      return client:follow(directory, ending)
    end,
    -- HAProxy 2.6 keeps 16 bytes of each task that has ended.
    hurry = function() core.register_task(look) end,
    agent = agent_of, now = zookeeper.now,
    objection = function(service)
      return objection(loaded, agent_of, service)
    end,
    expect = function(services, stays)
      loaded.spares:expect(services, stays)
    end,
    turn = runtime.new_turn(zookeeper.now, READ_SLICE),
    await = runtime.new_await(zookeeper.now),
  })
end

-- Services that were found in ZooKeeper are served from the start, as others.
local function add_found(loaded, agent_of)
  local settings = loaded.config
  if settings.found and not loaded.sections then
    log:warning("discover: HAProxy's configuration cannot be read as text, " ..
      "so no service is found")
  end
  if not settings.found or not loaded.sections then
    return
  end
  loaded.found = found.new(settings.found, {log = log, now = zookeeper.now,
    is_checked = function(service)
      return config_check.is_checked(loaded.sections, service.blank)
    end,
    objection = function(service)
      return objection(loaded, agent_of, service)
    end,
  })
  local taken = {}
  for _, service in ipairs(settings.services) do
    taken[service.name] = true
  end
  local services = loaded.found:load(loaded.storage.records, taken)
  table.move(services, 1, #services, #settings.services + 1, settings.services)
  table.sort(settings.services, function(a, b) return a.name < b.name end)
end

local function path_of_config()
  local path = os.getenv("SYNAPSE_CONFIG")
  if not path then
    error("synapse: SYNAPSE_CONFIG is not set; put `setenv SYNAPSE_CONFIG " ..
      "/etc/haproxy/synapse.conf.json` above lua-load", 0)
  end
  return path
end

local function load(agent_of)
  check_thread()
  local client = zookeeper.new()
  local admin = client:admin_address()
  zookeeper.setenv("SYNAPSE_ADMIN", admin)
  local sections = read_haproxy(admin)
  local log_later = choose_log(sections)
  if sections then
    tell_of_other_state_file(sections)
  end
  log:info("version %s", zookeeper.version)
  local loaded = {path = path_of_config(), secrets = {}, sections = sections,
    admin = admin}
  loaded.live = new_live(loaded, client, agent_of)
  local settings = read_config(loaded.path, loaded.secrets)
  loaded.live:loaded(settings)
  loaded.spares = new_spares(sections)
  if sections then
    check_haproxy(sections, settings, admin, loaded.spares)
  end
  local place =
    snapshot_file.open({zookeeper = zookeeper, log = log, now = os.time,
      process = this_process()}, settings.state_file_path,
      settings.state_file_ttl)
  loaded.config, loaded.client, loaded.storage = settings, client, place
  add_found(loaded, agent_of)
  loaded.lookup = look_up(settings, place.addresses)
  loaded.spares:load(settings.services, place.records)
  loaded.maps = offer_maps(loaded.spares)
  loaded.state = offer_state(settings.services, place.records)
  loaded.output = open_output(settings.output_directory)
  loaded.log_later = log_later
  loaded.levels = stats_sockets.levels(sections or {})
  loaded.boot = config.read_file("/proc/sys/kernel/random/boot_id") or ""
  return loaded
end

local function output_place(loaded)
  local place, client = loaded.output, loaded.client
  return place and {
    directory = place.directory, path = place.path,
    write = function(name, text, mode)
      return client:write(place.directory, name, text, mode)
    end,
    remove = function(name)
      return client:remove(place.directory, name)
    end,
  }
end

local function unused_slots(services)
  local is_filled = {}
  for _, service in ipairs(services) do
    is_filled[service.blank or service.backend] = true
  end
  return runtime.unused_slots(is_filled)
end

-- An added backend has slots that no service fills yet.
local function new_own_backends(client, unused)
  return add_backend.new({
    can = runtime.can().adds_backends, now = zookeeper.now, log = log,
    send = function(line) return client:command(line) end,
    added = function(backend)
      local pool, declared = runtime.slots(backend, {})
      unused[backend] = {pool = pool, declared = declared}
    end,
  })
end

local function new_agent(loaded)
  local place, client = loaded.storage, loaded.client
  local unused = unused_slots(loaded.config.services)
  loaded.spares:begin({
    set_map = runtime.set_map, del_map = runtime.del_map, log = log,
    routes = loaded.maps.paths[ROUTES], checks = loaded.maps.paths[CHECKS],
    sessions = runtime.sessions_of_backend, now = zookeeper.now,
    send = function(line) return client:command(line) end,
    own = new_own_backends(client, unused),
    freed = function()
      loaded.live:distrust()
      if loaded.found then
        loaded.found:again()
      end
    end,
  })
  return agent.new({
    config = loaded.config, client = client, codes = zookeeper.codes,
    checksum = zookeeper.checksum, runtime = runtime, log = log,
    now = zookeeper.now, thread_time = zookeeper.thread_time,
    random = math.random, records = place.records,
    restored = loaded.state.restored, lookup = loaded.lookup,
    unused = unused, live = loaded.live,
    spare = loaded.spares, found = loaded.found,
    resolve = zookeeper.resolve,
    snapshot_path = place.path, snapshot_lock = place.lock,
    output = output_place(loaded), boot = loaded.boot,
    version = zookeeper.version,
    write_snapshot = place.directory and function(text)
      return client:write(place.directory, place.name, text)
    end,
  })
end

local function count_records(records)
  local n = 0
  for _, record in pairs(records) do
    n = n + #record.instances
  end
  return n
end

-- Connects the socket that wakes us: it gets one byte each time the queue is no
-- longer empty, and one from the supervisor at intervals.
local function connect(self)
  local socket = core.tcp()
  if socket:connect(self.client:wake_address()) and self.client:wake_attach()
  then
    return socket
  end
  socket:close()
  error("no wake channel", 0)
end

local function measured_turn(self)
  local more = self:turn()
  local blocked = self:blocked()
  self.turns:add(blocked)
  if blocked > LONG_BLOCK then
    log:warning("event loop blocked for %d ms", blocked * 1000 // 1)
  end
  return more
end

-- Other work runs while this waits for a byte, also when a turn left something
-- to do and wakes itself.
local function listen(self)
  local socket = connect(self)
  repeat
    self.client:woken()
    local ok, more = guarded("a round", measured_turn, self)
    if not ok then
      guarded("a recovery", self.recover, self)
    elseif more then
      self.client:wake()
    end
  until self.stopped or not socket:receive(1)
  socket:close()
end

-- Now that HAProxy has its threads, and before anything of ZooKeeper is read.
local function lock_down()
  local ok, why = zookeeper.lockdown()
  if ok then
    log:info("locked down: this worker starts no process any more")
  else
    log:alert("lockdown: %s; this worker may still start processes", why)
  end
end

local function main_task(self, loaded)
  log:info("version %s, %s, %s from the snapshot", zookeeper.version,
    plural(#self.services, "service"), plural(loaded.restored, "instance"))
  if loaded.config.lockdown then
    lock_down()
  end
  if loaded.storage.lock then
    loaded.storage.lock:sign(runtime.about().pid)
  end
  math.randomseed(os.time() ~ math.floor(zookeeper.now() * 1000000))
  self:open()
  while not self.stopped do
    if not guarded("the wake channel", listen, self) then
      runtime.sleep(1000)
    end
  end
  -- A turn that was interrupted may have connected once more.
  self.client:hang_up()
  self:close()
end

local function supervise(self)
  runtime.sleep(SUPERVISE_EVERY)
  if runtime.is_stopping() then
    self:stop()
    self.client:hang_up()
  elseif zookeeper.now() - math.max(self.turned_at, self.nudged_at) >
    STUCK_AFTER
  then
    log:error("agent stalled for %d s; restarting its loop", STUCK_AFTER)
    self.nudged_at = zookeeper.now()
    self.client:hang_up()
  else
    self.client:wake()
  end
end

local function supervisor_task(self)
  while not self.stopped do
    guarded("the supervisor", supervise, self)
  end
end

-- Follows the files of the configuration.
local function config_task(self, loaded)
  local ok, why = self.client:follow_begin()
  if not ok then
    log:info("%s; changes of files are noticed within a second", why)
  end
  guarded("reading the configuration", loaded.live.begin, loaded.live)
  while not self.stopped do
    look_at_files(loaded)
    runtime.sleep(LOOK_EVERY)
  end
end

-- Reads the documents that the page leads to: they are installed in doc/ beside
-- it. In a source tree they are where they are written. Without them the page
-- still names them.
local function read_documents(directory)
  local documents = {}
  for _, name in ipairs(http.DOCUMENTS) do
    documents["/doc/" .. name] =
      config.read_file(directory .. "/doc/" .. name) or
      config.read_file(directory .. "/../" .. name)
  end
  return documents
end

--- Reads the configuration and registers the agent with HAProxy. Raises an
-- error that says what is wrong, and where.
-- @tparam string directory where the status page is
function main.start(directory)
  local self
  local function get() return self end
  local loaded = load(get)
  local text, why = config.read_file(directory .. "/status.html")
  if not text then
    error("synapse: " .. why, 0)
  end
  core.register_init(function()
    log.write = loaded.log_later
    check_backends(loaded.config.services, loaded.state.restored)
    loaded.state.close()
    loaded.maps.close()
    self = new_agent(loaded)
    loaded.restored = count_records(loaded.storage.records)
    loaded.storage.records = nil
    self:fill()
  end)
  local function visit(applet) return runtime.visit(applet, zookeeper.now) end
  for _, command in ipairs(cli.commands({
    agent = get, visit = visit, guarded = guarded,
    may_all_change = loaded.config.runtime_changes, levels = loaded.levels,
  })) do
    core.register_cli(command.path, command.usage, command.run)
  end
  core.register_service("synapse", "http", http.service({
    agent = get, visit = visit, wall = runtime.wall,
    checksum = zookeeper.checksum, guarded = guarded,
    page = http.page(text), documents = read_documents(directory),
  }))
  core.register_task(function() main_task(self, loaded) end)
  core.register_task(function() supervisor_task(self) end)
  core.register_task(function() config_task(self, loaded) end)
end

return main
