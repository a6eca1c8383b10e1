--- The children of a path, and which of them are new or gone in a new list.
--
-- A list may be long although only one name differs. So C compares it with the
-- list before. If there is none, each known name costs one lookup. C also cuts
-- a list that is too long.
--
-- @module synapse.zookeeper.children

local children = {}
children.__index = children

--- Returns the children of a path.
-- @tparam {[string]=any} names the keys are the names known
-- @treturn children
function children.new(names)
  local self = setmetatable({seen = {}, size = 0, number = 0}, children)
  for name in pairs(names) do
    self.seen[name] = 0
    self.size = self.size + 1
  end
  return self
end

local function drop_unseen(self)
  local gone = {}
  for name, number in pairs(self.seen) do
    if number ~= self.number then
      self.seen[name] = nil
      gone[#gone + 1] = name
    end
  end
  return gone
end

local function forget_before(self)
  if self.before then
    self.before:close()
  end
  self.before = nil
end

--- Takes a new list by its names.
-- @tparam {string,...} names each once
-- @treturn {string,...} names that are new
-- @treturn {string,...} names that are gone
function children:take(names)
  local seen, fresh = self.seen, {}
  forget_before(self)
  self.number = self.number + 1
  for _, name in ipairs(names) do
    if not seen[name] then
      fresh[#fresh + 1] = name
    end
    seen[name] = self.number
  end
  local gone = self.size + #fresh > #names and drop_unseen(self) or {}
  self.size = #names
  return fresh, gone
end

--- Takes a new list of more names than may be used. Known names stay, and new
-- names beyond that number are refused.
-- @tparam table reply of `get_children`
-- @tparam integer most
-- @treturn {string,...} names that are new
-- @treturn {string,...} names that are gone
function children:admit(reply, most)
  return self:take(reply.names:admit(most, self.seen))
end

--- Takes a new list whole.
-- @tparam table reply of `get_children`: `names` and `children`
-- @treturn {string,...} names that are new
-- @treturn {string,...} names that are gone
function children:follow(reply)
  local fresh, gone
  if self.before then
    fresh, gone = reply.names:difference(self.before)
    for _, name in ipairs(fresh) do
      self.seen[name] = self.number
    end
    for _, name in ipairs(gone) do
      self.seen[name] = nil
    end
    self.size = #reply.names
    forget_before(self)
  else
    fresh, gone = self:take(reply.children)
  end
  self.before = reply.names
  return fresh, gone
end

--- Tells whether a name is known.
-- @tparam string name
-- @treturn boolean
function children:has(name)
  return self.seen[name] ~= nil
end

--- Forgets a name whose znode was deleted after the list was made.
-- @tparam string name
function children:forget(name)
  forget_before(self)
  if self.seen[name] then
    self.seen[name] = nil
    self.size = self.size - 1
  end
end

return children
