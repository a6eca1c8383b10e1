local counters = require("synapse.haproxy.counters")
local new_clock = dofile("tests/fake/clock.lua")

local function none() end

-- A line of `show stat`: all columns are 0 but these.
local function line(columns)
  local fields = {}
  for i = 1, 90 do
    fields[i] = columns[i] or "0"
  end
  return table.concat(fields, ",") .. "\n"
end

describe("the answer to `show stat`", function()
  it("is read by server", function()
    local rows = counters.parse("# pxname,svname,qcur\n" .. line({[1] = "web",
      [2] = "s1", [3] = "1", [5] = "2", [14] = "3", [15] = "4", [24] = "5",
      [34] = "6", [37] = "L7STS", [38] = "503", [44] = "7",
      [57] = '"say ""no"", now"'}) .. line({[1] = "web", [2] = "BACKEND",
      [37] = "", [38] = "", [57] = ""}) .. "\n", none)
    assert.are.same({sessions = 2, queue = 1, requests_per_s = 6, errors = 14,
      last_change = 5, check = "L7STS", check_code = 503,
      check_said = 'say "no", now'}, rows.s1)
    assert.are.same({sessions = 0, queue = 0, requests_per_s = 0, errors = 0,
      last_change = 0}, rows.BACKEND)
  end)

  it("may be anything else, and is then nothing", function()
    assert.are.same({}, counters.parse("Unknown command.\n\n", none))
  end)
end)

describe("counters", function()
  local clock, sent, web, api, one

  before_each(function()
    clock, sent = new_clock(), {}
    web, api = {number = 3, errors_before = {}},
      {number = 5, errors_before = {}}
    one = counters.new({
      now = clock.now, id = function(service) return service.number end,
      send = function(text)
        table.insert(sent, text)
        return 100 + #sent
      end,
    })
  end)

  it("leave out the errors of who was in a slot before", function()
    web.errors_before = {s1 = 7, s2 = 9, s3 = 1}
    one:ask({web})
    one:take({request = 101, data = line({[2] = "s1", [14] = "8"}) ..
      line({[2] = "s2", [14] = "8"}) .. line({[2] = "s4", [14] = "8"}) .. "\n"})
    local rows = one:of(web, none)
    assert.are.same({1, 0, 8},
      {rows.s1.errors, rows.s2.errors, rows.s4.errors})
  end)

  it("are asked for together, and not twice within a second", function()
    one:ask({web, api})
    one:ask({web})
    assert.are.same({"show stat 3 6 -1;show stat 5 6 -1"}, sent)
    assert.is_true(one:is_waiting({api}))
    one:take({request = 101, data = line({[2] = "s1", [5] = "2"}) .. "\n" ..
      line({[2] = "s1", [5] = "3"}) .. "\n"})
    assert.is_false(one:is_waiting({web, api}))
    assert.are.same({2, 3},
      {one:of(web, none).s1.sessions, one:of(api, none).s1.sessions})
    one:ask({web})
    assert.are.equal(1, #sent)
    clock.pass(1)
    one:ask({web})
    assert.are.equal("show stat 3 6 -1", sent[2])
  end)

  it("are not kept of a service that was forgotten meanwhile", function()
    one:ask({web})
    one:forget(web)
    one:take({request = 101, data = line({[2] = "s1"}) .. "\n"})
    assert.is_nil(next(one.answers))
  end)

  it("are unknown without an answer, and asked for again", function()
    one:ask({web})
    one:take({request = 999, data = ""})
    assert.are.same({}, one:of(web, none))
    one:take({request = 101, error = "timeout"})
    assert.are.same({}, one:of(web, none))
    clock.pass(1)
    one:ask({web})
    clock.pass(11)
    one:ask({web})
    assert.are.equal(3, #sent)
  end)
end)
