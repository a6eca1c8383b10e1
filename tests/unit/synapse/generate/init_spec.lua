local cjson = require("cjson.safe")
local config = require("synapse.config.init")
local generate = require("synapse.generate.init")
local negotiate = require("synapse.generate.negotiate")

local RESTORED = "load-server-state-from-file global"
local SLOTS = "server-template s 1-16 slot.invalid:1 init-addr " ..
  "last,127.0.0.1 disabled"

local PATHS = {config = "/etc/synapse.conf.json", agent = "/usr/synapse.lua"}

local function service(haproxy)
  return {haproxy = haproxy, discovery = {method = "zookeeper", path = "/web",
    hosts = {"zk1:2181"}}}
end

local function make(value, paths)
  local read = assert(config.parse(cjson.encode(value), {}))
  local sections, notes = generate.sections(read, paths or PATHS)
  return (negotiate.new(sections, "heading"):text()), notes
end

-- The file of one service, and `top` in the section `haproxy`.
local function text_of(haproxy, top)
  return make({services = {web = service(haproxy)}, haproxy = top})
end

-- The lines of one section, without the title.
local function lines_of(text, title)
  local lines, inside = {}, false
  for line in text:gmatch("[^\n]+") do
    if not line:find("^\t") then
      inside = line == title
    elseif inside then
      lines[#lines + 1] = line:sub(2)
    end
  end
  return lines
end

describe("a haproxy.cfg", function()
  local function spare(kinds)
    return (make({services = {web = service({port = 4001})},
      haproxy = {spare = kinds}}))
  end

  it("has blank backends, and a frontend that leads to them", function()
    local text = spare({web = {backends = 2, slots = 3, ports = "4000-4002",
      bind_options = "accept-proxy", server_options = "check",
      frontend = {"option forwardfor"}, backend = {
        "option httpchk GET /up HTTP/1.1", "http-check send hdr Host x",
        "http-check expect status 200", "cookie S insert",
        "stick-table type ip size 9"}}})
    assert.are.same({
      "mode http",
      "bind 127.0.0.1:4000 name 127.0.0.1:4000 accept-proxy",
      "bind 127.0.0.1:4002 name 127.0.0.1:4002 accept-proxy",
      'http-request return status 404 content-type text/plain string "no ' ..
        'service listens here now\\n" unless { so_name,map("' ..
        '${SYNAPSE_ROUTES-/dev/null}") -m found }',
      "option forwardfor",
      'use_backend "%[so_name,map(${SYNAPSE_ROUTES-/dev/null})]"',
    }, lines_of(text, "frontend spare-web"))
    assert.are.same({
      "mode http",
      "option httpchk",
      'http-check send meth GET uri-lf "%[be_name,map(' ..
        '${SYNAPSE_CHECKS-/dev/null},/up)]" ver HTTP/1.1 hdr Host x',
      "http-check expect status 200",
      "cookie S insert dynamic",
      "stick-table type ip size 9 srvkey addr",
      "dynamic-cookie-key spare-web-2",
      RESTORED,
      "server-template s 1-3 slot.invalid:1 init-addr last,127.0.0.1 check " ..
        "disabled",
    }, lines_of(text, "backend spare-web-2"))
    assert.is_nil(text:find("backend spare-web-3", 1, true))
  end)

  it("has a section of which HAProxy can make backends, at its end",
    function()
      local text = make({services = {}, haproxy = {
        defaults = {"mode http", "option httpchk GET /", "http-check expect " ..
          "status 204", "timeout connect 1s", "cookie D insert"},
        spare = {web = {backends = 1, ports = 4000, own_backends = true,
          backend = {"option httpchk GET /up", "cookie S insert"}},
          raw = {mode = "tcp", backends = 1, ports = 5000}}}})
      assert.are.same({
        "mode http", "timeout connect 1s", "cookie D insert dynamic",
        "mode http", "option httpchk",
        'http-check send meth GET uri-lf "%[be_name,map(' ..
          '${SYNAPSE_CHECKS-/dev/null},/up)]"',
        "cookie S insert dynamic", "dynamic-cookie-key spare-web-own",
      }, lines_of(text, "defaults spare-web-own"))
      assert.is_nil(text:find("\ndefaults spare-web-own.*\n%l"))
      assert.is_nil(text:find("defaults spare-raw", 1, true))
    end)

  it("has blank backends behind Unix sockets", function()
    assert.are.same({
      "bind 127.0.0.1:4000 name 127.0.0.1:4000 mode 660",
      "bind /run/a.sock name /run/a.sock mode 660",
    }, table.move(lines_of(spare({web = {backends = 1, ports = 4000,
      sockets = {"/run/a.sock"}, bind_options = "mode 660"}}),
      "frontend spare-web"), 2, 3, 1, {}))
  end)

  it("has a frontend for services that are found in ZooKeeper", function()
    local text = make({services = {}, haproxy = {spare = {web = {
      backends = 1, ports = 4000}}}, discover = {hosts = {"z:1"}, path = "/a",
      allow = {"*"}, spare = "web", port = 80, bind_options = "accept-proxy",
      frontend = {"option forwardfor"}}})
    assert.are.same({
      "mode http",
      "bind 127.0.0.1:80 accept-proxy",
      "option forwardfor",
      'http-request return status 404 content-type text/plain string "no ' ..
        'service has this name\\n" unless { req.hdr(host),host_only,lower,' ..
        'map("${SYNAPSE_ROUTES-/dev/null}") -m found } !{ req.hdr(host),' ..
        'host_only,lower -m sub : }',
      'use_backend "%[req.hdr(host),host_only,lower,map(' ..
        '${SYNAPSE_ROUTES-/dev/null})]"',
    }, lines_of(text, "frontend discover"))
    assert.is_nil(text:find("frontend discover\n.*frontend discover\n"))
  end)

  it("closes the ports of blank backends for TCP", function()
    assert.are.same({
      "mode tcp",
      "bind 127.0.0.1:4000 name 127.0.0.1:4000",
      'tcp-request connection reject unless { so_name,map("' ..
        '${SYNAPSE_ROUTES-/dev/null}") -m found }',
      'use_backend "%[so_name,map(${SYNAPSE_ROUTES-/dev/null})]"',
    }, lines_of(spare({raw = {mode = "tcp", backends = 1, ports = 4000}}),
      "frontend spare-raw"))
  end)

  it("is whole, of the smallest configuration", function()
    assert.are.equal(table.concat({
      "# heading",
      "",
      "global",
      "\t.if version_atleast(3.1)",
      "\ttune.lua.bool-sample-conversion normal",
      "\t.endif",
      "\tinsecure-fork-wanted",
      "\thard-stop-after 30m",
      "\tsetenv SYNAPSE_CONFIG /etc/synapse.conf.json",
      "\tlua-load /usr/synapse.lua",
      '\tstats socket "${SYNAPSE_ADMIN}" level admin',
      '\tserver-state-file "${SYNAPSE_SERVERS-none}"',
      "\tstats maxconn 100",
      "",
      "defaults",
      "",
      "backend web",
      "\tload-server-state-from-file global",
      "\t" .. SLOTS,
      "",
    }, "\n"), (text_of({})))
  end)

  it("has no line of global twice", function()
    local text = text_of({}, {global = {"hard-stop-after 1m",
      "stats  maxconn 20", "insecure-fork-wanted", "daemon"}})
    assert.are.same({"hard-stop-after 1m", "stats  maxconn 20",
      "insecure-fork-wanted", "daemon",
      ".if version_atleast(3.1)", "tune.lua.bool-sample-conversion normal",
      ".endif", "setenv SYNAPSE_CONFIG /etc/synapse.conf.json",
      "lua-load /usr/synapse.lua",
      'stats socket "${SYNAPSE_ADMIN}" level admin',
      'server-state-file "${SYNAPSE_SERVERS-none}"'},
      lines_of(text, "global"))
  end)

  -- HAProxy has one: the agent's was the second, so that it was ignored, and
  -- the backends read slots from a file that knew other ones.
  it("leaves a state file of the operator's alone", function()
    local text = text_of({}, {global = {"server-state-file /var/state"}})
    assert.is_nil(text:find('server-state-file "', 1, true))
    assert.are.same({"load-server-state-from-file local",
      'server-state-file-name "${SYNAPSE_SERVERS}"', SLOTS},
      lines_of(text, "backend web"))
  end)

  it("has the status page at the end, unless there is one", function()
    local paths = {config = "/c", agent = "/a", status = "127.0.0.1:9"}
    local text = make({services = {web = service({})}}, paths)
    assert.is_truthy(text:find("\n\ndefaults synapse%-status%-page\n.*" ..
      "\n\nfrontend synapse%-status from synapse%-status%-page\n" ..
      "\tbind 127.0.0.1:9\n.*\n\thttp%-request use%-service lua.synapse\n$"),
      text)
    text = make({haproxy = {extra_sections = {["frontend mine"] = {
      "http-request use-service lua.synapse if TRUE"}}}}, paths)
    assert.is_nil(text:find("synapse-status", 1, true))
  end)

  it("quotes a path that HAProxy would take apart", function()
    local text = make({}, {config = "/etc/my $conf.json", agent = "/a"})
    assert.is_truthy(text:find('setenv SYNAPSE_CONFIG "/etc/my \\$conf.json"',
      1, true), text)
  end)

  it("has a backend's own lines before those of listen", function()
    local text = text_of({port = 80, frontend = {"f"}, backend = {"b"},
      listen = {"l"}, backend_name = "www", bind_options = "mss 1400"})
    assert.are.same({"f", "l", "bind 127.0.0.1:80 mss 1400",
      "default_backend www"}, lines_of(text, "frontend web"))
    assert.are.same({"b", "l", RESTORED, SLOTS},
      lines_of(text, "backend www"))
  end)

  it("has as many slots as it is told, with their options", function()
    local text = text_of({slots = 3,
      server_options = "check port %{port} inter 2s"})
    assert.are.same(
      {RESTORED, "server-template s 1-3 slot.invalid:1 init-addr " ..
        "last,127.0.0.1 check inter 2s disabled"},
      lines_of(text, "backend web"))
  end)

  it("has the slots that are written out, and no others", function()
    local line = "server-template t 1-2 slot.invalid:1 check disabled"
    assert.are.same({line, RESTORED}, lines_of(text_of({backend = {line}}),
      "backend web"))
  end)

  it("has HAProxy restore no slots that have an address", function()
    local line = "server-template t 1-2 127.0.0.1:1 check disabled"
    assert.are.same({line}, lines_of(text_of({backend = {line}}),
      "backend web"))
    line = "load-server-state-from-file none"
    assert.are.same({line, SLOTS}, lines_of(text_of({backend = {line}}),
      "backend web"))
  end)

  it("has slots beside those that are spare ones", function()
    local line = "server-template b 1-2 127.0.0.1:1 check backup disabled"
    assert.are.same({line, SLOTS},
      lines_of(text_of({backend = {line}}), "backend web"))
    assert.are.equal(2, #lines_of(text_of(
      {backend = {"server-template b 1-2 127.0.0.1:1 backup"}}),
      "backend web"))
  end)

  local function backend_of(changes)
    local one = service({backend = changes.backend, slots = 4,
      server_options = "check"})
    one.prefer, one.subset = changes.prefer, changes.subset
    return lines_of((make({services = {web = one}})), "backend web")
  end

  local STATE_FILE = "load-server-state-from-file global"
  local SLOT = "slot.invalid:1 init-addr last,127.0.0.1"
  local PREFER = {label = "zone", value = "a"}

  it("has slots for backups where there is `prefer`", function()
    assert.are.same({
      STATE_FILE,
      "server-template s 1-4 " .. SLOT .. " check disabled",
      "option allbackups",
      "server-template b 1-4 " .. SLOT .. " check backup disabled",
    }, backend_of({prefer = PREFER}))
  end)

  it("has the backups that are written out, and no others", function()
    assert.are.same({
      "option  allbackups",
      "server-template o 1-2 " .. SLOT .. " disabled backup",
      STATE_FILE,
      "server-template s 1-4 " .. SLOT .. " check disabled",
    }, backend_of({prefer = PREFER, backend = {"option  allbackups",
      "server-template o 1-2 " .. SLOT .. " disabled backup"}}))
  end)

  it("has slots for all of a subset", function()
    assert.are.same({STATE_FILE,
      "server-template s 1-30 " .. SLOT .. " check disabled"},
      backend_of({subset = {size = 20, least = 10, machine = "m"}}))
  end)

  it("has a frontend on a socket of its own", function()
    assert.are.same({"bind /run/web.sock mode 666", "default_backend web"},
      lines_of(text_of({port = cjson.null, bind_address = "/run/web.sock",
        bind_options = "mode 666"}), "frontend web-in"))
  end)

  -- HAProxy took [::1] alone, where /etc/hosts names localhost twice.
  it("listens on the loopback address that everybody means", function()
    for address, line in pairs({
      ["localhost"] = "bind 127.0.0.1:80",
      ["localhost2"] = "bind localhost2:80",
      ["ipv6@localhost"] = "bind ipv6@localhost:80"}) do
      assert.are.same({line, "default_backend web"}, lines_of(
        text_of({port = 80, bind_address = address}), "frontend web-in"))
    end
  end)

  it("gives `listen NAME ADDRESS` a bind line", function()
    local text = text_of({}, {extra_sections = {
      ["listen stats  127.0.0.1:3212,:3213"] = {"stats enable"},
      ["frontend f"] = {"bind :1"}, ["defaults a from b"] = {},
    }})
    assert.are.same({"bind 127.0.0.1:3212,:3213", "stats enable"},
      lines_of(text, "listen stats"))
    assert.are.same({"bind :1"}, lines_of(text, "frontend f"))
    assert.is_truthy(text:find("\ndefaults a from b\n", 1, true))
  end)

  it("has the shared frontend last, with the lines of all services",
    function()
      local text = make({
        services = {
          a = service({shared_frontend = {"acl a path /a"}}),
          b = service({shared_frontend = {"acl b path /b"}}),
          c = service({shared_frontend = {"no"}, disabled = true}),
        },
        haproxy = {shared_frontend = {"bind :80"}},
      })
      assert.is_truthy(text:find("\nfrontend shared%-frontend\n" ..
        "\tbind :80\n\tacl a path /a\n\tacl b path /b\n$"), text)
    end)

  it("notes the lines of a shared frontend that is not there", function()
    local text, notes = text_of({shared_frontend = {"acl a path /a"}})
    assert.is_nil(text:find("acl a", 1, true))
    assert.are.same({"services.web.haproxy.shared_frontend[0]: left out; " ..
      "there is no `haproxy.shared_frontend` to add it to"}, notes)
  end)
