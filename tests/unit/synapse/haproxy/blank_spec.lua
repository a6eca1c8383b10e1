local blank = require("synapse.haproxy.blank")
local config_text = require("synapse.haproxy.config_text")

local SLOTS = "slot.invalid:1 init-addr last,127.0.0.1"

local TEXT = ([[
defaults
  mode http
frontend other
  bind 127.0.0.1:1
  use_backend x
frontend spare-web
  mode http
  bind 127.0.0.1:4000 name 127.0.0.1:4000
  bind 127.0.0.1:4001 name 127.0.0.1:4001 accept-proxy
  bind 127.0.0.1:4002 name another
  option forwardfor
  use_backend "%[so_name,map(${ROUTES})]"
frontend spare-no
  use_backend "%[so_name,map(${ROUTES})]"
frontend spare-raw
  mode tcp
  bind 127.0.0.1:5000 name 127.0.0.1:5000
  use_backend "%[so_name,map(${ROUTES})]"
backend spare-web-10
  mode http
backend spare-web-2
  mode http
  option httpchk
  http-check send meth GET uri-lf "%[be_name,map(C,/)]" hdr Host "a b"
  cookie S insert dynamic
  stick-table type ip size 1k srvkey addr
  server-template b 1-9 SLOTS backup disabled
  server-template s 1-4 SLOTS check inter 1s disabled
" .. [[
backend spare-web-x
backend spare-raw-1
  mode tcp
  server-template s 1-2 SLOTS disabled
]]):gsub("SLOTS", SLOTS)

local function find()
  return blank.find(config_text.parse({{path = "f", text = TEXT}},
    {environment = {ROUTES = "R"}}), "R")
end

local function line(text, place)
  return {text = text, place = "services.api.haproxy." .. place}
end

local function service(changes)
  local one = {name = "api", slots = 4, server_text = "check inter 1s",
    bind = {text = "127.0.0.1:4000"},
    lines = {frontend = {}, backend = {}, listen = {
      line("option httpchk GET /up", "listen[0]"),
      line('http-check send hdr Host "a b"', "listen[1]"),
    }, shared_frontend = {}}}
  for key, value in pairs(changes or {}) do
    one[key] = value
  end
  return one
end

local function lines(where, ...)
  local all = service().lines
  for i, text in ipairs({...}) do
    table.insert(all[where], line(text, where .. "[" .. i + 1 .. "]"))
  end
  return {lines = all}
end

local function reasons(changes)
  local kind, why = blank.fit(find(), service(changes))
  assert.is_nil(kind)
  return why
end

