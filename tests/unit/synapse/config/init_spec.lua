local cjson = require("cjson.safe")
local config = require("synapse.config.init")

local function read_file(path)
  local file = assert(io.open(path))
  local text = file:read("a")
  file:close()
  return text
end

local function parse(value, files)
  return config.parse(cjson.encode(value), {
    list = function(directory)
      if not files then
        return nil, "No such file or directory"
      end
      assert.are.equal("/etc/synapse.d/", directory)
      local names = {}
      for name in pairs(files) do
        names[#names + 1] = name
      end
      table.sort(names)
      return names
    end,
    read = function(path)
      local name = path:match("^/etc/synapse%.d/([^/]*)$")
      if not name then
        return nil, "No such file or directory"
      end
      return files[name]
    end,
  })
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
      resync_interval = 600, runtime_changes = false, session_timeout = 10,
      lockdown = false,
      state_file_ttl = 86400,
      use_nerve_weights = false, bind_address = "localhost",
      lines = {global = {}, defaults = {}}, extra_sections = {},
      spare = {},
      services = {{
        name = "web", place = "services.web", disabled = false, backend = "web",
        prefer = {},
        sources = made.services[1].sources, path = "/web",
        read_as = "nerve\nnil\nnil",
        default_servers = {}, named_servers = {}, keep_default_servers = false,
        use_previous_backends = true, leader_election = false,
        guard = {window = 10, share = 0.5, hold = 60}, has_file = true,
        use_nerve_weights = false, max_instances = 1000,
        fixed = "server_options is not set", server_text = "", slots = 16,
        lines = {frontend = {}, backend = {}, listen = {},
          shared_frontend = {}},
      }},
    }, made)
    assert.are.same({}, warnings)
  end)

  it("has a directory for the files of services, and who gets one", function()
    local whole = service({file_output = {disabled = true}})
    whole.file_output = {output_directory = "/var/lib/files"}
    local other = service().services.web
    whole.services["a/b"], whole.services.other = other, other
    whole.services["a/b"] = {discovery = other.discovery,
      haproxy = {backend_name = "ab"}}
    local made, warnings = parse(whole)
    assert.are.equal("/var/lib/files", made.output_directory)
    local has_file = {}
    for _, one in ipairs(made.services) do
      has_file[one.name] = one.has_file
    end
    assert.are.same({web = false, other = true, ["a/b"] = false}, has_file)
    assert.are.same({"services.a/b.file_output: a/b.json is no name of a " ..
      "file, so there is none"}, warnings)
  end)

  it("has no file of a service whose name can be none", function()
    for name, has_file in pairs({[".web"] = false, ["a\nb"] = false,
      [("x"):rep(240)] = true, [("x"):rep(241)] = false, ["web."] = true})
    do
      local one = service({haproxy = {backend_name = "www"}}).services.web
      local made = parse({services = {[name] = one}})
      assert.are.equal(has_file, made.services[1].has_file, name)
    end
  end)

  -- Its snapshot may have some, of an ensemble that it had before.
  it("of a service without ZooKeeper has no previous instances", function()
    local made, warnings = parse({services = {web = {discovery = {
      method = "base"}}}})
    assert.is_false(made.services[1].use_previous_backends)
    assert.are.same({"services.web: has the method \"base\" and no " ..
      "`default_servers`, so no instance"}, warnings)
    made, warnings = parse({services = {web = {discovery = {method = "base"},
      default_servers = {{host = "localhost", port = 80}}}}})
    assert.is_false(made.services[1].use_previous_backends)
    assert.are.same({}, warnings)
  end)

  it("says of a service that a policy has nothing to choose", function()
    local _, warnings = parse(service({leader_election = true,
      prefer = {label = "zone", value = "a"}}))
    assert.are.same({"services.web.prefer: has no effect beside " ..
      "`leader_election`, which leaves one instance"}, warnings)
  end)

  it("has a guard for all services, and one for a service", function()
    local whole = service({guard = {hold = 0, share = cjson.null}})
    whole.guard = {window = 3, share = 0.75}
    local made, warnings = parse(whole)
    assert.are.same({window = 3, share = 0.75, hold = 0},
      made.services[1].guard)
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
        server_options = "check namespace x"}}))
      assert.is_nil(made.services[1].server_options)
      local why = "`namespace` is none of `add server`'s keywords"
      assert.are.equal("server_options: " .. why, made.services[1].fixed)
      assert.are.same({"services.web.haproxy.server_options: " .. why ..
        "; no slots can be added"}, warnings)
    end)

  it("loses the options that named the instance and are needless now",
    function()
      local one = parse(service({haproxy = {server_options =
        "check port %{port}  addr %{host} cookie %{name} inter 2s weight 50"}}))
        .services[1]
      assert.are.equal("check inter 2s weight 50", one.server_text)
      assert.are.equal(one.server_text, one.server_options.text)
    end)

  it("keeps an address and a port of a check that name no instance", function()
    local one = parse(service({haproxy = {server_options =
      "check addr 10.0.0.9 port 81"}})).services[1]
    assert.are.equal("check addr 10.0.0.9 port 81", one.server_text)
  end)

  it("takes two percent signs for one, as synapse did", function()
    local one = parse(service({haproxy = {server_options =
      "check error-limit 10%%"}})).services[1]
    assert.are.equal("check error-limit 10%", one.server_text)
  end)

  local function haproxy(of)
    return parse(service({haproxy = of})).services[1]
  end

  it("has a frontend where there is a port", function()
    assert.is_nil(haproxy({}).bind)
    assert.are.same({address = "localhost", port = "3213",
      text = "127.0.0.1:3213", place = "services.web.haproxy.port"},
      haproxy({port = 3213}).bind)
    assert.are.equal("3213", haproxy({port = "3213"}).bind.port)
    assert.are.equal("80-90", haproxy({port = "80-90"}).bind.port)
    for _, port in ipairs({"1", "65535", "1-65535", "80-80"}) do
      assert.are.equal(port, haproxy({port = port}).bind.port)
    end
  end)

  it("has a frontend on an address alone where the port is null", function()
    assert.are.same({address = "/run/web.sock", options = "mode 666",
      text = "/run/web.sock", place = "services.web.haproxy.port"},
      haproxy({port = cjson.null, bind_address = "/run/web.sock",
        bind_options = "mode 666"}).bind)
  end)

  it("says for all services where they listen", function()
    local value = service({haproxy = {port = 80}})
    value.haproxy = {bind_address = "10.0.0.1"}
    assert.are.equal("10.0.0.1", parse(value).services[1].bind.address)
  end)

  it("has the lines of haproxy.cfg, each with its place", function()
    local lines = haproxy({backend = {"  mode http", "a\nb", ""}}).lines
    assert.are.same({
      {text = "mode http", place = "services.web.haproxy.backend[0]"},
      {text = "a", place = "services.web.haproxy.backend[1]"},
      {text = "b", place = "services.web.haproxy.backend[1]"},
    }, lines.backend)
  end)

  it("has the sections of haproxy.cfg, sorted by title", function()
    local made = parse({haproxy = {extra_sections = {
      ["peers p"] = {"peer a 127.0.0.1:1"}, ["listen l"] = {}}}})
    assert.are.same({
      {title = {text = "listen l",
        place = 'haproxy.extra_sections["listen l"]'}, lines = {}},
      {title = {text = "peers p",
        place = 'haproxy.extra_sections["peers p"]'}, lines = {
        {text = "peer a 127.0.0.1:1",
          place = 'haproxy.extra_sections["peers p"][0]'}}},
    }, made.extra_sections)
  end)

  it("has them in that order however many they are", function()
    local sections, titles = {}, {}
    for i = 1, 9 do
      sections["listen l" .. i] = {}
    end
    for i, section in ipairs(parse({haproxy = {extra_sections = sections}})
      .extra_sections)
    do
      titles[i] = section.title.text:match("%d")
    end
    assert.are.equal("123456789", table.concat(titles))
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

  -- A name without an address stopped HAProxy from starting.
  it("leaves the names of default servers to be looked up", function()
    local made = parse(service({default_servers = {
      {name = "d", host = "localhost", port = 8422, weight = "5"},
      {host = "10.0.0.1", port = 80}}}))
    local web = made.services[1]
    assert.are.equal("10.0.0.1:80", web.default_servers[1].key)
    assert.are.equal(1, #web.default_servers)
    assert.are.same({"localhost:1", "services.web.default_servers[0]", 8422, 5},
      {web.named_servers[1].hosts, web.named_servers[1].place,
        web.named_servers[1].fields.port, web.named_servers[1].fields.weight})
    -- /etc/hosts may have it.
    web = parse(service({default_servers = {{host = "web.1", port = 80}}}))
      .services[1]
    assert.are.equal("web.1:1", web.named_servers[1].hosts)
    local _, errors = parse(service({
      default_servers = {{host = "localhost", port = 0}}}))
    assert.is_truthy(errors[1]:find("^services%.web%.default_servers%[0%]: "))
  end)

  it("says what it has dropped of a default server", function()
    local made, warnings = parse(service({default_servers = {
      {host = "10.0.0.1", port = 80, weight = 300, name = cjson.null}}}))
    assert.are.equal(256, made.services[1].default_servers[1].weight)
    assert.are.same({"services.web.default_servers[0].weight: 300 is above " ..
      "256, used as 256"}, warnings)
  end)

  -- Puppet, Chef and Ansible often write numbers as strings. airbnb's synapse
  -- takes them, so that a configuration of theirs was refused here.
  it("takes a number that stands in a string", function()
    local value = service({max_instances = "50", guard = {share = "0.25"},
      haproxy = {slots = "8"}, default_servers = {
        {host = "10.0.0.1", port = "80", weight = "5"}}})
    value.session_timeout = "2.5"
    local made, warnings = parse(value)
    assert.are.same({}, warnings)
    assert.are.equal(2.5, made.session_timeout)
    local web = made.services[1]
    assert.are.same({50, 0.25, 8, 5}, {web.max_instances, web.guard.share,
      web.slots, web.default_servers[1].weight})
  end)

  -- PHP and Lua write an empty object as an empty list.
  it("takes an empty list for an empty object", function()
    assert.are.same({}, config.parse('{"services": [], "guard": []}',
      {}).services)
  end)

  it("with a key that is there twice is refused", function()
    local made, errors = config.parse('{"services": {\n "a": {}, "a": {}}}', {})
    assert.is_nil(made)
    assert.are.same({"line 2, column 11: duplicate object key near '\"a\"'"},
      errors)
  end)

  it("warns of unknown keys by their place", function()
    local value = service({discovery_ = {}})
    value.comment = "ours"
    local _, warnings = parse(value)
    assert.are.same({
      "comment: unknown key, ignored",
      'services.web.discovery_: unknown key, ignored; did you mean ' ..
        '"discovery"?',
    }, warnings)
  end)

  it("names all keys that it does not need in one line", function()
    local value = service({haproxy = {backend_order = "asc"}})
    value.services.api = service({haproxy = {backend_order = "desc"}})
      .services.web
    value.haproxy = {do_reloads = true, socket_file_path = "/var/x"}
    local _, warnings = parse(value)
    assert.are.same({"keys that are not needed inside HAProxy are ignored: " ..
      "haproxy.do_reloads, haproxy.socket_file_path, " ..
      "services.*.haproxy.backend_order"}, warnings)
  end)

  it("that is no JSON is refused", function()
    local made, errors = config.parse("services: {}", {})
    assert.is_nil(made)
    assert.is_truthy(errors[1]:find("YAML is not read", 1, true), errors[1])
  end)

  it("that is a list is refused", function()
    assert.are.same({nil, {"the file: a list is not an object"}},
      {config.parse("[1]", {})})
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

  local function with_directory(files)
    local value = service()
    value.service_conf_dir = "/etc/synapse.d/"
    for name, one in pairs(files) do
      files[name] = type(one) == "table" and cjson.encode(one) or one
    end
    return parse(value, files)
  end

  it("has the services of a directory, named like their files", function()
    local made, warnings = with_directory({
      ["api.v1.json"] = service({max_instances = 7}).services.web,
      ["notes.txt"] = "x", [".hidden.json"] = "x", [".json"] = "x"})
    assert.are.same({}, warnings)
    assert.are.equal(2, #made.services)
    assert.are.equal("api.v1", made.services[1].name)
    assert.are.equal("/etc/synapse.d/api.v1.json: services.api.v1",
      made.services[1].place)
    assert.are.equal(7, made.services[1].max_instances)
  end)

  -- A directory of thousands of files holds nothing else up.
  it("gives other work its turn before each file and each service", function()
    local turns, done = 0, {}
    assert(config.parse('{"service_conf_dir": "/d"}', {
      list = function() return {"a.json", "b.json"} end,
      read = function(path)
        table.insert(done, turns .. " " .. path)
        return cjson.encode(service().services.web)
      end,
      turn = function() turns = turns + 1 end,
    }))
    assert.are.same({"1 /d/a.json", "2 /d/b.json"}, done)
    assert.are.equal(4, turns)
  end)

  it("prefers the directory's service to one of the same name", function()
    local made, warnings = with_directory({
      ["web.json"] = service({max_instances = 7}).services.web})
    assert.are.equal(1, #made.services)
    assert.are.equal(7, made.services[1].max_instances)
    assert.are.same({"services.web: /etc/synapse.d/web.json takes the " ..
      "place of what is said here"}, warnings)
  end)

  it("names the file of the directory that is wrong", function()
    local bad = service().services.web
    bad.discovery.hosts = {"zk1"}
    local made, errors = with_directory({
      ["a.json"] = bad, ["b.yaml"] = "discovery:", ["c.json"] = "{",
      ["d.yml"] = ""})
    assert.is_nil(made)
    assert.are.same({
      "/etc/synapse.d/b.yaml: YAML is not read; replace it with b.json " ..
        "(YAML parsers read JSON too)",
      "/etc/synapse.d/c.json: line 1, column 2: string or '}' expected near " ..
        "end of file",
      "/etc/synapse.d/d.yml: YAML is not read; replace it with d.json " ..
        "(YAML parsers read JSON too)",
      '/etc/synapse.d/a.json: services.a.discovery.hosts[0]: "zk1" is not ' ..
        '"host:port"',
    }, errors)
  end)

  it("has the names in a directory in order", function()
    local names = config.list_directory("tests/unit/synapse")
    local sorted = table.move(names, 1, #names, 1, {})
    table.sort(sorted)
    assert.is_true(#names > 9)
    assert.are.same(sorted, names)
    assert.are.same({nil, "No such file or directory"},
      {config.list_directory("tests/nowhere")})
  end)

  it("whose directory cannot be read is refused", function()
    assert.are.same({nil, {"service_conf_dir: /nowhere: No such file or " ..
      "directory"}}, {parse({service_conf_dir = "/nowhere"})})
    assert.are.same({nil, {"service_conf_dir: 7 is not the path of a " ..
      "directory"}}, {parse({service_conf_dir = 7})})
  end)

  it("of the sample is right, without a warning", function()
    local made, warnings =
      config.parse(read_file("haproxy/synapse.conf.json"),
        {})
    assert.are.same({}, warnings)
    assert.are.equal("web", made.services[1].backend)
  end)
end)
