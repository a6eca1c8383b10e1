local commands = require("synapse.haproxy.commands")

local function command(text)
  return {text = text, field = "admin"}
end

describe("a batch", function()
  it("is one line of commands parted by semicolons", function()
    local batch = commands.batch()
    commands.add(batch, {command("a"), command("b")}, "web")
    commands.add(batch, {command("c")}, "api")
    assert.are.equal("a;b;c", commands.line(batch))
    assert.are.equal("api", batch[3].owner)
  end)

  it("stays below what HAProxy reads at once", function()
    local batch, added = commands.batch(), 0
    while commands.add(batch, {command(("x"):rep(100))}, "web") do
      added = added + 1
    end
    assert.are.equal(118, added)
    assert.is_true(#commands.line(batch) <= 12000)
  end)

  it("takes a group as a whole or not at all", function()
    local batch = commands.batch()
    commands.add(batch, {command(("x"):rep(11990))}, "web")
    assert.is_false(commands.add(batch,
      {command("short"), command("also short")}, "web"))
    assert.are.equal(1, #batch)
  end)

  it("has few questions, because their answers are long", function()
    local batch, added = commands.batch(), 0
    while commands.add(batch, {commands.query("web", 100)}, "web") do
      added = added + 1
    end
    assert.are.equal(2, added)
  end)

  it("takes a question about a backend of any size", function()
    assert.is_true(commands.add(commands.batch(),
      {commands.query("web", 5000)}, "web"))
  end)
end)

describe("what HAProxy sends", function()
  it("is parted into one answer for each command", function()
    assert.are.same({"", "IP changed from '1' to '2'", "", "No such server."},
      commands.answers(
        "\nIP changed from '1' to '2'\n\n\nNo such server.\n\n"))
  end)

  it("keeps the lines of a long answer together", function()
    assert.are.same({"1\n# heading\na b", ""},
      commands.answers("1\n# heading\na b\n\n\n"))
  end)

  it("has no answer where it was cut", function()
    assert.are.same({""}, commands.answers("\nIP changed"))
    assert.are.same({""}, commands.answers("\nIP changed\n"))
  end)
end)

describe("a command", function()
  local moved = "IP changed from '127.0.0.1' to '10.0.0.1', port changed " ..
    "from '1' to '80' by 'stats socket command'"
  local cases = {
    {"admin", "", true},
    {"weight", "", true},
    {"admin", "No such server.", false},
    {"weight", "Backend is using a static LB algorithm", false},
    {"addr", moved, true},
    {"addr", "no need to change the addr, port changed from '1' to '2'", true},
    {"addr", "Invalid addr format.", false},
    {"addr", "", false},
    {"fqdn", "web/n1 changed its FQDN from (null) to a.b by 'stats socket " ..
      "command'", true},
    {"fqdn", "no need to change the FDQN by 'stats socket command'", true},
    {"fqdn", "set server <b>/<s> fqdn failed because no resolution is " ..
      "configured.", false},
    {"fqdn", "could not update web/n1 FQDN by 'stats socket command'", false},
    {"add", "New server registered.", true},
    {"del", "Server deleted.", true},
    {"del", "Server still has connections attached to it, cannot remove it.",
      true},
    {"del", "No such server.", false},
    {"add", "Already exists a server with the same name in backend.", false},
    {"add", "", false},
    {"backend", "New backend registered.", true},
    {"backend", "Backend 'www' has no name.\nNew backend registered.", true},
    {"backend", "New backend registered (no support for dynamic servers: " ..
      "x).", false},
    {"backend", "Cannot find default proxy 'x'.", false},
    {"publish", "Backend published.", true},
    {"publish", "No such backend.", false},
    {"enable", "", true},
    {"enable", "No such server.", false},
  }
  for _, case in ipairs(cases) do
    it(string.format("for %s answered by %q is %s", case[1],
      case[2]:sub(1, 20), case[3] and "done" or "refused"), function()
      assert.are.equal(case[3], commands.is_done({field = case[1]}, case[2]))
    end)
  end
end)

it("tells a refusal from the next answer though no empty line follows",
  function()
    local refusal = "Backend must use a dynamic load balancing to support " ..
      "dynamic servers."
    assert.are.same({"", refusal, refusal, "No such server."},
      commands.answers("\n" .. refusal .. "\n" .. refusal ..
        "\nNo such server.\n\n"))
  end)

describe("the state of the servers", function()
  local heading = "1\n# be_id be_name srv_id srv_name srv_addr\n"
  local function line(name, host, admin, weight, port)
    return string.format("3 web 1 %s %s 2 %d %d 7 12 6 3 4 6 0 0 0 - %d - " ..
      "0 0 - - 0\n", name, host, admin, weight, port)
  end

  it("tells address, weight and admin state", function()
    local states = commands.states(heading ..
      line("s1", "10.0.0.1", 0, 7, 80) .. line("s2", "::1", 0, 0, 81))
    assert.are.same({
      s1 = {id = 1, host = "10.0.0.1", port = 80, weight = 7, initial = 7,
        admin = "ready", is_tls = false, check = "passes"},
      s2 = {id = 1, host = "::1", port = 81, weight = 0, initial = 7,
        admin = "ready", is_tls = false, check = "passes"},
    }, states)
  end)

  -- The page called an answer that a check did not expect "not understood".
  for status, why in pairs({[5] = "no socket", [7] = "no connection in time",
    [8] = "connection refused or lost", [10] = "no TLS handshake in time",
    [11] = "TLS handshake failed", [12] = "no answer in time",
    [13] = "unexpected answer", [17] = "wrong status",
    [18] = "program failed", [19] = "program not done in time",
    [99] = "unknown"})
  do
    it("tells what a check met: " .. why, function()
      local server = commands.states(heading .. string.format("3 web 1 s1 " ..
        "::1 0 0 1 1 12 %d 2 0 6 0 0 0 - 80 - 0 0 - - 0\n", status)).s1
      assert.are.equal(why ~= "unknown" and why or nil, server.check_why)
    end)
  end

  it("tells the name that is resolved, and that it has no address", function()
    local states = commands.states(heading ..
      (line("n1", "-", 32, 7, 80):gsub("%- 80 %-", "One.E2E 80 -")))
    assert.are.same({"one.e2e", "-", "ready"},
      {states.n1.fqdn, states.n1.host, states.n1.admin})
  end)

  it("tells who speaks TLS", function()
    local states = commands.states(heading ..
      (line("s1", "::1", 0, 7, 80):gsub("0 0 %- %- 0\n$", "1 0 - - 0\n")))
    assert.is_true(states.s1.is_tls)
  end)

  -- HAProxy says -1 of a server with `no-ssl`: its line was not understood, so
  -- a backend with that option lost all its slots.
  it("tells who must not speak TLS", function()
    local states = commands.states(heading ..
      (line("s1", "::1", 0, 7, 80):gsub("0 0 %- %- 0\n$", "-1 0 - - 0\n")))
    assert.is_false(states.s1.is_tls)
  end)

  local checks = {
    {2, 0, 6, "passes"}, {1, 0, 7, "passes"}, {3, 0, 6, "passes"},
    {0, 0, 6, "fails"}, {0, 8, 6, "fails"}, {0, 1, 14, nil},
    {2, 0, 0, "none"}, {2, 0, 8, "none"}, {2, 0, 2, "none"},
    {0, 1, 8, "none"},
  }
  for _, case in ipairs(checks) do
    it(string.format("tells of operation %d, admin %d and check %d: %s",
      case[1], case[2], case[3], case[4]), function()
      local text = string.format("3 web 1 s1 ::1 %d %d 1 1 9 6 3 4 %d 0 0 0 " ..
        "- 80 - 0 0 - - 0\n", case[1], case[2], case[3])
      assert.are.equal(case[4], commands.states(heading .. text).s1.check)
    end)
  end

  local admins = {
    [0] = "ready", [4] = "ready", [1] = "maint", [5] = "maint",
    [8] = "drain", [12] = "drain", [9] = "maint",
  }
  for bits, admin in pairs(admins) do
    it("reads the bits " .. bits .. " as " .. admin, function()
      local states = commands.states(heading ..
        line("s1", "10.0.0.1", bits, 7, 80))
      assert.are.equal(admin, states.s1.admin)
    end)
  end

  -- HAProxy restores a server by the clock on the wall and tells its age by a
  -- clock that lags behind that one. The slot was taken for one that is gone.
  it("is known of a server that changes only in the future", function()
    local text = line("s1", "10.0.0.1", 0, 7, 80):gsub(" 7 12 6 ", " 7 -1 6 ")
    assert.are.equal("ready", commands.states(heading .. text).s1.admin)
    local starting = text:gsub("^(%S+ %S+ %S+ %S+ %S+) 2 ", "%1 1 ")
    assert.are.equal(0, commands.states(heading .. starting).s1.warming)
  end)

  it("is not read from anything else", function()
    assert.are.same({nil, "Can't find backend."},
      {commands.states("Can't find backend.")})
  end)

  -- What cannot be read says nothing of its server, least of all that it is
  -- gone.
  it("is not read from a part of it", function()
    local text = heading .. line("s1", "10.0.0.1", 0, 7, 80) .. "3 web 2 s2\n"
    assert.are.same({nil, "3 web 2 s2"}, {commands.states(text)})
  end)
end)

describe("the file of servers to restore", function()
  it("is one that HAProxy reads, with the admin states of `disabled`",
    function()
      local lines = {}
      for line in commands.state_file({
        {backend = "web", slot = "s1", host = "10.0.0.1", port = 80,
          admin = "ready", age = 7},
        {backend = "web", slot = "s2", host = "::1", port = 81,
          admin = "drain", age = 0},
        {backend = "web", slot = "s3", host = "::1", port = 81,
          admin = "maint", age = 0},
      }):gmatch("[^\n]+") do
        lines[#lines + 1] = line
      end
      -- HAProxy took the next column for an order to speak no TLS.
      assert.is_truthy(lines[2]:find(" srvrecord$"))
      local _, columns = lines[2]:gsub("%S+", "")
      assert.are.equal("1", lines[1])
      for i, words in ipairs({"s1 10.0.0.1 2 4 0 0 7", "s2 ::1 2 12 0 0 0",
        "s3 ::1 2 5 0 0 0"})
      do
        local _, number = lines[i + 2]:gsub("%S+", "")
        assert.are.equal(columns - 1, number)
        assert.is_truthy(lines[i + 2]:find("1 web 1 " .. words, 1, true))
      end
    end)
end)

describe("an address", function()
  local said = {
    "IP changed from 'a' to 'b', port changed from '1' to '2' by 'x'",
    "no need to change the addr, port changed from '1' to '2' by 'x'",
    "port changed from '1' to '21206' by 'x'", "nothing changed",
  }
  for _, answer in ipairs(said) do
    it("is set where HAProxy says: " .. answer, function()
      assert.is_true(commands.is_done({field = "addr"}, answer))
    end)
  end

  it("is not where it says anything else", function()
    assert.is_false(commands.is_done({field = "addr"}, "Invalid addr"))
    assert.is_false(commands.is_done({field = "addr"}, ""))
  end)
end)
