local cjson = require("cjson.safe")
local config = require("synapse.config.init")
local live = require("synapse.config.live")
local new_clock = dofile("tests/fake/clock.lua")
local new_log = dofile("tests/fake/log.lua")

local FILE, DIRECTORY = "/etc/synapse.conf.json", "/etc/services.d"

describe("the live configuration", function()
  local clock, log, files, remote, one, agent, orders, is_stuck, objection
  local followed, unseen, hurried, expected, objections, opened
  local given, turned

  local function service(path)
    return {discovery = {method = "zookeeper", path = path or "/web",
      hosts = {"zk:2181"}}}
  end

  -- Another text has another stamp.
  local function stamp(path)
    local text, sum = files[path], 1
    for i = 1, #(text or "") do
      sum = sum * 31 + text:byte(i)
    end
    return text and sum or 0
  end

  local disk = {
    open = function(_, path) table.insert(opened, path) end,
    stamp = function(_, path) return stamp(path) end,
    remote = function(_, path) return remote[path] end,
    read = function(_, path)
      return files[path] or nil, "Permission denied"
    end,
    list = function(_, path)
      local names = {}
      for name in pairs(files) do
        names[#names + 1] = name:match("^" .. path .. "/(.*)$")
      end
      table.sort(names)
      return names
    end,
  }

  local function write(services, more, path)
    local whole = {services = services}
    for key, value in pairs(more or {}) do
      whole[key] = value
    end
    files[path or FILE] = cjson.encode(whole)
  end

  -- `meanwhile` is called between the read of the file and what follows it.
  local function begin(services, more, meanwhile)
    write(services, more)
    one = live.new({path = FILE, disk = disk, secrets = {}, log = log,
      agent = function() return agent end, now = clock.now,
      objection = function(each)
        return objections[each.backend] or objection
      end,
      turn = function() turned = turned + 1 end,
      expect = function(after, stays)
        expected[#expected + 1] = #after .. " " .. cjson.encode(stays)
      end,
      follow = function(directory, ending)
        followed[#followed + 1] = directory .. " " .. ending
        return not unseen, unseen
      end,
      hurry = function() hurried = hurried + 1 end,
      await = function(condition)
        for _, order in ipairs(given) do
          order.said = not is_stuck
        end
        condition()
      end})
    local loaded = assert(config.parse(files[FILE], {
      list = function(path) return disk:list(path) end,
      read = function(path) return disk:read(path) end}))
    agent.services = loaded.services
    if meanwhile then
      meanwhile()
    end
    one:loaded(loaded)
    one:begin()
  end

  -- Looks twice, as if a change had been there for a while.
  local function look()
    for _ = 1, 2 do
      clock.pass(1)
      one:turn()
    end
  end

  local function ask()
    local number = one:ask()
    one:turn()
    assert.are.equal(number, one.answered)
    return one.said
  end

  before_each(function()
    clock, log, files, orders = new_clock(), new_log(), {}, {}
    is_stuck, objection, remote = false, nil, {}
    followed, unseen, hurried, expected, objections = {}, nil, 0, {}, {}
    opened, given, turned = {}, {}, 0
    agent = {services = {}, changes = {
      configured = function() return agent.services end,
      are_done = function() return not is_stuck end,
    }}
    function agent.order(_, what, changes)
      local list, order = {}, {}
      table.insert(given, order)
      if what == "pause" then
        agent.is_paused = true
        return order
      elseif what == "release" then
        agent.changes.is_paused = false
        return order
      end
      assert.is_true(agent.is_paused)
      for i, change in ipairs(changes) do
        list[i] = what .. " " .. change.kind .. " " .. change.name
      end
      table.insert(orders, table.concat(list, ", "))
      return order
    end
  end)

  it("reads nothing again while no file changes", function()
    begin({web = service()})
    look()
    assert.are.same({}, orders)
    assert.are.equal(0, log.count(""))
  end)

  it("applies a change once it has stayed for a moment", function()
    begin({web = service()})
    write({web = service("/other")})
    clock.pass(1)
    one:turn()
    assert.are.same({}, orders)
    clock.pass(0.3)
    one:turn()
    assert.are.same({"configure changed web"}, orders)
    assert.are.equal(1,
      log.count(FILE .. ": web: discovery.path applied"))
  end)

  -- Its port was given to another service, which then waited for it for ever.
  it("compares again if a service cannot leave its port", function()
    begin({web = service(), api = service()})
    agent.services[2].blank, objection = "spare-web-1", "no"
    local moved = service()
    moved.haproxy = {port = 81}
    write({web = moved, api = service("/api")})
    ask()
    assert.are.same({"2 {}", '2 {"web":true}'}, expected)
    assert.are.same({"configure changed api, configure changed web"}, orders)
    objection, expected = nil, {}
    ask()
    assert.are.same({"2 {}"}, expected)
  end)

  it("gives nobody the backend of a service that cannot leave it", function()
    begin({web = service()})
    local moved, other = service(), service("/api")
    moved.haproxy = {backend_name = "www"}
    other.haproxy = {backend_name = "web"}
    write({web = moved, api = other})
    objections.www = "no such backend"
    assert.are.same({result = "pending", message = "api: needs a reload: " ..
      "haproxy.backend_name: services.web keeps backend web until a reload\n" ..
      "web: needs a reload: no such backend"}, ask())
    objections.www = nil
    assert.are.same({result = "done", message = "web: leaves; its slots " ..
      "are emptied\napi: is served from now on\nweb: is served from now on"},
      ask())
  end)

  -- A password_file is found from where HAProxy was started.
  it("opens at load what a chroot would hide", function()
    begin({web = service()}, {service_conf_dir = DIRECTORY})
    assert.are.same({FILE, ".", DIRECTORY}, opened)
  end)

  it("has the kernel tell of its file and of service_conf_dir", function()
    begin({web = service()}, {service_conf_dir = DIRECTORY})
    assert.are.same({"/etc/ synapse.conf.json", DIRECTORY .. " .json"},
      followed)
    assert.are.equal(0, log.count(""))
  end)

  it("applies at once a change that the kernel told of", function()
    begin({web = service()})
    write({web = service("/other")})
    one:notice()
    assert.are.equal(1, hurried)
    one:turn()
    assert.are.same({"configure changed web"}, orders)
    assert.are.same({inotify = 1, polling = 0, command = 0}, one.reads)
    look()
    assert.are.same({inotify = 1, polling = 0, command = 0}, one.reads)
  end)

  it("reads nothing when the kernel tells of files as they were", function()
    begin({web = service()})
    one:notice()
    one:turn()
    assert.are.same({inotify = 0, polling = 0, command = 0}, one.reads)
    assert.is_false(one.is_noticed)
  end)

  -- A program that removed ten files and wrote them again, one after the other,
  -- would have emptied the services that it came to last.
  it("waits where a file is gone, also when the kernel told", function()
    local path = DIRECTORY .. "/web.json"
    files[path] = cjson.encode(service())
    begin({api = service("/api")}, {service_conf_dir = DIRECTORY})
    clock.pass(0.3)
    one:turn()
    files[path], files[DIRECTORY .. "/www.json"] = nil, files[path]
    one:notice()
    one:turn()
    clock.pass(0.1)
    one:turn()
    assert.are.same({}, orders)
    clock.pass(0.1)
    one:turn()
    assert.are.equal(1, #orders)
    assert.are.same({inotify = 0, polling = 1, command = 0}, one.reads)
  end)

  it("goes on looking where the kernel cannot tell, and says so", function()
    unseen = "/etc/: Too many open files"
    begin({web = service()})
    assert.are.equal(1, log.count("info: inotify: /etc/: Too many open files"))
    write({web = service("/other")})
    look()
    assert.are.same({"configure changed web"}, orders)
    assert.are.same({inotify = 0, polling = 1, command = 0}, one.reads)
  end)

  it("keeps services that were found in ZooKeeper", function()
    begin({a = service("/a"), b = service("/b")})
    local one_found = config.parse(cjson.encode(
      {services = {["b-2"] = service("/b-2")}}), {}).services[1]
    one_found.found = {}
    table.insert(agent.services, one_found)
    write({b = service("/b"), c = service("/c")})
    look()
    assert.are.same({"configure removed a, configure added c"}, orders)
  end)

  it("has the files' service in place of one that was found", function()
    begin({a = service("/a"), b = service("/b")})
    agent.services[2].found = {}
    write({a = service("/a"), b = service("/b")})
    ask()
    assert.are.same({"configure removed b, configure added b"}, orders)
    assert.are.same({"2 {}"}, expected)
  end)

  it("does not count found services where many leave", function()
    local all = {}
    for i = 1, 5 do
      all["s" .. i] = service("/" .. i)
    end
    begin(all)
    for i = 1, 5 do
      table.insert(agent.services, config.parse(cjson.encode(
        {services = {["z" .. i] = service("/z")}}), {}).services[1])
      agent.services[#agent.services].found = {}
    end
    write({s1 = all.s1, s2 = all.s2})
    look()
    assert.are.same({}, orders)
  end)

  -- After an error of its own the agent waits for what the files say.
  it("has the agent go on where the files cannot be read", function()
    begin({web = service()})
    for _, text in ipairs({false, "wrong"}) do
      files[FILE], agent.changes.is_paused = text, true
      one:distrust()
      one:turn()
      assert.is_true(agent.changes.is_paused)
      look()
      assert.is_false(agent.changes.is_paused)
    end
  end)

  it("waits while a file goes on changing", function()
    begin({web = service()})
    for number = 1, 5 do
      write({web = service("/" .. number)})
      clock.pass(1)
      one:turn()
    end
    assert.are.same({}, orders)
    clock.pass(1)
    one:turn()
    assert.are.equal(1, #orders)
  end)

  -- As a directory looks while it is copied.
  it("takes away more than half of the services only when asked", function()
    local all = {}
    for i = 1, 5 do
      all["s" .. i] = service("/" .. i)
    end
    begin(all)
    write({s1 = all.s1, s2 = all.s2})
    look()
    look()
    assert.are.same({}, orders)
    local doubt = "3 of 5 services would leave (s3, s4, s5); `synapse " ..
      "reload` or a reload of HAProxy does that"
    assert.are.same({doubt}, one.errors)
    assert.are.equal(1, log.count(doubt .. "; nothing is changed"))
    assert.are.equal("done", ask().result)
    assert.are.same({}, one.errors)
    assert.are.same({"configure removed s3, configure removed s4, " ..
      "configure removed s5"}, orders)
  end)

  it("takes away half of them, or two of two, unasked", function()
    begin({a = service("/a"), b = service("/b")})
    write({})
    look()
    assert.are.equal(1, #orders)
    local all = {}
    for i = 1, 6 do
      all["s" .. i] = service("/" .. i)
    end
    begin(all)
    write({s1 = all.s1, s2 = all.s2, s3 = all.s3})
    look()
    assert.are.equal(2, #orders)
  end)

  it("follows the files of service_conf_dir", function()
    files[DIRECTORY .. "/web.json"] = cjson.encode(service())
    begin({}, {service_conf_dir = DIRECTORY})
    look()
    assert.are.same({}, orders)
    files[DIRECTORY .. "/notes.txt"] = "not ours"
    files[DIRECTORY .. "/.web.json.swp"] = "not ours"
    look()
    assert.are.same({}, orders)
    files[DIRECTORY .. "/api.json"] = cjson.encode(service("/api"))
    look()
    files[DIRECTORY .. "/web.json"] = nil
    look()
    assert.are.same({"configure added api", "configure removed web, " ..
      "configure added api"}, orders)
  end)

  it("follows the files of another service_conf_dir", function()
    begin({})
    write({}, {service_conf_dir = DIRECTORY})
    ask()
    files[DIRECTORY .. "/web.json"] = cjson.encode(service())
    look()
    assert.are.same({"", "configure added web"}, orders)
  end)

  it("keeps its answer for whoever has not read it yet", function()
    begin({web = service()})
    ask()
    one:turn()
    assert.are.equal("done", one.said.result)
  end)

  it("reads a file that has changed since HAProxy read it", function()
    for _, more in ipairs({{}, {service_conf_dir = DIRECTORY}}) do
      orders = {}
      begin({}, more, function() write({web = service()}, more) end)
      look()
      assert.are.same({"configure added web"}, orders)
    end
  end)

  it("answers with a line for each change", function()
    begin({web = service(), api = service("/api")})
    assert.are.same({result = "done",
      message = FILE .. " is what is served already"}, ask())
    write({web = service("/other")})
    assert.are.same({result = "done", message = "api: leaves; its slots are " ..
      "emptied\nweb: discovery.path applied"}, ask())
    assert.are.equal(0, log.count("has no mistake any more"))
  end)

  it("says once in the log what needs a reload, and keeps it", function()
    begin({web = service()})
    objection = "backend api is not in haproxy.cfg"
    write({web = service(), api = service("/api")}, {session_timeout = 20})
    look()
    local needs = {
      "session_timeout: needs a reload: it is read when HAProxy loads",
      "api: needs a reload: backend api is not in haproxy.cfg"}
    assert.are.same({result = "pending", message = table.concat(needs, "\n")},
      ask())
    assert.are.same(needs, one.needs)
    assert.are.equal(1, log.count("api: needs a reload"))
    assert.are.equal(1, log.count("session_timeout: needs a reload"))
    objection = nil
    write({web = service()})
    ask()
    assert.are.same({}, one.needs)
  end)

  it("says that once, also with what was applied", function()
    begin({web = service()})
    local changed = service()
    changed.max_instances, changed.haproxy = 7, {slots = 3}
    write({web = changed})
    ask()
    assert.are.equal(1, log.count(
      "warning: " .. FILE .. ": web: max_instances applied; needs a reload"))
    agent.services[1].max_instances = 7
    assert.are.equal("pending", ask().result)
    assert.are.equal(1, log.count("needs a reload"))
  end)

  it("changes nothing by a wrong file, and says so once", function()
    begin({web = service()})
    write({web = {discovery = {method = "zookeeper", path = "/x"}}})
    look()
    local said = ask()
    assert.are.equal("failed", said.result)
    assert.is_truthy(said.message:find("services.web.discovery.hosts", 1,
      true))
    assert.are.equal(1, #one.errors)
    assert.are.same({}, orders)
    assert.are.equal(1, log.count("services.web.discovery.hosts"))
    write({web = service()})
    look()
    assert.are.same({}, one.errors)
    assert.are.equal(1, log.count("has no mistake any more"))
  end)

  it("says each time that HAProxy's user cannot read the file, once", function()
    begin({web = service()})
    files[FILE] = nil
    look()
    assert.are.equal("failed", ask().result)
    assert.are.equal(1, log.count("cannot be read by HAProxy's user: " ..
      "Permission denied"))
    assert.are.same({}, one.errors)
    write({web = service()})
    assert.are.equal("done", ask().result)
    files[FILE] = nil
    assert.are.equal("failed", ask().result)
    assert.are.equal(2, log.count("cannot be read by HAProxy's user"))
  end)

  it("says it when HAProxy runs, before anything has changed", function()
    begin({web = service()})
    files[FILE] = nil
    one:begin()
    look()
    assert.are.equal(1, log.count("cannot be read by HAProxy's user: " ..
      "Permission denied"))
  end)

  it("says the same of a file of service_conf_dir", function()
    files[DIRECTORY .. "/web.json"] = cjson.encode(service())
    begin({}, {service_conf_dir = DIRECTORY})
    files[DIRECTORY .. "/web.json"] = false
    assert.are.equal("failed", ask().result)
    assert.are.equal(1, log.count("cannot be read by HAProxy's user: " ..
      DIRECTORY .. "/web.json: Permission denied"))
    assert.are.same({}, one.errors)
    assert.are.same({}, orders)
  end)

  it("reads the files again after an error of the agent", function()
    begin({web = service()})
    one:distrust()
    look()
    assert.are.same({""}, orders)
  end)

  it("uses a password that was read at load", function()
    local with_secret = service()
    with_secret.discovery.auth = {user = "u", password_file = "/root/secret"}
    begin({web = service()})
    write({web = with_secret})
    assert.is_truthy(ask().message:find(
      "needs a reload: .*password_file: /root/secret: "))
    one.deps.secrets["/root/secret"] = "p\n"
    assert.are.equal("web: discovery.auth applied", ask().message)
  end)

  -- It was read in a way that waits for the writer of a FIFO.
  it("reads a new password like the other files", function()
    local with_secret = service()
    with_secret.discovery.auth = {user = "u", password_file = "/no/secret"}
    begin({web = service()})
    files["/no/secret"] = "p\n"
    write({web = with_secret})
    assert.are.equal("web: discovery.auth applied", ask().message)
  end)

  it("gives other work its turn after the look at each file", function()
    for i = 1, 5 do
      files[DIRECTORY .. "/s" .. i .. ".json"] = cjson.encode(service())
    end
    begin({}, {service_conf_dir = DIRECTORY})
    turned = 0
    clock.pass(1)
    one:turn()
    assert.are.equal(5, turned)
  end)

  -- HAProxy stood still while a server of files did not answer.
  it("reads files of a network file system only when asked to", function()
    remote = {[DIRECTORY] = "NFS"}
    begin({}, {service_conf_dir = DIRECTORY})
    assert.are.same({}, followed)
    assert.are.equal(1, log.count("warning: " .. DIRECTORY .. ": is on a " ..
      "network file system (NFS): its changes are read by `synapse reload` " ..
      "only"))
    files[DIRECTORY .. "/web.json"] = cjson.encode(service())
    disk.stamp = function() error("not asked for") end
    look()
    one:notice()
    one:turn()
    disk.stamp = function(_, path) return stamp(path) end
    assert.are.same({}, orders)
    assert.is_false(one.is_noticed)
    assert.are.equal("done", ask().result)
    assert.are.equal(1, one.reads.command)
    assert.are.same({"configure added web"}, orders)
    assert.are.equal(1, log.count("network file system"))
    orders = {}
    one:distrust()
    look()
    assert.are.equal(1, #orders)
    remote = {}
    ask()
    files[DIRECTORY .. "/web.json"] = nil
    orders = {}
    look()
    assert.are.equal(1, #orders)
  end)

  it("does not even look at such a file when HAProxy runs", function()
    remote = {[FILE] = "FUSE"}
    begin({web = service()})
    files[FILE] = nil
    one:begin()
    look()
    assert.are.equal(0, log.count("cannot be read"))
  end)

  it("says when the agent has not done it", function()
    begin({web = service()})
    is_stuck = true
    write({web = service("/other")})
    local said = ask()
    assert.are.equal("failed", said.result)
    assert.is_truthy(said.message:find("has not done it yet", 1, true))
    assert.are.same({}, orders)
    is_stuck = false
    look()
    assert.are.same({"configure changed web"}, orders)
  end)

  it("says what the agent has not done, once it has begun", function()
    begin({web = service()})
    agent.changes.are_done = function() return false end
    write({web = service("/other")})
    assert.are.same({result = "failed", message = "the agent has not done " ..
      "it yet, see its log:\nweb: discovery.path applied"}, ask())
    assert.are.same({"configure changed web"}, orders)
  end)

  -- The files were read again in each turn, with an error each time.
  it("answers after an error too, once", function()
    begin({web = service()})
    local number, order = one:ask(), agent.order
    agent.order = function() error("broken") end
    assert.has_error(function() one:turn() end)
    assert.is_true(one.answered < number)
    one:turn()
    assert.are.equal(number, one.answered)
    assert.are.equal("failed", one.said.result)
    agent.order = order
    assert.are.equal("done", ask().result)
  end)

  it("tells the warnings of the file once", function()
    begin({web = service()})
    write({web = service("/other")}, {sessoin_timeout = 1})
    look()
    ask()
    assert.are.equal(1, log.count("sessoin_timeout"))
  end)
end)
