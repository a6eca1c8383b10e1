--- Follows synapse.conf.json and its service_conf_dir while HAProxy runs.
--
-- The kernel reports files that have been written (inotify). A task also looks
-- at the files now and then, because the kernel does not report everything, and
-- at once when a command asks for it. When a file has changed and then stays
-- the same for a moment, all files are read and checked as at load. Files with
-- a mistake change nothing. Otherwise the agent gets the changes that need no
-- reload, and the log and the page name the others.
--
-- @module synapse.config.live

local compare = require("synapse.config.compare")
local config = require("synapse.config.init")

local live = {}
live.__index = live

-- Seconds between two looks at the files. After a look that finds a change the
-- next one comes sooner: a program that writes a file in parts has that long.
local EVERY = 0.7
local SETTLE = 0.2

-- Seconds that the agent has to apply the changes.
local PATIENCE = 10
local NOT_DONE = "the agent has not done it yet, see its log"

--- Returns a follower that knows the files as they were loaded.
-- @tparam table deps
--   `path` of synapse.conf.json; `disk`, see `synapse.config.disk`; `secrets`:
--   the texts of the password files that were read at load, by path; `log`;
--   `follow(directory, ending)`: has `notice` called when files of it whose
--   names end so have been written; returns true, or nil and why not;
--   `agent()`; `objection(config)`, see `compare.services`; `expect(services,
--   stays)`: called before it, see `spare:expect`; `now()`;
--   `turn()`: gives other work its turn when it is time; `await(condition,
--   seconds)`: until it is true, or so long; `hurry()`: has `turn` called soon
-- @treturn live with `errors`: the mistakes of the files as they are now, and
--   `needs`: what of them needs a reload, a `{string,...}` each; `reads`: how
--   often they were read, by why: "inotify", "polling" or "command"
function live.new(deps)
  local self = setmetatable({
    deps = deps, path = deps.path, errors = {}, needs = {}, told = {},
    settings = nil,   -- as HAProxy loaded them
    directory = nil,  -- the service_conf_dir
    stamps = {},      -- of the files that were read last
    seen = nil,       -- those of the last look, if they are others
    due = 0,          -- when to look next
    asked = 0,        -- the number of the last request
    begun = 0,        -- the last request for which the files were read
    answered = 0,     -- the last request that has its answer
    said = nil,       -- that answer
    is_noticed = false, -- the kernel has told of a change
    reads = {inotify = 0, polling = 0, command = 0},
    hidden = nil,     -- why the file cannot be read
    remote = nil,     -- which file is on a network file system
  }, live)
  deps.disk:open(deps.path)
  deps.disk:open(".") -- a password_file's path may be relative
  self.stamps[deps.path] = deps.disk:stamp(deps.path)
  return self
end

local function stamps_of(self, turn)
  local disk, directory = self.deps.disk, self.directory
  local stamps = {[self.path] = disk:stamp(self.path)}
  for _, name in ipairs(directory and disk:list(directory) or {}) do
    if config.service_of(name) then
      local path = directory .. "/" .. name
      stamps[path] = disk:stamp(path)
      turn()
    end
  end
  return stamps
end

local function is_same(before, now)
  for path, stamp in pairs(now) do
    if before[path] ~= stamp then
      return false
    end
  end
  for path in pairs(before) do
    if now[path] == nil then
      return false
    end
  end
  return true
end

-- HAProxy's thread would wait for a server of files that does not answer. So
-- such files are read when people ask for it, and not when they change.
local function look_where_they_are(self)
  local line
  for _, path in ipairs({self.path, self.directory}) do
    local system = self.deps.disk:remote(path)
    line = line or system and string.format("%s: is on a network file " ..
      "system (%s): its changes are read by `synapse reload` only", path,
      system)
  end
  if line and line ~= self.remote then
    self.deps.log:warning("%s", line)
  end
  self.remote = line
end

-- Has the kernel tell of changes.
local function follow(self)
  local above, name = self.path:match("^(.-)([^/]*)$")
  local wanted = {{above == "" and "." or above, name}}
  wanted[2] = self.directory and {self.directory, ".json"}
  for _, it in ipairs(wanted) do
    local is_followed, why = self.deps.follow(it[1], it[2])
    if not is_followed then
      self.deps.log:info("inotify: %s (its limits are in /proc/sys/fs/" ..
        "inotify); changes of files are noticed within a second", why)
    end
  end
end

--- Takes note of what was loaded. While HAProxy loads.
-- @tparam config settings
function live:loaded(settings)
  self.settings, self.directory = settings, settings.service_conf_dir
  if self.directory then
    self.deps.disk:open(self.directory)
    local own = self.stamps[self.path]
    self.stamps = stamps_of(self, function() end)
    self.stamps[self.path] = own
  end
  look_where_they_are(self)
  if not self.remote then
    follow(self)
  end
