local http_check = require("synapse.http_check")

local function read(...)
  local lines = {}
  for i, text in ipairs({...}) do
    lines[i] = {}
    for word in text:gmatch("%S+") do
      table.insert(lines[i], word)
    end
  end
  return http_check.read(lines)
end

describe("the request of a check", function()
  it("is HAProxy's own where the option says nothing", function()
    assert.are.same({method = "OPTIONS", uri = "/", rest = ""},
      read("mode http", "option httpchk"))
    assert.are.same({method = "OPTIONS", uri = "/up", rest = ""},
      read("option httpchk /up"))
  end)

  it("is what the option says", function()
    assert.are.same(
      {method = "GET", uri = "/up", version = "HTTP/1.1", rest = ""},
      read("option httpchk GET /up HTTP/1.1"))
  end)

  it("is what `http-check send` says", function()
    assert.are.same(
      {method = "HEAD", uri = "/b", version = "HTTP/1.1", rest = "hdr Host x"},
      read("option httpchk GET /a", "http-check expect status 200",
        "http-check send meth HEAD uri /b ver HTTP/1.1 hdr Host x"))
    assert.are.same({method = "GET", made_of = "%[x]", rest = ""},
      read("option httpchk GET /a", "http-check send uri-lf %[x]"))
  end)

  it("is none without the option", function()
    assert.is_nil(read("http-check send uri /a"))
    assert.is_nil(read("option httplog"))
  end)

  it("is one request, with its headers apart", function()
    assert.are.same({nil, "is the second one; only one request is sent", 3},
      {read("option httpchk", "http-check send uri /a",
        "http-check send uri /b")})
    local check, why, at = read("option httpchk GET / HTTP/1.1\\r\\nHost: x")
    assert.is_nil(check)
    assert.are.equal("has too many words; put headers into `http-check send " ..
      "hdr`", why)
    assert.are.equal(1, at)
  end)
end)
