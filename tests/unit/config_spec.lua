local cjson = require("cjson.safe")
local config = require("synapse.config")

local function read_file(path)
  local file = assert(io.open(path))
  local text = file:read("a")
  file:close()
  return text
end

local function resolve(hosts)
  return hosts == "localhost:1" and "[::1]:1,127.0.0.1:1" or nil
end

local function parse(value)
  return config.parse(cjson.encode(value), resolve)
end

local function service(changes)
  local one = {discovery = {method = "zookeeper", path = "/web",
    hosts = {"zk2:2181", "zk1:2181"}}}
  for key, value in pairs(changes or {}) do
    one[key] = value
  end
  return {services = {web = one}}
end

describe("a configuration", function()
  it("of the smallest kind gets the defaults", function()
    local made, warnings = parse(service())
    assert.are.same({
      session_timeout = 10,
      services = {{
        name = "web", disabled = false, backend = "web",
        hosts = "zk1:2181,zk2:2181", path = "/web", default_servers = {},
        use_previous_backends = true, use_nerve_weights = false,
        max_instances = 1000, fixed = "server_options is not set",
      }},
    }, made)
    assert.are.same({}, warnings)
  end)

  it("has the options that slots are added with", function()
    local made, warnings = parse(service({haproxy = {
      server_options = "check inter 2s"}}))
    assert.are.equal("check inter 2s", made.services[1].server_options.text)
    assert.is_nil(made.services[1].fixed)
    assert.are.same({}, warnings)
    made = parse(service({haproxy = {server_options = ""}}))
    assert.are.equal("", made.services[1].server_options.text)
  end)

  it("serves with options that no server can be added with, and says so",
    function()
      local made, warnings = parse(service({haproxy = {
        server_options = "check cookie x"}}))
      assert.is_nil(made.services[1].server_options)
      local why = "`cookie` is none of `add server`'s keywords"
      assert.are.equal("server_options: " .. why, made.services[1].fixed)
      assert.are.same({"services.web.haproxy.server_options: " .. why ..
        "; no slots can be added"}, warnings)
    end)

  it("without services is one that does nothing", function()
    assert.are.same({}, parse({}).services)
  end)

  it("lists its services sorted by name", function()
    local one = service().services.web
    local made = parse({services = {c = one, a = one, b = one}})
    assert.are.equal("abc", made.services[1].name .. made.services[2].name ..
      made.services[3].name)
  end)

  it("names another backend", function()
    local made = parse(service({haproxy = {backend_name = "www"}}))
    assert.are.equal("www", made.services[1].backend)
  end)

  it("uses weights everywhere or for one service", function()
    local value = service()
    value.haproxy = {use_nerve_weights = true}
    assert.is_true(parse(value).services[1].use_nerve_weights)
    value = service({haproxy = {use_nerve_weights = true}})
    assert.is_true(parse(value).services[1].use_nerve_weights)
    value.haproxy = {use_nerve_weights = true}
    value.services.web.haproxy.use_nerve_weights = false
    assert.is_false(parse(value).services[1].use_nerve_weights)
  end)

  it("leaves a disabled service out", function()
    assert.are.same({},
      parse(service({haproxy = {disabled = true}})).services)
  end)

  it("takes null as absent", function()
    local made = parse(service({use_previous_backends = cjson.null,
      max_instances = cjson.null}))
    assert.is_true(made.services[1].use_previous_backends)
    assert.are.equal(1000, made.services[1].max_instances)
  end)

  it("resolves the names of default servers, IPv4 first", function()
    local made = parse(service({
      default_servers = {{name = "d", host = "localhost", port = 8422}}}))
    assert.are.equal("127.0.0.1:8422", made.services[1].default_servers[1].key)
  end)

  it("warns of unknown keys by their place", function()
    local value = service({discovery_ = {}})
    value.sevrices = {}
    local _, warnings = parse(value)
    assert.are.same({
      "sevrices: unknown key, ignored",
      "services.web.discovery_: unknown key, ignored",
    }, warnings)
  end)

  it("names all keys that it does not need in one line", function()
    local value = service({haproxy = {port = 3213, listen = {"mode http"}}})
    value.services.api = service({
      haproxy = {port = 3214, backend_name = "api"}})
      .services.web
    value.haproxy = {do_reloads = true, socket_file_path = "/var/x"}
    local _, warnings = parse(value)
    assert.are.same({"keys that are not needed inside HAProxy are ignored: " ..
      "haproxy.do_reloads, haproxy.socket_file_path, " ..
      "services.*.haproxy.listen, services.*.haproxy.port"}, warnings)
  end)

  it("with a mistake in its syntax is refused with line and column",
    function()
      local made, errors = config.parse('{\n  "services": {,}\n}', resolve)
      assert.is_nil(made)
      assert.are.equal(1, #errors)
      assert.is_truthy(errors[1]:find("^line 2, column 16: "), errors[1])
    end)

  it("that is empty is refused", function()
    assert.is_nil((config.parse("", resolve)))
  end)

  it("that is a list is refused", function()
    assert.are.same({nil, {"the file: a list is not an object"}},
      {config.parse("[1]", resolve)})
  end)

  local invalid = assert(cjson.decode(
    read_file("tests/data/config/synapse_invalid.json")))
  for _, case in ipairs(invalid) do
    it("is refused where " .. case.about, function()
      local made, errors = parse(case.config)
      assert.is_nil(made)
      assert.are.same(case.errors, errors)
    end)
  end

  it("of the sample is right, without a warning", function()
    local made, warnings =
      config.parse(read_file("haproxy/synapse.conf.json"), resolve)
    assert.are.same({}, warnings)
    assert.are.equal("web", made.services[1].backend)
  end)
end)
