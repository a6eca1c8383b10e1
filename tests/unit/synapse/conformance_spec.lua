-- What the tests of airbnb's synapse ask for: a row for each of them that is
-- not about other registries is in tests/data/synapse/conformance.json. It is
-- run here, or it is tested elsewhere, or it does not apply, with the reason.
local wanted = require("synapse.service.wanted")
local cjson = require("cjson.safe")
local config = require("synapse.config.init")
local decode = require("synapse.zookeeper.decode")
local generate = require("synapse.generate.init")
local instance = require("synapse.instances.instance")
local instance_list = require("synapse.instances.list")
local label_filters = require("synapse.instances.labels")
local negotiate = require("synapse.generate.negotiate")
local output = require("synapse.file_output")
local paths = require("synapse.zookeeper.path")
local znodes = require("synapse.zookeeper.znodes")

local new_clock = dofile("tests/fake/clock.lua")
local new_log = dofile("tests/fake/log.lua")
local new_session = dofile("tests/fake/session.lua")
local read_json = dofile("tests/unit/json_file.lua")

local DATA = read_json("tests/data/synapse/conformance.json")
local NERVE = decode.new({method = "nerve"})
local NO_RECORD = {instances = {}, retained = {}}
local CODES = {ok = 0, connection_loss = -4, no_node = -101, node_exists = -110}
local LONGEST_DELAY = 30

-- Reads a configuration with one service.
local function parse(fields, name)
  local one = {discovery = {method = "zookeeper", path = "/web",
    hosts = {"zk1:2181"}}}
  for key, value in pairs(fields) do
    one[key] = value
  end
  return config.parse(cjson.encode({services = {[name or "web"] = one}}), {})
end

-- Lists instances as a path would: each "host:port" in a znode of its own.
local function instances_of(places)
  local list = {}
  for i, place in ipairs(places) do
    local host, port = place:match("^(.*):(%d+)$")
    local one = instance.check({host = host, port = tonumber(port)})
    one.znode = string.format("i_%010d", i)
    list[i] = one
  end
  return instance_list.new(list):list()
end

local function keys_of(instances)
  local keys = {}
  for i, one in ipairs(instances) do
    keys[i] = one.key
  end
  return keys
end

local RUN = {}

function RUN.section(row)
  local made = assert(parse({haproxy = row.haproxy}, row.name))
  local sections = generate.sections(made, {config = "/c", agent = "/a"})
  local text = negotiate.new(sections, "heading"):text()
  if row.without then
    assert.is_nil(text:find("\n%l*%s?" .. row.without), text)
  else
    assert.is_truthy(text:find(row.text, 1, true), text)
  end
end

function RUN.wanted(row)
  local made = assert(parse(row.service or {}))
  local one = wanted.new({config = made.services[1], record = NO_RECORD,
    now = new_clock().now, log = new_log(), objection = function() end})
  for _, step in ipairs(row.steps) do
    local found = one:take(instances_of(step.znodes))
    assert.are.equal(step.changed, not instance_list.is_unchanged(found))
    assert.are.same(step.wanted, keys_of(one.serving))
  end
end

function RUN.filter(row)
  local made = assert(parse({discovery = {method = "zookeeper", path = "/web",
    hosts = {"zk1:2181"}, label_filters = row.filters}}))
  for i, labels in ipairs(row.labels) do
    local passed = label_filters.apply({{labels = labels}},
      made.services[1].sources[1].filters)
    assert.are.equal(row.passes[i] and 1 or 0, #passed)
  end
end

-- Without data, all has to be in the name.
local function made_of(name, fields)
  if not fields then
    return (instance.from_name(name, NERVE))
  end
  local data = cjson.encode(fields)
  return (instance.from_data(name, data, {data_length = #data}, NERVE))
end

function RUN.znode(row)
  local made = made_of(row.name, row.data)
  for field, value in pairs(row.made or {}) do
    assert.are.same(value, made[field])
  end
  for _, field in ipairs(row.lacks or {}) do
    assert.is_nil(made[field])
  end
  assert.are.equal(row.made ~= nil, made ~= nil)
  if row.file then
    assert.are.equal(row.file, output.encode({made}))
  end
end

-- A registry that reads a path, and what answers it.
local function new_path(clock)
  local handlers = {}
  local session = new_session(function(event)
    handlers[event.request](event)
  end)
  local one = paths.new({
    take_room = function() return true end, give_room = function() end,
    awaits = function() end,
    path = "/web", max_instances = 9, reader = znodes.reader(NERVE), pause = 0,
    codes = CODES, now = clock.now, log = new_log(),
    changed = function() end, reported = function() end,
    moved = function() end,
    request = function(op, path, handler)
      handlers[session[op](session, path, true)] = handler
      return true
    end,
  })
  return one, session
end

function RUN.path(row)
  local clock = new_clock()
  local one, session = new_path(clock)
  one:connected(false)
  for _, word in ipairs(row.lists) do
    session.reply("/web", {code = CODES[word], children = {"i_1"}})
    clock.pass(LONGEST_DELAY)
    one:tick()
  end
  if row.get then
    local data = '{"host":"10.0.0.1","port":80}'
    session.reply("/web/i_1", {code = CODES[row.get], data = data,
      stat = {data_length = #data}})
  end
  assert.are.equal(row.state, one.state)
  assert.are.equal(row.instances, #one:instances())
end

function RUN.configuration(row)
  for _, fields in ipairs(row.good) do
    assert(parse(fields))
  end
  for _, fields in ipairs(row.bad) do
    local made, errors = parse(fields)
    assert.is_nil(made)
    assert.are.same({row.error}, errors)
  end
end

function RUN.text(row)
  local made, errors = config.parse(row.file, {})
  assert.is_nil(made)
  assert.are.same({row.error}, errors)
end

function RUN.output(row)
  local made = assert(parse({default_servers = row.servers}))
  assert.are.equal(row.file, output.encode(made.services[1].default_servers))
end

function RUN.union(row)
  local lists = {}
  for i, places in ipairs(row.lists) do
    lists[i] = instances_of(places)
  end
  assert.are.same(row.wanted, keys_of(instance_list.resolve("union", lists)))
end

local function is_there(name)
  local file = io.open("tests/" .. name)
  return file ~= nil and file:close()
end

describe("row", function()
  for _, row in ipairs(DATA.rows) do
    if row.run then
      it(row.row .. " of airbnb's synapse holds", function()
        RUN[row.run](row)
      end)
    end
  end

  it("after row is in the table, each once", function()
    local ids = {}
    for i, row in ipairs(DATA.rows) do
      ids[i] = row.row
    end
    assert.are.same(DATA.ids, ids)
    local seen = {}
    for _, id in ipairs(ids) do
      assert.is_nil(seen[id], id)
      seen[id] = true
    end
  end)

  it("is run, or tested elsewhere, or does not apply", function()
    for _, row in ipairs(DATA.rows) do
      local kinds = (row.run and 1 or 0) + (row.elsewhere and 1 or 0) +
        (row["not"] and 1 or 0)
      assert.are.equal(1, kinds, row.row)
      local file = row.elsewhere and row.elsewhere:match("^(%S+): ")
      assert.is_true(not row.elsewhere or file and is_there(file), row.row)
    end
  end)
end)
