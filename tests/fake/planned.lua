--- Lists the groups of commands that a service has for the next round, as
-- `sync` takes them: its plan, and last what it asks.
return function(service)
  service:look_at_moves()
  local groups = service:plan(math.huge)
  local question = service:question()
  groups[#groups + 1] = question and {question}
  return groups
end
