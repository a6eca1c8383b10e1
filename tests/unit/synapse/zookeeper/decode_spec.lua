local cjson = require("cjson.safe")
local decode = require("synapse.zookeeper.decode")
local instance = require("synapse.instances.instance")

-- {about, settings, JSON, key, weight, name}; a key of false: no instance
-- and nothing wrong; of nil: refused, and then why.
local CASES = {
  {"what nerve writes", {method = "nerve"},
    '{"host":"10.0.0.1","port":80,"name":"i-1","weight":5}',
    "10.0.0.1:80", 5, "i-1"},
  {"go-nerve's, available", {method = "go-nerve"},
    '{"available":true,"unavailable_reason":"","host":"10.0.0.1","port":80,' ..
    '"name":"i-1","haproxy_server_options":"","weight":255,"labels":{}}',
    "10.0.0.1:80", 255, "i-1"},
  {"go-nerve's, not available", {method = "go-nerve"},
    '{"available":false,"host":"10.0.0.1","port":"80","name":"i-1",' ..
    '"weight":255}', "10.0.0.1:80", 0, "i-1"},
  {"go-nerve's that does not say", {method = "go-nerve"},
    '{"host":"10.0.0.1","port":80,"name":"i-1"}', "10.0.0.1:80", nil, "i-1"},
  {"a serverset's, alive", {method = "serverset"},
    '{"serviceEndpoint":{"host":"10.0.0.1","port":80},' ..
    '"additionalEndpoints":{},"status":"ALIVE","shard":3}',
    "10.0.0.1:80", nil, "3"},
  {"a serverset's without a status", {method = "serverset"},
    '{"serviceEndpoint":{"host":"10.0.0.1","port":80}}', "10.0.0.1:80"},
  {"a serverset's that stops", {method = "serverset"},
    '{"serviceEndpoint":{"host":"10.0.0.1","port":80},"status":"STOPPING"}',
    false},
  {"a serverset's that is dead and says no more", {method = "serverset"},
    '{"status":"DEAD"}', false},
  {"a serverset's other endpoint",
    {method = "serverset", endpoint_name = "http"},
    '{"serviceEndpoint":{"host":"10.0.0.1","port":80},"status":"ALIVE",' ..
    '"additionalEndpoints":{"http":{"host":"10.0.0.2","port":81}}}',
    "10.0.0.2:81"},
  {"a serverset's without that endpoint",
    {method = "serverset", endpoint_name = "http"},
    '{"serviceEndpoint":{"host":"10.0.0.1","port":80}}',
    nil, "has no additionalEndpoints.http"},
  {"no serverset's", {method = "serverset"},
    '{"host":"10.0.0.1","port":80}', nil, "has no serviceEndpoint"},
  {"a serverset's endpoint that is a text", {method = "serverset"},
    '{"serviceEndpoint":"10.0.0.1:80"}', nil, "has no serviceEndpoint"},
  {"a serverset's with a bad host", {method = "serverset"},
    '{"serviceEndpoint":{"host":"0.0.0.0","port":80}}',
    nil, 'host: "0.0.0.0" is unspecified'},
  {"Curator's", {method = "curator"},
    '{"name":"web","id":"6ac2","address":"10.0.0.1","port":80,' ..
    '"sslPort":null,"payload":null,"registrationTimeUTC":1,' ..
    '"serviceType":"DYNAMIC","uriSpec":null}', "10.0.0.1:80", nil, "6ac2"},
  {"Spring Cloud's", {method = "curator"},
    '{"name":"web","id":"6ac2","address":"10.0.0.1","port":80,"payload":' ..
    '{"@class":"x","metadata":{"instance_status":"UP","zone":"a"}}}',
    "10.0.0.1:80", nil, "6ac2"},
  {"Spring Cloud's, out of service", {method = "curator"},
    '{"id":"6ac2","address":"10.0.0.1","port":80,"payload":{"metadata":' ..
    '{"instance_status":"OUT_OF_SERVICE"}}}', "10.0.0.1:80", 0, "6ac2"},
  {"Spring Cloud's, down", {method = "curator"},
    '{"id":"6ac2","address":"10.0.0.1","port":80,"payload":{"metadata":' ..
    '{"instance_status":"down"}}}', "10.0.0.1:80", 0, "6ac2"},
  {"Curator's with another payload", {method = "curator"},
    '{"id":"6ac2","address":"10.0.0.1","port":80,"payload":{"metadata":[1]}}',
    "10.0.0.1:80", nil, "6ac2"},
  {"Curator's with a text for a payload", {method = "curator"},
    '{"id":"6ac2","address":"10.0.0.1","port":80,"payload":"x"}',
    "10.0.0.1:80", nil, "6ac2"},
  {"Curator's, switched off", {method = "curator"},
    '{"name":"web","id":"6ac2","address":"10.0.0.1","port":80,' ..
    '"enabled":false}', "10.0.0.1:80", 0, "6ac2"},
  {"Curator's with TLS alone", {method = "curator"},
    '{"id":"6ac2","address":"10.0.0.1","port":null,"sslPort":443}',
    "10.0.0.1:443", nil, "6ac2"},
  {"Curator's without an address", {method = "curator"},
    '{"id":"6ac2","port":80}', nil, "has no host"},
  {"another port", {method = "nerve", port = 99},
    '{"host":"10.0.0.1","port":80}',
    "10.0.0.1:99"},
  {"another port where there is none", {method = "nerve", port = 99},
    '{"host":"10.0.0.1"}',
    "10.0.0.1:99"},
  {"another port for a serverset", {method = "serverset", port = 99},
    '{"serviceEndpoint":{"host":"10.0.0.1","port":80}}', "10.0.0.1:99"},
  {"a text", {method = "curator"}, '"x"', nil, "is not a JSON object"},
  {"null", {method = "go-nerve"}, "null", nil, "is not a JSON object"},
  {"true", {method = "go-nerve"}, "true", nil, "is not a JSON object"},
}

