--- Which services an answer tells of.
--
-- @module synapse.status.query

local selection = {}

-- A client knows the looks made until its cursor; one of another worker is
-- none.
local function known_until(account, since)
  local boot, number = (since or ""):match("^(%x+)%.(%d+)$")
  return boot == account.boot and math.tointeger(tonumber(number)) or nil
end

local function by_name(a, b)
  return a.name < b.name
end

local function named(account, names)
  local list, seen = {}, {}
  for _, name in ipairs(names) do
    local one = account.by_name[name]
    if one and not seen[one] then
      seen[one] = true
      list[#list + 1] = one
    end
  end
  table.sort(list, by_name)
  return list
end

-- The fewer there are to look through the better: a page that is open asks each
-- second, and next to nothing has changed.
local function candidates(account, asked, known)
  if asked.service then
    return named(account, asked.service)
  end
  local few = known and account:newer(known)
  if few then
    table.sort(few, by_name)
  end
  return few or account.services
end

local function page_of(list, asked)
  local first = (asked.offset or 0) + 1
  local last = math.min(#list, (asked.limit or #list) + first - 1)
  return table.move(list, first, last, 1, {})
end

--- Lists the looks that are asked for.
-- @tparam account account that has looked at all services
-- @tparam table asked see `query.STATUS`
-- @tparam function turn gives other work its turn when it is time
-- @treturn {look,...} those on the page that is asked for, by name
-- @treturn integer how many match, on all pages
-- @treturn boolean whether they are only those that the client does not know
function selection.of(account, asked, turn)
  local list, known = {}, known_until(account, asked.since)
  for _, one in ipairs(candidates(account, asked, known)) do
    turn()
    local look = account.looks[one]
    if (not known or look.cursor > known) and
      (not asked.problems or look.state ~= "whole")
    then
      list[#list + 1] = look
    end
  end
  return page_of(list, asked), #list, known ~= nil
end

return selection