end)

-- A table remembers slots, and the next instance of a slot inherited its
-- clients.
describe("the stick tables of a haproxy.cfg", function()
  local function first_of(text, title)
    return lines_of(text, title)[1]
  end

  it("follow the instances", function()
    local text = text_of({port = 80, listen = {"stick-table type ip size 1k"}})
    assert.are.equal("stick-table type ip size 1k srvkey addr",
      first_of(text, "backend web"))
    assert.are.equal("stick-table type ip size 1k",
      first_of(text, "frontend web-in"))
    local own = "stick-table type ip size 1k srvkey name store conn_cur"
    assert.are.equal(own, first_of(text_of({backend = {own}}), "backend web"))
  end)

  it("do so in other sections where services stick by them", function()
    local text = text_of({backend = {"stick on src table t",
      "stick store-request src table p/u if TRUE"}}, {extra_sections = {
      ["backend t"] = {"stick-table type ip size 1"},
      ["backend other"] = {"stick-table type ip size 2"},
      ["peers p"] = {"table u type ip size 3", "table other type ip size 4"},
    }})
    assert.are.same({"stick-table type ip size 1 srvkey addr"},
      lines_of(text, "backend t"))
    assert.are.same({"stick-table type ip size 2"},
      lines_of(text, "backend other"))
    assert.are.same({"table u type ip size 3 srvkey addr",
      "table other type ip size 4"}, lines_of(text, "peers p"))
  end)
end)