end

-- A password file that only root may read was read at load; its text was kept.
local function secret(self)
  return function(path)
    if self.deps.secrets[path] then
      return self.deps.secrets[path]
    end
    local text, why = self.deps.disk:read(path)
    return text, why, not text
  end
end

-- Returns what `config.parse` returns, and third why a file cannot be read, or
-- nil.
local function parse(self, text)
  local disk, hidden = self.deps.disk, nil
  local function seen(path, content, why)
    hidden = hidden or not content and path .. ": " .. why or nil
    return content, why
  end
  local settings, notes = config.parse(text, {
    list = function(path) return seen(path, disk:list(path)) end,
    read = function(path) return seen(path, disk:read(path)) end,
    secret = secret(self), environment = config.EDGES.environment,
    machine = config.EDGES.machine, turn = self.deps.turn,
  })
  return settings, notes, hidden
end

-- Logs a line, unless it was logged at the last reading too.
local function tell(self, told, level, line)
  if not self.told[line] then
    self.deps.log[level](self.deps.log, "%s: %s", self.path, line)
  end
  told[line] = true
end

local function answer(result, lines)
  return {result = result, message = table.concat(lines, "\n")}
end

-- If only root may read the file, each change needs a reload.
local function hide(self, why)
  local line = string.format("cannot be read by HAProxy's user: %s; its " ..
    "changes need a reload of HAProxy, unless that user may read it", why)
  if self.hidden ~= line then
    self.deps.log:warning("%s: %s", self.path, line)
  end
  self.hidden = line
  return answer("failed", {self.path .. ": " .. line})
end

local function refuse(self, errors)
  local told = {}
  for _, line in ipairs(errors) do
    tell(self, told, "error", line .. "; nothing is changed")
  end
  self.errors, self.told = errors, told
  return answer("failed", {self.path .. " is wrong, nothing is changed:",
    table.unpack(errors)})
end

-- Makes the agent forget the changes that it has not applied yet: they come
-- from older files. Returns whether it has.
local function pause(self)
  local order = self.deps.agent():order("pause")
  self.deps.await(function() return order.said end, PATIENCE)
  return order.said
end

-- Has the agent apply the changes. Returns whether it has.
local function apply(self, changes)
  local agent = self.deps.agent()
  local order = agent:order("configure", changes)
  local function is_done()
    return order.said and agent.changes:are_done()
  end
  self.deps.await(is_done, PATIENCE)
  return is_done()
end

-- Logs a change in one line: always if it does something, and only once if it
-- needs a reload.
local function tell_change(self, told, change)
  local line = compare.line(change)
  if #change.reload == 0 then
    self.deps.log:info("%s: %s", self.path, line)
  elseif change.config then
    self.deps.log:warning("%s: %s", self.path, line)
    told[compare.need(change)] = true
  else
    tell(self, told, "warning", line)
  end
  return line
end

