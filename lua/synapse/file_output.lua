--- Keeps a file for each service with its instances, as airbnb's file_output.
--
-- Other programs read `<service>.json`. So the file is replaced and never
-- changed in place. It is first written when something is known of the service,
-- then at most once a second, and only if the content has changed. A list of
-- the agent's own files is written before them, and only files in that list are
-- ever removed.
--
-- @module synapse.file_output

local cjson = require("cjson.safe")

local output = {}
output.__index = output

local COLLECT = 0.1
local INTERVAL = 1
local STEP = 50 -- instances that are encoded between two looks at the clock
local RETRY = 10
local MODE = 420 -- 0644: every user may read it
local MAX_BYTES = 16 * 1024 * 1024

--- The name of the list of our files.
output.LIST = ".myelin"

local function encode_labels(labels)
  local names, parts = {}, {}
  for name in pairs(labels) do
    names[#names + 1] = name
  end
  table.sort(names)
  for i, name in ipairs(names) do
    parts[i] = cjson.encode(name) .. ":" .. cjson.encode(labels[name])
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local function text_or_null(value)
  return value == nil and "null" or cjson.encode(value)
end

local function encode_instance(instance)
  local text = string.format('{"name":%s,"host":%s,"port":%d',
    text_or_null(instance.name), cjson.encode(instance.host), instance.port)
  if not instance.znode then
    return text .. (instance.weight and ',"weight":' .. instance.weight or
      "") .. "}"
  end
  return string.format('%s,"id":%s,"weight":%s,"haproxy_server_options":%s,' ..
    '"labels":%s}', text, text_or_null(instance.sequence),
    text_or_null(instance.weight), text_or_null(instance.options),
    instance.labels and encode_labels(instance.labels) or "null")
end

-- Appends the texts of more instances to `parts`. Returns the content of the
-- file, nil before it is complete.
local function encode_some(instances, parts, is_tired)
  while #parts < #instances do
    parts[#parts + 1] = encode_instance(instances[#parts + 1])
    if #parts % STEP == 0 and is_tired() then
      return nil
    end
  end
  return "[" .. table.concat(parts, ",") .. "]"
end

--- Returns the content of a service's file. A value that a default server lacks
-- is left out; a value that a znode lacks is null.
-- @tparam {instance,...} instances
-- @treturn string
function output.encode(instances)
  return encode_some(instances, {}, function() return false end)
end

local function file_of(name)
  return name .. ".json"
end

local function list_text(self)
  local names, list = {}, {}
  for name in pairs(self.has_file) do
    names[#names + 1] = name
  end
  table.sort(names)
  for i, name in ipairs(names) do
    list[i] = file_of(name)
  end
  return table.concat(list, "\n") .. "\n"
end

-- What is in the files already, and which of ours nobody wants any more.
local function look(self, services)
  local directory = self.deps.directory
  for _, service in ipairs(services) do
    local file = file_of(service.name)
    self.known[file] = directory:read(file, MAX_BYTES)
    self.has_file[service.name] = service
  end
  local listed = directory:read(output.LIST, MAX_BYTES) or ""
  for file in listed:gmatch("[^\n]+") do
    local name = file:match("^([^/]+)%.json$")
    if name and not self.has_file[name] then
      self.to_remove[file] = true
    end
  end
end

--- Returns an output that has written nothing.
-- @tparam table deps
--   `directory`: open, nil where no files are wanted; `path` of it, for people;
--   `services`: those with a file, sorted by name; `write(name, text, mode)`
--   and `remove(name)`: start to, and return a request number, or nil and why;
--   `now()`; `is_tired()`: whether this turn has lasted long enough; `log`
-- @treturn output
function output.new(deps)
  local self = setmetatable({
    deps = deps,
    has_file = {},   -- the services with a file, by name
    known = {},      -- the content of each file
    to_remove = {},  -- a set of files
    list_due = deps.directory ~= nil, -- whether the list is to be written
    pending = {},    -- the services to write, by name
    written_at = {}, encoding = nil, request = nil, job = nil, due = 0,
    failing = false, stopped = false,
  }, output)
  if deps.directory then
    look(self, deps.services)
  end
  return self
end

--- Begins to keep the file of a service, or ends that and removes the file.
-- @tparam service service
-- @tparam boolean is_wanted whether it is to have one
function output:want(service, is_wanted)
  local name, file = service.name, file_of(service.name)
  if not self.deps.directory or
    is_wanted == (self.has_file[name] == service)
  then
    return
  end
  self.has_file[name] = is_wanted and service or nil
  self.pending[name], self.known[file] = nil, nil
  if not is_wanted then
    self.to_remove[file] = true
  end
  self.list_due = true
  if self.encoding and self.encoding.service.name == name then
    self.encoding = nil
  end
end

--- Notes that the instances of a service are known now, or have changed.
-- @tparam service service
function output:changed(service)
  if self.has_file[service.name] == service and
    not self.pending[service.name]
  then
    if not next(self.pending) then
      self.due = math.max(self.due, self.deps.now() + COLLECT)
    end
    self.pending[service.name] = service
  end
end

-- Takes the next service whose file may be written again by now.
local function next_service(self)
  local now = self.deps.now()
  for name, service in pairs(self.pending) do
    if now - (self.written_at[name] or -INTERVAL) >= INTERVAL then
      self.pending[name] = nil
      return {service = service, instances = service:serving(), parts = {}}
    end
  end
  return nil
end

-- Returns the next file to write, or nil if there is none or none is encoded
-- yet.
local function next_file(self)
  self.encoding = self.encoding or next_service(self)
  while self.encoding do
    local current = self.encoding
    local text =
      encode_some(current.instances, current.parts, self.deps.is_tired)
    if not text then
      return nil
    end
    self.encoding = nil
    local file = file_of(current.service.name)
    if text ~= self.known[file] then
      self.written_at[current.service.name] = self.deps.now()
      return {file = file, text = text, service = current.service}
    end
    self.encoding = next_service(self)
  end
  return nil
end

-- The next thing to do. Every file that there is must be in the list: it is
-- written after the last removal, and before the files.
local function next_job(self)
  local file = next(self.to_remove)
  if file then
    self.to_remove[file] = nil
    return {remove = file}
  elseif self.list_due then
    self.list_due = false
    return {file = output.LIST, text = list_text(self)}
  end
  return next_file(self)
end

local function failed(self, job, why)
  if not self.failing then
    self.deps.log:error("%s/%s: cannot be written: %s; tried again",
      self.deps.path, job.file or job.remove, why)
  end
  self.failing = true
  self.due = self.deps.now() + RETRY
  if job.remove then
    self.to_remove[job.remove] = true
  elseif not job.service then
    self.list_due = true
  elseif self.has_file[job.service.name] == job.service then
    self.pending[job.service.name] = job.service
  end
end

--- Does the next thing, when it is time and nothing is under way.
function output:tick()
  if self.stopped or self.request or self.deps.now() < self.due then
    return
  end
  local job = next_job(self)
  if not job then
    return
  end
  local request, why
  if job.remove then
    request, why = self.deps.remove(job.remove)
  else
    request, why = self.deps.write(job.file, job.text, MODE)
  end
  if not request then
    return failed(self, job, why)
  end
  self.request, self.job = request, job
end

--- Takes a `job` event.
-- @tparam table event
function output:take(event)
  if event.request ~= self.request then
    return
  end
  local job = self.job
  self.request, self.job = nil, nil
  if event.code ~= 0 then
    return failed(self, job, event.error)
  end
  if self.failing then
    self.deps.log:info("%s: written again", self.deps.path)
  end
  self.failing = false
  self.known[job.file or job.remove] = job.text
end

--- Writes no more.
function output:stop()
  self.stopped = true
end

return output
