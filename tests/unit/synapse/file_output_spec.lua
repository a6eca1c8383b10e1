local output = require("synapse.file_output")
local new_clock = dofile("tests/fake/clock.lua")
local new_log = dofile("tests/fake/log.lua")

describe("the file of a service", function()
  -- F3 of airbnb's tests is a default server; its other rows are about when a
  -- file is written, below.
  local cases = {
    {"nobody", {}, "[]"},
    {"a default server",
      {{host = "somehost", port = 5555, name = "x"}},
      '[{"name":"x","host":"somehost","port":5555}]'},
    {"a znode that says nothing more",
      {{host = "10.0.0.1", port = 3000, name = "i-1", znode = "i-1_0000000005",
        sequence = 5}},
      '[{"name":"i-1","host":"10.0.0.1","port":3000,"id":5,"weight":null,' ..
        '"haproxy_server_options":null,"labels":null}]'},
    {"a znode that says all, and one without a number",
      {{host = "::1", port = 1, znode = "a_1", sequence = 1, weight = 7,
        name = 'a"b', options = "maxconn 5",
        labels = {zone = "a", rack = 3, spot = true}},
       {host = "10.0.0.2", port = 2, znode = "b", labels = {}}},
      '[{"name":"a\\"b","host":"::1","port":1,"id":1,"weight":7,' ..
        '"haproxy_server_options":"maxconn 5",' ..
        '"labels":{"rack":3,"spot":true,"zone":"a"}},' ..
        '{"name":null,"host":"10.0.0.2","port":2,"id":null,"weight":null,' ..
        '"haproxy_server_options":null,"labels":{}}]'},
  }
  for _, case in ipairs(cases) do
    it("tells of " .. case[1], function()
      assert.are.equal(case[3], output.encode(case[2]))
    end)
  end
end)

