--- What an instance and a service are, for people: a state, and why in words.
--
-- Pure: what is known comes in as facts, plain values.
--
-- @module synapse.status.status

local status = {}

--- The states of an instance, the ones that need a look first.
status.STATES = {"failed", "invalid", "waiting", "pending", "suspect", "maint",
  "draining", "ready"}

--- What is known of an instance.
-- @table instance_facts
-- @tfield ?string slot       nil: it has none
-- @tfield ?string obstacle   why no slot is added
-- @tfield ?string hold       "maint" or "drain" by an operator
-- @tfield ?string refused    the command that HAProxy refused
-- @tfield boolean settled    HAProxy has acknowledged all that is wanted
-- @tfield ?string check      "fails" where HAProxy's check does
-- @tfield ?string check_why  what the check met
-- @tfield ?number suspect    it is gone, and kept until then by the guard
-- @tfield ?integer weight    what HAProxy has; 0 drains
-- @tfield ?string problem    what is wrong with its znode, as it is now
-- @tfield ?string objection  why it is no backup, though it asks to be one
-- @tfield boolean is_backup  its slot is one

-- The first that applies is the state.
local RULES = {
  {"waiting", function(it)
    return not it.slot and "no slot is free: " .. (it.obstacle or
      "one is being added")
  end},
  {"maint", function(it)
    return it.hold == "maint" and "maint by an operator"
  end},
  {"pending", function(it)
    return it.refused and "HAProxy refused `" .. it.refused ..
      "`; it is tried again"
  end},
  {"pending", function(it)
    return not it.settled and "HAProxy has not acknowledged it yet"
  end},
  {"failed", function(it)
    return it.check == "fails" and "HAProxy's check fails" ..
      (it.check_why and ": " .. it.check_why or "")
  end},
  {"suspect", function(it)
    return it.suspect and "gone from ZooKeeper with many others; kept while " ..
      "HAProxy's check passes"
  end},
  {"draining", function(it)
    return it.hold == "drain" and "drain by an operator"
  end},
  {"draining", function(it)
    return it.weight == 0 and "weight 0"
  end},
}

-- What is to be known of one that is ready, or nil.
local function remark(it)
  if it.problem then
    return "its znode is bad now, kept as it was: " .. it.problem
  elseif it.objection then
    return "`backup` is not applied: " .. it.objection
  end
  return it.is_backup and "a backup: used where no other can be" or nil
end

--- Returns the state of an instance.
-- @tparam instance_facts it
-- @treturn string one of `status.STATES`
-- @treturn ?string why, in words
function status.instance(it)
  for _, rule in ipairs(RULES) do
    local why = rule[2](it)
    if why then
      return rule[1], why
    end
  end
  return "ready", remark(it)
end

--- What is known of a service.
-- @table service_facts
-- @tfield {[string]=integer} counts instances by state
-- @tfield integer instances how many there are, invalid znodes left out
-- @tfield string source     where they are from: "zookeeper", "default",
--   "previous", or "nobody" (see `select.wanted`)
-- @tfield {{path,state},...} paths of ZooKeeper, and how each was last read
-- @tfield ?string obstacle  why no slot is added
-- @tfield boolean held      it is held as it is, by command

local function plural(count, what)
  return string.format("%d %s%s", count, what, count == 1 and "" or "s")
end

-- What is said of so many instances in a state.
local SENTENCES = {
  failed = function(n)
    return plural(n, "instance") .. (n == 1 and " fails" or " fail") ..
      " HAProxy's check"
  end,
  invalid = function(n)
    return plural(n, "znode") .. (n == 1 and " is" or " are") .. " refused"
  end,
  waiting = function(n, it)
    return plural(n, "instance") .. (n == 1 and " waits" or " wait") ..
      " for a slot: " .. (it.obstacle or "one is being added")
  end,
  pending = function(n)
    return plural(n, "instance") .. (n == 1 and " is" or " are") ..
      " not yet as wanted in HAProxy"
  end,
  suspect = function(n)
    return plural(n, "instance") .. (n == 1 and " is" or " are") ..
      " gone from ZooKeeper at once, kept by the guard"
  end,
}

-- These alone make nothing worse.
local NOTES = {
  maint = function(n)
    return plural(n, "instance") .. " in maint by an operator"
  end,
  draining = function(n)
    return plural(n, "instance") .. " draining"
  end,
}

local PATHS = {
  new = "is not read from ZooKeeper yet",
  missing = "is no znode in ZooKeeper; what was known is kept",
  unmade = "is no znode in ZooKeeper, and cannot be made",
}

local SOURCES = {
  default = "no instance in ZooKeeper, its default_servers are used",
  previous = "no instance in ZooKeeper, the previous ones stay",
  nobody = "no instance has a sequence, so none can be the leader",
}

local function add_sources(it, reasons)
  for _, one in ipairs(it.paths) do
    if one.state ~= "read" then
      reasons[#reasons + 1] = one.path .. " " .. (PATHS[one.state] or
        "cannot be read from ZooKeeper (" .. one.state .. ")")
    end
  end
  if #reasons == 0 then
    reasons[1] = SOURCES[it.source]
  end
end

local function add_counts(it, sentences, reasons)
  for _, state in ipairs(status.STATES) do
    local count = it.counts[state] or 0
    if count > 0 and sentences[state] then
      reasons[#reasons + 1] = sentences[state](count, it)
    end
  end
end

local function is_down(it)
  return (it.counts.ready or 0) + (it.counts.suspect or 0) == 0
end

local function why_down(it)
  if it.instances == 0 then
    return "no instance"
  end
  return string.format("none of %s can take new requests",
    plural(it.instances, "instance"))
end

--- Returns the state of a service.
-- @tparam service_facts it
-- @treturn string "down": it can take no new request; "degraded": it can, and
--   something is not as it should be; "whole"
-- @treturn {string,...} why, the worst first; a whole one may have some too
function status.service(it)
  local reasons = {}
  add_sources(it, reasons)
  add_counts(it, SENTENCES, reasons)
  if it.held then
    table.insert(reasons, "held as it is, by command")
  end
  local state = #reasons > 0 and "degraded" or "whole"
  if is_down(it) then
    state = "down"
    table.insert(reasons, 1, why_down(it))
  end
  add_counts(it, NOTES, reasons)
  return state, reasons
end

return status