describe("a decoder", function()
  for _, case in ipairs(CASES) do
    local about, settings, data, key, weight, name = table.unpack(case, 1, 6)
    it("reads " .. about, function()
      local made, problems = instance.from_data("m_0000000004", data,
        {data_length = #data, czxid = 1}, decode.new(settings))
      if not key then
        assert.are.equal(key, made)
        assert.are.equal(weight, problems)
        return
      end
      assert.are.same({key, weight, name}, {made.key, made.weight, made.name})
      assert.are.same({}, problems)
    end)
  end

  -- The labels choose among instances.
  it("takes Spring Cloud's metadata for labels", function()
    local function labels(payload)
      local text = '{"address":"10.0.0.1","port":80,"payload":' .. payload ..
        "}"
      return instance.from_data("m_1", text,
        {data_length = #text, czxid = 1}, decode.new({method = "curator"})
      ).labels
    end
    assert.are.same({instance_status = "UP", zone = "a"},
      labels('{"metadata":{"instance_status":"UP","zone":"a"}}'))
    assert.is_nil(labels('{"metadata":{}}'))
    assert.is_nil(labels('{"metadata":["a"]}'))
    assert.is_nil(labels('null'))
  end)

  it("is known by its name", function()
    for name in decode.NAMES:gmatch('"([^"]+)"') do
      assert.is_true(decode.has(name))
    end
    assert.is_false(decode.has("thrift"))
  end)

  it("reads a name that carries data as it reads data", function()
    local text = "eyJhZGRyZXNzIjoiMTAuMC4wLjEiLCJwb3J0Ijo4MH0="
    local made = instance.from_name(
      string.format("base64_%d_%s_0000000001", #text, text),
      decode.new({method = "curator"}))
    assert.are.equal("10.0.0.1:80", made.key)
  end)

  it("leaves what it reads as it was", function()
    local value = cjson.decode('{"host":"10.0.0.1","port":80}')
    decode.new({method = "nerve", port = 99})(value)
    assert.are.equal(80, value.port)
  end)
end)
