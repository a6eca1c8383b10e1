--- A clock that stands still until it is told to go on.
return function()
  local clock = {time = 1000}
  function clock.now()
    return clock.time
  end
  function clock.pass(seconds)
    clock.time = clock.time + seconds
  end
  return clock
end