-- Logs all changes, and keeps what the next reading is compared with. Returns
-- one line for each service, and for each other key.
local function note(self, changes, settings, notes)
  local told, lines, needs = {}, {}, compare.settings(self.settings, settings)
  for i, line in ipairs(needs) do
    tell(self, told, "warning", line)
    lines[i] = line
  end
  for _, change in ipairs(changes) do
    lines[#lines + 1] = tell_change(self, told, change)
    needs[#needs + 1] = compare.need(change)
  end
  for _, line in ipairs(notes) do
    tell(self, told, "warning", line)
  end
  if #self.errors > 0 then
    self.deps.log:info("%s: has no mistake any more", self.path)
  end
  self.errors, self.needs, self.told = {}, needs, told
  return lines
end

-- Returns the services of the files, and those that were found in ZooKeeper.
local function with_found(configured, services)
  local all, names = {table.unpack(services)}, {}
  for _, service in ipairs(services) do
    names[service.name] = true
  end
  for _, service in ipairs(configured) do
    if service.found and not names[service.name] then
      all[#all + 1] = service
    end
  end
  return all
end

local function of_files(services)
  local list = {}
  for _, service in ipairs(services) do
    list[#list + 1] = not service.found and service or nil
  end
  return list
end

-- Returns the backends of the services that stay in them, each with the name.
local function kept_backends(before, stays)
  local kept = {}
  for _, service in ipairs(before) do
    if stays[service.name] and not service.blank then
      kept[service.backend] = service.name
    end
  end
  return kept
end

local function compare_once(self, before, after, stays)
  local kept = kept_backends(before, stays)
  self.deps.expect(after, stays)
  return compare.services(before, after, {turn = self.deps.turn,
    objection = function(service)
      local other = kept[service.backend]
      return other and other ~= service.name and string.format("haproxy." ..
        "backend_name: services.%s keeps backend %s until a reload", other,
        service.backend) or self.deps.objection(service)
    end})
end

-- Compares the services. Where one stays as it is although the files say
-- otherwise, no other gets its port or its backend: that is known only
-- afterwards, and then all is compared again.
local function changes_of(self, before, after)
  local stays = {}
  local changes, is_more
  repeat
    is_more = false
    changes = compare_once(self, before, after, stays)
    for _, change in ipairs(changes) do
      if change.stays and not stays[change.name] then
        stays[change.name], is_more = true, true
      end
    end
  until not is_more
  return changes
end

local function take(self, settings, notes)
  self.directory = settings.service_conf_dir
  look_where_they_are(self)
  local known, is_asked = self.deps.agent().changes, self.begun > self.answered
  local doubt = not is_asked and
    compare.doubt(of_files(known:configured()), settings.services)
  if doubt then
    return refuse(self, {doubt})
  elseif not pause(self) then
    self:distrust()
    return answer("failed", {NOT_DONE})
  end
  local before = known:configured()
  local after = with_found(before, settings.services)
  local changes = changes_of(self, before, after)
  local lines = note(self, changes, settings, notes)
  if not apply(self, changes) then
    return answer("failed", {NOT_DONE .. ":", table.unpack(lines)})
  elseif #lines == 0 then
    return answer("done", {self.path .. " is what is served already"})
  end
  return answer(#self.needs > 0 and "pending" or "done", lines)
end

local function read(self, cause)
  self.reads[cause] = self.reads[cause] + 1
  self.seen, self.stamps = nil, stamps_of(self, self.deps.turn)
  local text, why = self.deps.disk:read(self.path)
  if not text then
    return hide(self, why)
  end
  local settings, notes, hidden = parse(self, text)
  if hidden then
    return hide(self, hidden)
  elseif not settings then
    return refuse(self, notes)
  end
  self.hidden = nil
  return take(self, settings, notes)
end

-- Tells whether the files differ from those that were read, and have stayed the
-- same since the last look.
local function has_settled(self)
  local stamps, seen = stamps_of(self, self.deps.turn), self.seen
  self.seen = not is_same(self.stamps, stamps) and stamps or nil
  self.due = self.deps.now() + (self.seen and SETTLE or EVERY)
  return self.seen ~= nil and seen ~= nil and is_same(seen, stamps)
end

-- Tells whether there are other files, but none less. One that is gone may be
-- on its way to another name, or about to be written again: it is looked for
-- now, and once more when who writes has had time to end.
local function has_more(self)
  local stamps = stamps_of(self, self.deps.turn)
  for path, stamp in pairs(self.stamps) do
    if stamp ~= 0 and (stamps[path] or 0) == 0 then
      self.due = self.deps.now()
      return false
    end
  end
  return not is_same(self.stamps, stamps)
end

--- Says once, when HAProxy runs, that its user cannot read the file.
function live:begin()
  if self.remote then
    return
  end
  local text, why = self.deps.disk:read(self.path)
  if not text then
    hide(self, why)
  end
end

-- Nothing is found while the agent waits for changes of the files. After a
-- reading that came to nothing there are none.
local function release(self)
  local agent = self.deps.agent()
  if agent.changes.is_paused and next(self.stamps) ~= nil then
    agent:order("release")
  end
end

--- Reads the files if they have changed, or if a command asks for it. It may
-- take a while, and other tasks run meanwhile.
function live:turn()
  local is_noticed = self.is_noticed
  self.is_noticed = false
  if self.begun > self.answered then -- an error ended that turn
    self.said = answer("failed", {"an internal error, see the agent's log"})
    self.answered = self.begun
  end
  if self.asked > self.answered then
    self.begun = self.asked
    self.said = read(self, "command")
    self.answered = self.begun
  elseif self.remote and next(self.stamps) ~= nil then
    return
  elseif is_noticed and has_more(self) then
    read(self, "inotify")
  elseif self.deps.now() >= self.due and has_settled(self) then
    read(self, "polling")
  end
  release(self)
end

--- Takes note that the kernel has reported a change: files have been written,
-- and then none was for a moment.
function live:notice()
  self.is_noticed = true
  self.deps.hurry()
end

--- Makes the next turn read the files again, even if they have not changed:
-- what was applied may be lost.
function live:distrust()
  self.stamps = {}
end

--- Makes the next turn read the files. `said` is the answer once `answered` is
-- at least what this returns.
-- @treturn integer
function live:ask()
  self.asked = self.asked + 1
  return self.asked
end

return live
