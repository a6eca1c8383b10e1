-- The status page is no Lua; what it is made of can be looked at all the same.
-- A browser looks at the rest, see tests/e2e/test_page.py.

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

  it("names sections that are in the documents", function()
    local number = 0
    for path, section in page:gmatch('"([%w/]+%.md)", "([^"]+)"%],') do
      local text = "\n" .. read(path):gsub("`", "")
      assert.is_truthy(text:find("\n#+ " .. section .. "\n"),
        path .. " has no section " .. section)
      number = number + 1
    end
    assert.is_true(number > 10)
  end)
end)
