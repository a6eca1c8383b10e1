-- The status page is no Lua; what it is made of can be looked at all the same.
-- A browser looks at the rest, see tests/e2e/test_page.py.

local http = require("synapse.status.http")

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("a")
  file:close()
  return text
end

describe("the status page", function()
  local page = read("haproxy/status.html")

  it("is small", function()
    assert.is_true(#page < 100000)
  end)

  it("leads to headings of documents that are served beside it", function()
    local questions, answers = 0, {}
    for path, section in page:gmatch('"([%w/]+%.md)", "([^"]+)"%],') do
      assert.is_truthy(("\n" .. read(path)):find("# " .. section .. "\n", 1,
        true), path .. " has no section " .. section)
      answers[path] = true
      questions = questions + 1
    end
    local served = {}
    for _, path in ipairs(http.DOCUMENTS) do
      served[path] = true
    end
    assert.are.same(served, answers)
    local _, asked = page:gsub('\n  %["%l+", "W', "")
    assert.are.equal(asked, questions)
  end)
end)