describe("blank backends", function()
  it("are found by their frontends", function()
    local web, raw, more = table.unpack(find())
    assert.is_nil(more)
    assert.are.equal("spare-web", web.name)
    assert.are.same({["127.0.0.1:4000"] = {},
      ["127.0.0.1:4001"] = {"accept-proxy"}}, web.listeners)
    assert.are.same({"spare-web-2", "spare-web-10"}, web.backends)
    assert.are.equal(4, web.slots)
    assert.are.equal("check inter 1s", web.server)
    assert.is_true(web.has_table)
    assert.are.equal("spare-raw", raw.name)
    assert.is_false(raw.has_table)
  end)

  it("are like those that HAProxy can make of a section", function()
    local function template(more, text)
      return blank.find(config_text.parse({{path = "f", text = (text or
        TEXT) .. more}}, {environment = {ROUTES = "R"}}), "R")[2].template
    end
    local own = "defaults spare-raw-own\n  mode tcp\n"
    assert.are.equal("spare-raw-own", template(own))
    assert.is_nil(template(""))
    assert.is_nil(template("defaults spare-web-own\n"))
    assert.is_nil(template("  default-server inter 1s\n" .. own))
    assert.is_nil(template("  stick-table type ip size 1k\n" .. own))
    assert.is_nil(template(own, TEXT:gsub("mode http", "%0\n" ..
      "  default-server inter 1s", 1)))
  end)

  it("say why HAProxy cannot make others like them", function()
    local wanted = {{name = "spare-raw", place = "haproxy.spare.raw",
      backends = 1, own_backends = true}}
    assert.are.same({"haproxy.spare.raw.own_backends: has no effect, " ..
      "because haproxy.cfg has no `defaults spare-raw-own`; make it again " ..
      "with synapse-haproxy-cfg"}, blank.problems(find(), wanted))
    local kinds = find()
    table.insert(kinds[2].backend.lines, {words = {"default-server"}})
    assert.are.same({"haproxy.spare.raw.own_backends: has no effect, " ..
      "because haproxy.cfg has `default-server`; write its words into " ..
      "`server_options`"}, blank.problems(kinds, wanted))
    kinds[2].template = "spare-raw-own"
    assert.are.same({}, blank.problems(kinds, wanted))
  end)

  it("that haproxy.cfg does not have are named", function()
    assert.are.same({
      "haproxy.spare.raw: haproxy.cfg has another number of blank backends " ..
        "(spare-raw: 1, and not 2); make it again with synapse-haproxy-cfg",
      "haproxy.spare.x: haproxy.cfg has another number of blank backends " ..
        "(spare-x: 0, and not 1); make it again with synapse-haproxy-cfg"},
      blank.problems(find(), {
        {name = "spare-raw", place = "haproxy.spare.raw", backends = 2},
        {name = "spare-web", place = "haproxy.spare.web", backends = 2},
        {name = "spare-x", place = "haproxy.spare.x", backends = 1}}))
  end)

  it("serve a service whose lines they have", function()
    local kind, uri = blank.fit(find(), service())
    assert.are.equal("spare-web", kind.name)
    assert.are.equal("/up", uri)
    assert.are.equal("spare-web", blank.fit(find(), service(lines("listen",
      "mode http", "option forwardfor", "cookie S insert",
      "stick-table type ip size 1k"))).name)
  end)

  it("serve a service without a check of http", function()
    local kind, uri = blank.fit(find(), service({slots = 2, server_text = "",
      bind = {text = "127.0.0.1:5000"}, lines = {frontend = {}, listen = {
      line("mode tcp", "listen[0]")}, backend = {}, shared_frontend = {}}}))
    assert.are.equal("spare-raw", kind.name)
    assert.is_nil(uri)
  end)

  it("are found by a port", function()
    assert.are.same({"haproxy.port: no frontend of blank backends " ..
      "(spare-web, spare-raw) listens on 127.0.0.1:4002"},
      reasons({bind = {text = "127.0.0.1:4002"}}))
    local one = service()
    one.bind = nil
    local _, why = blank.fit(find(), one)
    assert.are.same({"haproxy.port: is missing, and a blank backend is " ..
      "found by its port"}, why)
  end)

  it("do not serve a service with other servers", function()
    assert.are.same({
      "haproxy.server_options: `check`, and those of spare-web are `check " ..
        "inter 1s`",
      "haproxy.slots: 5, and each backend of spare-web has 4"},
      reasons({server_text = "check", slots = 5}))
    assert.are.same({"haproxy.slots: 6, and each backend of spare-web has 4"},
      reasons({subset = {size = 4, least = 2}}))
    assert.are.same({"haproxy.bind_options: ``, and those of spare-web are " ..
      "`accept-proxy`"}, reasons({bind = {text = "127.0.0.1:4001"}}))
  end)

  it("do not serve a service with other lines", function()
    assert.are.same({"haproxy.backend[2]: `option forwardfor` is no line of " ..
      "spare-web"}, reasons(lines("backend", "option forwardfor")))
    assert.are.same({"haproxy.shared_frontend[2]: `acl a` is no line of " ..
      "spare-web"}, reasons(lines("shared_frontend", "acl a")))
    assert.are.same({"haproxy.listen[2]: the mode is tcp, and that of " ..
      "spare-web is http"}, reasons(lines("listen", "mode tcp")))
  end)

  it("do not serve a service with another check", function()
    local function check(...)
      local list = {}
      for i, text in ipairs({...}) do
        list[i] = line(text, "listen[" .. i - 1 .. "]")
      end
      return reasons({lines = {frontend = {}, backend = {},
        shared_frontend = {}, listen = list}})[1]
    end
    assert.are.equal("haproxy.listen: the check sends `HEAD HTTP/1.0`, and " ..
      "that of spare-web `GET HTTP/1.0 hdr Host a b`",
      check("option httpchk HEAD /up"))
    assert.are.equal("haproxy.listen: `option httpchk` is not there, and " ..
      "spare-web has it", check("mode http"))
    assert.are.equal("haproxy.listen: `http-check send` has too many words; " ..
      "put headers into `http-check send hdr`",
      check("option httpchk GET / HTTP/1.1 x"))
    assert.are.equal("haproxy.listen: the URI of the check has a space",
      check('option httpchk GET "/a b"',
        'http-check send hdr Host "a b"'))
  end)

  it("serve a service that is found by its host, with a port or without",
    function()
      local kind, uri = blank.fit(find(), service({kind = "spare-web",
        host_name = "api.service"}))
      assert.are.same({"spare-web", "/up"}, {kind.name, uri})
      local one = service({kind = "spare-web", host_name = "api.service"})
      one.bind = nil
      assert.are.equal("spare-web", blank.fit(find(), one).name)
      one.bind = {text = "127.0.0.1:5000"}
      assert.are.same({"haproxy.port: spare-web does not listen on " ..
        "127.0.0.1:5000"}, select(2, blank.fit(find(), one)))
      one.kind = "spare-gone"
      assert.are.same({"discover.spare: haproxy.cfg has no spare-gone"},
        select(2, blank.fit(find(), one)))
    end)

  it("are found by the host of a request as well", function()
    local function has(text)
      return blank.has_hosts(config_text.parse({{path = "f", text = text}},
        {environment = {ROUTES = "R"}}), "R")
    end
    local lead = 'use_backend "%[req.hdr(host),host_only,lower,map(R)]"\n'
    assert.is_true(has("frontend discover\n" .. lead))
    assert.is_false(has("backend discover\n" .. lead))
    assert.is_false(has(TEXT))
  end)
end)
