--- What a request needs of HAProxy: `usable[backend]` of its servers would be
-- used. It counts the turns it gave, and writes down how long it waited for
-- what did not happen.
return function(usable)
  local visit = {turns = 0, waited = {}}
  function visit.turn()
    visit.turns = visit.turns + 1
  end
  function visit.usable(backend)
    return usable[backend]
  end
  function visit.await(condition, seconds)
    if not condition() then
      table.insert(visit.waited, seconds)
    end
  end
  return visit
end