describe("the output", function()
  local clock, log, done, files, web, one, tired

  local function new_service(name)
    local made = {name = name, instances = {}}
    function made.serving()
      return made.instances
    end
    return made
  end

  local function started(name, text)
    table.insert(done, text and name .. " " .. text or "no " .. name)
    return #done
  end

  local function new(...)
    one = output.new({
      directory = {read = function(_, name) return files[name] end},
      path = "/files", services = {...}, now = clock.now, log = log,
      is_tired = function() return tired end,
      write = function(name, text, mode)
        assert.are.equal(tonumber("644", 8), mode)
        return started(name, text)
      end,
      remove = started,
    })
  end

  -- Lets what is under way end, and all that follows.
  local function run(code)
    for _ = 1, 9 do
      one:tick()
      one:take({request = #done, code = code or 0, error = "No."})
    end
  end

  before_each(function()
    clock, log, done, files = new_clock(), new_log(), {}, {}
    tired = false
    web = new_service("web")
  end)

  it("writes nothing but its list before anything is known", function()
    new(web)
    run()
    assert.are.same({".myelin web.json\n"}, done)
  end)

  it("writes what is known, and once (F2)", function()
    new(web)
    for _ = 1, 2 do
      one:changed(web)
      clock.pass(0.1)
      run()
    end
    assert.are.same({".myelin web.json\n", "web.json []"}, done)
    web.instances = {{host = "10.0.0.1", port = 80}}
    one:changed(web)
    clock.pass(1)
    run()
    assert.are.equal('web.json [{"name":null,"host":"10.0.0.1","port":80}]',
      done[3])
  end)

  -- The file of a service of thousands whose instances came one by one was
  -- written again ten times a second, each time in one go.
  it("writes a file once a second at most, and the last state of it", function()
    new(web)
    run()
    for i = 1, 30 do
      web.instances = {{host = "10.0.0.1", port = i}}
      one:changed(web)
      clock.pass(0.1)
      run()
    end
    assert.is_true(#done <= 5)
    clock.pass(1)
    run()
    assert.are.equal('web.json [{"name":null,"host":"10.0.0.1","port":30}]',
      done[#done])
  end)

  -- Each service that changed put all files off.
  it("writes while one service after the other changes", function()
    local all = {}
    for i = 1, 20 do
      all[i] = new_service("w" .. i)
    end
    new(table.unpack(all))
    run()
    for _, service in ipairs(all) do
      one:changed(service)
      clock.pass(0.04)
      one:tick()
      one:take({request = #done, code = 0})
    end
    assert.is_true(#done > 3)
  end)

  it("encodes a large file in slices", function()
    for i = 1, 200 do
      web.instances[i] = {host = "10.0.0.1", port = i}
    end
    new(web)
    run()
    tired = true
    one:changed(web)
    clock.pass(0.1)
    for _ = 1, 4 do
      one:tick()
      assert.are.equal(1, #done)
    end
    one:tick()
    assert.are.equal("web.json " .. output.encode(web.instances), done[2])
  end)

  it("leaves a file as it is that says the same already", function()
    files["web.json"] = "[]"
    new(web)
    one:changed(web)
    clock.pass(0.1)
    run()
    assert.are.same({".myelin web.json\n"}, done)
  end)

  it("removes its own files of services that are gone, and no other",
    function()
      files[".myelin"] = "web.json\nold.json\n../../etc/x.json\nother\n"
      new(web)
      run()
      assert.are.same({"no old.json", ".myelin web.json\n"}, done)
    end)

  it("has none for a service that wants none", function()
    new()
    one:changed(web)
    clock.pass(0.1)
    run()
    assert.are.same({".myelin \n"}, done)
  end)

  it("tries a failed write again later, and says so once", function()
    new(web)
    run()
    one:changed(web)
    clock.pass(0.1)
    run(28)
    clock.pass(10)
    run(28)
    clock.pass(10)
    run()
    assert.are.same({".myelin web.json\n", "web.json []", "web.json []",
      "web.json []"}, done)
    assert.are.equal(1, log.count("error: /files/web.json: cannot be written"))
    assert.are.equal(1, log.count("written again"))
  end)

  it("does nothing where no directory is, or when it is over", function()
    one = output.new({services = {web}, now = clock.now, log = log})
    one:changed(web)
    one:tick()
    new(web)
    one:stop()
    run()
    assert.are.same({}, done)
  end)

  it("begins with a file, and ends it, as a service wants it", function()
    new(web)
    run()
    done = {}
    local api = new_service("api")
    one:want(api, true)
    one:changed(api)
    clock.pass(1)
    run()
    assert.are.same({".myelin api.json\nweb.json\n", "api.json []"}, done)
    done = {}
    one:want(api, true)
    one:want(api, false)
    one:changed(api)
    clock.pass(1)
    run()
    assert.are.same({"no api.json", ".myelin web.json\n"}, done)
  end)

  -- The file came back, and was not in the list.
  it("does not write a file again that is not wanted any more", function()
    new(web)
    run()
    one:changed(web)
    clock.pass(0.1)
    one:tick()
    one:want(web, false)
    one:take({request = #done, code = 28, error = "No."})
    done = {}
    clock.pass(10)
    run()
    assert.are.same({"no web.json", ".myelin \n"}, done)
    one:changed(web)
    clock.pass(1)
    run()
    assert.are.equal(2, #done)
  end)

  it("writes the file of the service that has the name now", function()
    local other = new_service("web")
    other.instances = {{host = "10.0.0.1", port = 80}}
    new(web)
    run()
    one:changed(web)
    clock.pass(0.1)
    one:tick()
    one:want(web, false)
    one:want(other, true)
    one:take({request = #done, code = 0})
    done = {}
    one:changed(other)
    one:changed(web)
    one:want(web, false)
    clock.pass(1)
    run()
    assert.are.same({"no web.json", ".myelin web.json\n",
      "web.json " .. output.encode(other.instances)}, done)
  end)

  it("writes a file again that was removed while it was written", function()
    new(web)
    run()
    one:changed(web)
    clock.pass(0.1)
    one:tick()
    one:want(web, false)
    one:want(web, true)
    one:take({request = #done, code = 0})
    done = {}
    one:changed(web)
    clock.pass(1)
    run()
    assert.are.same({"no web.json", ".myelin web.json\n", "web.json []"}, done)
  end)

  -- A thousand services that came were a thousand lists.
  it("writes its list once for all that changed", function()
    new(web)
    run(28)
    for i = 1, 100 do
      one:want(new_service("w" .. i), true)
      one:want(web, i % 2 == 0)
    end
    done = {}
    clock.pass(10)
    run()
    assert.are.equal(2, #done)
    assert.are.equal("no web.json", done[1])
  end)
end)
