local binds = require("synapse.generate.binds")

local read_json = dofile("tests/unit/json_file.lua")

local function section(kind, name, ...)
  local lines = {}
  for i, text in ipairs({...}) do
    lines[i] = {text = "bind " .. text, place = name .. "[" .. i - 1 .. "]"}
  end
  return {title = {text = kind .. " " .. name, place = name}, lines = lines}
end

describe("what frontends listen on", function()
  for _, case in ipairs(read_json("tests/data/synapse/binds.json")) do
    local verb = case.overlap and "overlaps: " or "does not overlap: "
    it(verb .. case.a .. " and " .. case.b, function()
      for _, pair in ipairs({{case.a, case.b}, {case.b, case.a}}) do
        local found = binds.overlaps({
          section("frontend", "web", pair[1]),
          section("listen", "stats", pair[2]),
        })
        assert.are.equal(case.overlap and 1 or 0, #found)
      end
    end)
  end

  it("is named with both places", function()
    assert.are.same({"api[0]: `bind *:80` overlaps with `bind 127.0.0.1:80` " ..
      "of web[1]"}, binds.overlaps({
      section("frontend", "web", ":79", "127.0.0.1:80 maxconn 10"),
      section("frontend", "api", "*:80"),
    }))
  end)

  it("may overlap within one section", function()
    assert.are.same({}, binds.overlaps({
      section("frontend", "web", ":80 thread 1", ":80 thread 2")}))
  end)

  it("is of no account in a backend", function()
    assert.are.same({}, binds.overlaps({
      section("frontend", "web", ":80"), section("backend", "web", ":80")}))
  end)
end)
