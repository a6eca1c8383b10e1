-- What two lists of children differ by, for every kind of change.

local drive = require("drive")
local zookeeper = require("zookeeper")

local hosts, path = arg[1], arg[2]
local client = zookeeper.new()
local session = drive.open(client, hosts)

local function reply(...)
  return drive.reply(client, ...)
end

local function list()
  local event = reply(session:get_children(path))
  assert(#event.names == #event.children and event.other == nil)
  return event.names, event.children
end

local function create(first, last)
  for i = first, last do
    assert(reply(session:create(path .. "/n" .. i, "")).code == 0)
  end
end

local function delete(...)
  for _, i in ipairs({...}) do
    assert(reply(session:delete(path .. "/n" .. i)).code == 0)
  end
end

-- The difference worked out the slow way, to be told by the fast one.
local function missing(from, all)
  local has, names = {}, {}
  for _, name in ipairs(from) do
    has[name] = true
  end
  for _, name in ipairs(all) do
    names[#names + 1] = not has[name] and name or nil
  end
  table.sort(names)
  return table.concat(names, " ")
end

local function told(names, before)
  local come, gone = names:difference(before)
  return table.concat(come, " "), table.concat(gone, " ")
end

reply(session:create(path, ""))
local empty, none = list()
assert(#empty == 0)

local changes = {
  function() create(1, 1) end,
  function() create(2, 40) end,
  function() end,
  function() delete(7) end,
  function() create(41, 41) end,
  function() delete(1, 20, 40) create(42, 44) end,
  function() create(100, 250) end,
  function() delete(3) create(7, 7) end,
}
local before, earlier = empty, none
for _, change in ipairs(changes) do
  change()
  local names, children = list()
  local come, gone = told(names, before)
  assert(come == missing(earlier, children), come)
  assert(gone == missing(children, earlier), gone)
  come, gone = told(names, empty)
  assert(come == missing({}, children) and gone == "")
  assert(told(names) == come)
  if before ~= empty then
    before:close()
  end
  before, earlier = names, children
end

-- Of all names, those known and then the first newcomers.
local function admitted(most, known)
  local set = {}
  for _, name in ipairs(known) do
    set[name] = true
  end
  local found = before:admit(most, set)
  assert(#found == math.min(most, #before))
  table.sort(found)
  return table.concat(found, " ")
end

local function first(names, most)
  local copy = table.move(names, 1, #names, 1, {})
  table.sort(copy)
  return table.concat(copy, " ", 1, most)
end

for most = 0, #before, 7 do
  assert(admitted(most, {}) == first(earlier, most), most)
end
assert(admitted(#before + 5, {}) == first(earlier, #earlier))
assert(admitted(3, {"n99x", "n243", "n7"}) == "n10 n243 n7")
assert(admitted(1, {"n243", "n7"}) == "n243")
assert(not pcall(before.admit, before, -1, {}))
assert(not pcall(before.admit, before, 1, {true}))

-- Of the names of the last reply, those that are like some patterns.
local function kept(...)
  local names = list()
  names:keep({...})
  local found = names:admit(1000, {})
  assert(#found == #names)
  table.sort(found)
  return table.concat(found, " ")
end

-- The same, by Lua's own patterns.
local function like(pattern)
  local found = {}
  for _, name in ipairs(earlier) do
    found[#found + 1] = name:find("^" .. pattern .. "$") and name or nil
  end
  return first(found, #found)
end

assert(kept() == "" and kept("x*", "n", "") == "" and kept("n*0x") == "")
for pattern, by_lua in pairs({
  ["*"] = ".*", ["n*"] = "n.*", ["**n**"] = ".*n.*", n243 = "n243",
  ["n24*3"] = "n24.*3", ["*44"] = ".*44", ["n1*1*"] = "n1.*1.*",
  ["n*1*1"] = "n.*1.*1", ["*2*4*"] = ".*2.*4.*", ["n*12*2"] = "n.*12.*2",
}) do
  assert(kept(pattern) == like(by_lua) and kept(pattern) ~= "", pattern)
  assert(kept("x", pattern, "*y") == like(by_lua), pattern)
end
assert(#kept("n1*", "n2*") == #kept("n1*") + 1 + #kept("n2*"))
assert(not pcall(before.keep, before, {1}))
assert(not pcall(before.keep, before, "n*"))

before:close()
before:close()
before:keep({"*"})
assert(#before:admit(3, {}) == 0)
assert(#before == 0)
assert(not pcall(before.difference, before, {}))
client:close()
print("done")