describe("the cookies of a haproxy.cfg", function()
  local KEY = "dynamic-cookie-key web"

  local function backend_of(haproxy, top)
    local lines = lines_of(text_of(haproxy, top), "backend web")
    table.remove(lines)
    assert.are.equal(RESTORED, table.remove(lines))
    return lines
  end

  it("follow the instances", function()
    assert.are.same({"cookie SRV insert indirect dynamic", "mode http", KEY},
      backend_of({backend = {"cookie SRV insert indirect", "mode http"}}))
    assert.are.same({"mode http", "cookie SRV dynamic insert", KEY},
      backend_of({listen = {"mode http", "cookie SRV dynamic insert"}}))
  end)

  it("are noted, for the key is to be a secret", function()
    local _, notes = text_of({backend = {"mode http", "cookie SRV insert"}})
    assert.are.same({"services.web.haproxy.backend[1]: its cookies name an " ..
      "instance's address from now on, hashed; give `dynamic-cookie-key` a " ..
      "secret of your own"}, notes)
  end)

  it("keep a key of their own", function()
    local own = {"mode http", "cookie SRV dynamic", "dynamic-cookie-key x"}
    assert.are.same(own, backend_of({backend = own}))
    assert.are.same({"cookie SRV dynamic"}, backend_of(
      {backend = {"cookie SRV"}},
      {defaults = {"mode http", "dynamic-cookie-key x"}}))
  end)

  it("follow the instances where the defaults have them", function()
    local text = text_of({}, {defaults = {"mode http", "cookie SRV insert"}})
    assert.are.same({"mode http", "cookie SRV insert dynamic"},
      lines_of(text, "defaults"))
    assert.are.equal(KEY, lines_of(text, "backend web")[1])
  end)

  it("are none where the mode is not http", function()
    assert.are.same({"mode tcp"}, backend_of({backend = {"mode tcp"}},
      {defaults = {"mode http", "cookie SRV insert"}}))
  end)
end)
