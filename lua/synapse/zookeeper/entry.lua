--- What is known of one znode: its instance, and what is wrong with it.
--
-- Pure.
--
-- @module synapse.zookeeper.entry

local instance = require("synapse.instances.instance")

local entry = {}

--- What is known of a znode.
-- @table entry
-- @tfield ?instance instance nil where it has none
-- @tfield ?string problem what was dropped or refused
-- @tfield ?boolean is_bad whether all of it was refused
-- @tfield string data     its beginning, to be looked at

local SHOWN = 2048

local function new(data, made, problems)
  local one = {data = #data > SHOWN and data:sub(1, SHOWN) or data}
  if made then
    one.instance = made
    one.problem = #problems > 0 and table.concat(problems, "; ") or nil
  elseif made == nil then
    one.problem, one.is_bad = problems .. "; refused", true
  end
  return one
end

--- Makes the entry of a znode that was read.
-- @tparam string name
-- @tparam table event the reply to the read
-- @tparam function decoder as `synapse.zookeeper.decode` makes it
-- @treturn entry
function entry.read(name, event, decoder)
  return new(event.data,
    instance.from_data(name, event.data, event.stat, decoder))
end

--- Makes the entry of a znode whose name carries its data.
-- @tparam string name
-- @tparam function decoder as `synapse.zookeeper.decode` makes it
-- @treturn ?entry nil where it has to be read
function entry.named(name, decoder)
  local made, problems = instance.from_name(name, decoder)
  return made ~= nil and new(name, made, problems) or nil
end

--- Returns what is known from now on. Data that turns bad keeps the instance as
-- it was.
-- @tparam ?entry before
-- @tparam entry now
-- @treturn entry
function entry.merge(before, now)
  if now.is_bad and before then
    return {
      instance = before.instance, problem = now.problem, is_bad = true,
      data = now.data,
    }
  end
  return now
end

return entry
