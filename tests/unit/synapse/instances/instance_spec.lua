local cjson = require("cjson.safe")
local decode = require("synapse.zookeeper.decode")
local instance = require("synapse.instances.instance")

local PLAIN = decode.new({method = "nerve"})

local function cases(name)
  local file = assert(io.open("tests/data/instance/" .. name .. ".json"))
  local list = assert(cjson.decode(file:read("a")))
  file:close()
  return list
end

-- Data that is no text is written in hexadecimal digits.
local function data_of(case)
  return case.data or (case.hex:gsub("%x%x", function(digits)
    return string.char(tonumber(digits, 16))
  end))
end

local function base64_name(data, sequence)
  local process = {
    ['{"host":"127.0.0.1","port":3000,"name":"i-xxxxxx"}'] =
      "eyJob3N0IjoiMTI3LjAuMC4xIiwicG9ydCI6MzAwMCwibmFtZSI6ImkteHh4eHh4In0=",
    ['{"host":"10.0.0.1","port":80}'] =
      "eyJob3N0IjoiMTAuMC4wLjEiLCJwb3J0Ijo4MH0=",
    ["rubbish"] = "cnViYmlzaA==",
  }
  local text = assert(process[data])
  return string.format("base64_%d_%s_%s", #text, text, sequence)
end

-- A name of so many groups of base64, most of which stand for blanks.
local function blank_name(groups)
  local start = "eyJob3N0IjoiMTAuMC4wLjEiLCJwb3J0Ijo4MH0g"
  return string.format("base64_%d_%s_0000000001", 4 * groups,
    start .. ("ICAg"):rep(groups - #start // 4))
end

describe("a znode that was read", function()
  for _, case in ipairs(cases("accepted")) do
    it("is an instance with " .. case.about, function()
      local stat = {data_length = #case.data, czxid = 12}
      local made, problems = instance.from_data(case.znode, case.data, stat,
        PLAIN)
      assert.are.equal(case.key, made.key)
      assert.are.equal(case.name, made.name)
      assert.are.equal(case.weight, made.weight)
      assert.are.equal(case.server_weight, made.server_weight)
      assert.are.equal(case.maxconn, made.maxconn)
      assert.are.equal(case.backup, made.is_backup)
      assert.are.equal(case.sequence, made.sequence)
      assert.are.equal(case.znode, made.znode)
      assert.are.equal(12, made.czxid)
      assert.are.same(case.problems or {}, problems)
    end)
  end

  for _, case in ipairs(cases("refused")) do
    it("is refused with " .. case.about, function()
      local data = data_of(case)
      local made, why = instance.from_data("a_0000000001", data,
        {data_length = #data}, PLAIN)
      assert.is_nil(made)
      assert.is_truthy(why:find(case.why, 1, true), why)
    end)
  end

  it("is refused when its data is too long", function()
    local data = ("x"):rep(65537)
    local made, why = instance.from_data("a", data, {data_length = #data},
      PLAIN)
    assert.is_nil(made)
    assert.are.equal("has 65537 bytes of data (at most 65536)", why)
  end)

  it("is refused when its data was cut", function()
    local made, why = instance.from_data("a", "{}", {data_length = 3}, PLAIN)
    assert.is_nil(made)
    assert.is_truthy(why:find("has 3 bytes of data", 1, true))
  end)

  it("may have 65,536 bytes of data", function()
    local data = '{"host":"10.0.0.1","port":80}'
    data = data .. (" "):rep(65536 - #data)
    assert.are.equal("10.0.0.1:80", instance.from_data("a", data,
      {data_length = #data}, PLAIN).key)
  end)

  it("is quoted up to 40 bytes when it is refused", function()
    for number, dots in pairs({[40] = "", [41] = "..."}) do
      local _, why = instance.check({host = ("-"):rep(number), port = 1})
      assert.are.equal('host: "' .. ("-"):rep(40) .. '"' .. dots ..
        " is not an IP address, nor a host name", why)
    end
  end)

  it("may have a name of 255 bytes", function()
    local function name_of(name)
      return instance.check({host = "10.0.0.1", port = 1, name = name}).name
    end
    local name = ("n"):rep(255)
    assert.are.equal(name, name_of(name))
    assert.is_nil(name_of(name .. "n"))
  end)

  it("is not quoted at length when it is refused", function()
    local data = '{"host":"' .. ("x"):rep(5000) .. '","port":1}'
    local _, why = instance.from_data("a", data, {data_length = #data},
      PLAIN)
    assert.is_true(#why < 150)
  end)

  it("holds a port as an integer", function()
    local data = '{"host":"10.0.0.1","port":80}'
    local made = instance.from_data("a", data, {data_length = #data},
      PLAIN)
    assert.are.equal("integer", math.type(made.port))
  end)
end)

describe("a name that carries data", function()
  it("is an instance without a read", function()
    local data = '{"host":"127.0.0.1","port":3000,"name":"i-xxxxxx"}'
    local made = instance.from_name(base64_name(data, "0000000003"), PLAIN)
    assert.are.equal("127.0.0.1:3000", made.key)
    assert.are.equal("i-xxxxxx", made.name)
    assert.are.equal(3, made.sequence)
  end)

  it("needs no sequence", function()
    local made = instance.from_name(
      base64_name('{"host":"10.0.0.1","port":80}', ""), PLAIN)
    assert.are.equal("10.0.0.1:80", made.key)
    assert.is_nil(made.sequence)
  end)

  -- Ruby's own specification has names without the last underscore; they were
  -- read as ordinary znodes, which are empty.
  it("needs no underscore at its end", function()
    local name = base64_name('{"host":"10.0.0.1","port":80}', "")
    for suffix, sequence in pairs({[""] = false, ["_"] = false, ["7"] = 7}) do
      local made = instance.from_name(name:sub(1, -2) .. suffix, PLAIN)
      assert.are.equal("10.0.0.1:80", made.key)
      assert.are.equal(sequence or nil, made.sequence)
    end
  end)

  it("may carry 65,536 letters", function()
    assert.are.equal("10.0.0.1:80", instance.from_name(blank_name(16384),
      PLAIN).key)
  end)

  local broken = {
    ["of an ordinary znode"] = "i-xxxxxxx_0000000005",
    ["with a length beyond its end"] = "base64_99_cnViYmlzaA==_0000000001",
    ["with a length too short"] = "base64_8_cnViYmlzaA==_0000000001",
    ["without data"] = "base64_0__0000000001",
    ["with letters that are not base64"] = "base64_4_ab*d_0000000001",
    ["with more behind it"] = "base64_12_cnViYmlzaA==_1;2",
    ["that carries rubbish"] = base64_name("rubbish", "0000000001"),
    ["that carries too much"] = blank_name(16385),
    ["with an enormous length"] = "base64_99999999999999999999_eA==_1",
  }
  for about, name in pairs(broken) do
    it(about .. " has to be read", function()
      assert.is_nil((instance.from_name(name, PLAIN)))
    end)
  end
end)

describe("the labels of an instance", function()
  local NAME = ("n"):rep(255)

  local function labels(given)
    local made, problems = instance.check(
      {host = "10.0.0.1", port = 80, labels = given})
    return made.labels, problems
  end

  it("have names and texts of at most 255 bytes", function()
    local kept, problems = labels({[NAME] = NAME, [NAME .. "n"] = "x",
      az = NAME .. "n"})
    assert.are.same({[NAME] = NAME}, kept)
    assert.are.same({"labels: 2 dropped; a label is a name with a number, a " ..
      "boolean or at most 255 bytes"}, problems)
  end)

  it("may be numbers and booleans", function()
    assert.are.same({a = 0, b = -1.5, c = false},
      labels({a = 0, b = -1.5, c = false}))
  end)

  it("are nothing that could not be compared or told", function()
    local kept, problems = labels({a = math.huge, b = -math.huge, c = 0 / 0,
      d = {}, e = "x"})
    assert.are.same({e = "x"}, kept)
    assert.is_truthy(problems[1]:find("^labels: 4 dropped"))
    kept, problems = labels("az")
    assert.is_nil(kept)
    assert.are.same({'labels: "az" is not an object, dropped'}, problems)
    assert.is_nil((labels(cjson.null)))
  end)
end)

describe("of two instances of one host:port", function()
  it("neither is newer where they are the same", function()
    for _, one in ipairs({{}, {znode = "a"}, {sequence = 1}, {czxid = 1},
      {sequence = 1, czxid = 2, znode = "a"}})
    do
      assert.is_false(instance.is_newer(one, one))
    end
  end)

  it("the transaction decides between equal sequences", function()
    local old, new = {sequence = 9, czxid = 50}, {sequence = 9, czxid = 60}
    assert.is_true(instance.is_newer(new, old))
    assert.is_false(instance.is_newer(old, new))
  end)

  it("the one with the higher sequence is newer", function()
    local old, new = {sequence = 9, czxid = 50}, {sequence = 10, czxid = 40}
    assert.is_true(instance.is_newer(new, old))
    assert.is_false(instance.is_newer(old, new))
  end)

  it("the transaction decides where one has no sequence", function()
    local old, new = {sequence = 9, czxid = 50}, {czxid = 60}
    assert.is_true(instance.is_newer(new, old))
    assert.is_false(instance.is_newer(old, new))
  end)

  it("the name decides where nothing else does", function()
    assert.is_true(instance.is_newer({znode = "b"}, {znode = "a"}))
    assert.is_false(instance.is_newer({znode = "a"}, {znode = "b"}))
  end)
end)

describe("two instances", function()
  local one = {key = "a:1", weight = 1, name = "n", znode = "z"}

  it("are the same when all that is used is the same", function()
    assert.is_true(instance.is_same(one,
      {key = "a:1", weight = 1, name = "n", znode = "z", czxid = 7}))
  end)

  it("differ by their weight", function()
    assert.is_false(instance.is_same(one,
      {key = "a:1", weight = 2, name = "n", znode = "z"}))
  end)

  it("differ by their labels", function()
    local function same(a, b)
      return instance.is_same({key = "a:1", labels = a},
        {key = "a:1", labels = b})
    end
    assert.is_true(same({az = "a"}, {az = "a"}))
    assert.is_false(same({az = "a"}, {az = "b"}))
    assert.is_false(same({az = "a"}, {az = "a", more = true}))
    assert.is_false(same({az = "a", more = true}, {az = "a"}))
    assert.is_false(same(nil, {az = "a"}))
    assert.is_false(same({}, nil))
  end)

  it("differ by what makes one of them a backup", function()
    assert.is_false(instance.is_same({key = "a:1", is_backup = true},
      {key = "a:1"}))
  end)

  it("differ by the source that they are from", function()
    assert.is_false(instance.is_same({key = "a:1", origin = "one"},
      {key = "a:1", origin = "two"}))
  end)
end)

describe("what a znode says of its server", function()
  local LONG = ("9"):rep(60)
  local texts = {
    {"", {}},
    {"  ", {}},
    {"weight 50", {weight = 50}},
    {"weight 0", {weight = 0}},
    {"weight 256", {weight = 256}},
    {"weight 007", {weight = 7}},
    {"maxconn 1", {maxconn = 1}},
    {"maxconn 1000000", {maxconn = 1000000}},
    {"backup", {backup = true}},
    {"maxconn 5 backup  weight 3", {maxconn = 5, backup = true, weight = 3}},
    {"weight 1 weight 2", {weight = 2}},
    {"id 12 backup", {backup = true}, "id 12"},
    {"check inter 2s", {}, "check inter 2s"},
    {"maxconn 0", {}, "maxconn 0"},
    {"maxconn 1000001", {}, "maxconn 1000001"},
    {"maxconn " .. LONG, {}, "maxconn " .. LONG},
    {"weight", {}, "weight"},
    {"weight -1", {}, "weight -1"},
    {"weight 0.5", {}, "weight 0.5"},
    {"weight 1e1", {}, "weight 1e1"},
    {"weight 0x10", {}, "weight 0x10"},
    {"weight 5;show info", {}, "weight 5;show info"},
    {"weight 5 ; disable server web/s1", {weight = 5},
      "; disable server web/s1"},
    {"weight\n5\nshow info", {weight = 5}, "show info"},
    {"weight " .. LONG, {}, "weight " .. LONG},
    {"weight maxconn 5", {maxconn = 5}, "weight"},
    {"Backup", {}, "Backup"},
  }
  for _, case in ipairs(texts) do
    it(string.format("is understood as far as can be: %q", case[1]:sub(1, 40)),
      function()
        local problems = {}
        local found, left = instance.parse_options(case[1], problems)
        assert.are.same(case[2], found)
        assert.are.equal(case[3], left)
        assert.are.same({}, problems)
      end)
  end

  it("has a weight of at most 256", function()
    local problems = {}
    assert.are.same({weight = 256},
      (instance.parse_options("weight 1000", problems)))
    assert.are.same({"haproxy_server_options: weight 1000 is above 256, " ..
      "used as 256"}, problems)
  end)
end)

describe("base64", function()
  local texts = {
    {"", ""}, {"Zg==", "f"}, {"Zm8=", "fo"}, {"Zm9v", "foo"},
    {"Zm9vYmFy", "foobar"}, {"-_-_", "\xfb\xff\xbf"}, {"AAAA", "\0\0\0"},
    {"Zm9", nil}, {"Zg=", nil}, {"Zg===", nil}, {"Z===", nil},
    {"Zm9=Zm9v", nil}, {"Zm+v", nil}, {"Zm/v", nil}, {"Zm 9", nil},
    {"Zm9v\n", nil},
    {"Zm9\0", nil}, {"\xff\xff\xff\xff", nil},
  }
  for _, case in ipairs(texts) do
    it(string.format("reads %q, or sees that it is none", case[1]), function()
      assert.are.equal(case[2], instance.decode_base64(case[1]))
    end)
  end
end)
