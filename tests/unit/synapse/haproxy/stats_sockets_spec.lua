local config_text = require("synapse.haproxy.config_text")
local stats_sockets = require("synapse.haproxy.stats_sockets")

local function sections(text)
  return config_text.parse({{path = "haproxy.cfg", text = text}},
    {environment = {}})
end

local TEXT = [[
global
  stats socket /run/a.sock mode 660 level admin name people
  stats socket /run/b.sock
  stats timeout 30s
  stats socket /run/c.sock level user name watch
  stats socket /run/d.sock level admin name watch
frontend level
  bind :80
]]

describe("the stats sockets of haproxy.cfg", function()
  it("have a level, and maybe a name", function()
    assert.are.same({
      {address = "/run/a.sock", level = "admin", name = "people",
        place = "haproxy.cfg:2"},
      {address = "/run/b.sock", level = "operator", place = "haproxy.cfg:3"},
      {address = "/run/c.sock", level = "user", name = "watch",
        place = "haproxy.cfg:5"},
      {address = "/run/d.sock", level = "admin", name = "watch",
        place = "haproxy.cfg:6"},
    }, stats_sockets.list(sections(TEXT)))
  end)

  it("have the lowest level of those that share a name", function()
    assert.are.same({people = "admin", watch = "user"},
      stats_sockets.levels(sections(TEXT)))
  end)

  it("may change something from level operator on", function()
    assert.is_true(stats_sockets.may_change("admin"))
    assert.is_true(stats_sockets.may_change("operator"))
    assert.is_false(stats_sockets.may_change("user"))
    assert.is_false(stats_sockets.may_change(nil))
  end)
end)
