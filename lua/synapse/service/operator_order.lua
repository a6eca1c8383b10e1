--- An operator's order: why an instance is in maint or drain, and until when.
--
-- It ends by itself. What counts is the clock that nobody sets: HAProxy's
-- worker and the next one after a reload both know it. Another boot of the
-- machine begins it again; there the time of day decides. The end that people
-- are told is a time of day, and goes with a clock that is set.
--
-- Pure.
--
-- @module synapse.service.operator_order

local order = {}

-- Seconds; what a clock differs by less is its grain.
local STEP = 1

--- The most bytes that a reason may have.
order.MAX_REASON = 200

--- An order.
-- @table order
-- @tfield ?string reason
-- @tfield number since  when it was given, in seconds since 1970
-- @tfield ?number till  when it ends, in seconds since 1970; nil: by hand
-- @tfield ?number ends  the same, in `now`'s time of this boot

--- Returns a new order.
-- @tparam ?string reason
-- @tparam ?number seconds after which it ends; nil: never by itself
-- @tparam table clock `now` and `wall`: seconds, the latter since 1970
-- @treturn order
function order.new(reason, seconds, clock)
  return {
    reason = reason, since = math.floor(clock.wall),
    till = seconds and clock.wall + seconds,
    ends = seconds and clock.now + seconds,
  }
end

--- Tells what is wrong with a reason.
-- @tparam string reason
-- @treturn ?string nil: nothing
function order.objection(reason)
  if reason == "" then
    return "is empty"
  elseif #reason > order.MAX_REASON then
    return string.format("has more than %d bytes", order.MAX_REASON)
  elseif reason:find("%c") or not utf8.len(reason) then
    return "is not plain text"
  end
  return nil
end

--- Returns an order that was kept, as it is now.
-- @tparam order kept
-- @tparam boolean same_boot whether the machine has run since
-- @tparam table clock
-- @treturn order
function order.resume(kept, same_boot, clock)
  local ends = kept.ends
  if kept.till and not (same_boot and ends) then
    -- A clock that is before the moment of the order is wrong.
    ends = clock.now +
      math.max(0, kept.till - math.max(clock.wall, kept.since))
  end
  return {
    reason = kept.reason, since = kept.since, till = kept.till,
    ends = kept.till and ends,
  }
end

--- Tells whether an order has ended by itself.
-- @tparam order given
-- @tparam number now
-- @treturn boolean
function order.is_over(given, now)
  return given.ends ~= nil and now >= given.ends
end

--- Returns an order with the end that people are to be told.
-- @tparam order given
-- @tparam table clock
-- @treturn order the same one where the clock was not set
function order.follow(given, clock)
  local till = given.ends and clock.wall + given.ends - clock.now
  if not till or math.abs(till - given.till) <= STEP then
    return given
  end
  return {
    reason = given.reason, since = given.since, till = till, ends = given.ends,
  }
end

--- Says what an order adds to "maint by an operator".
-- @tparam ?order given
-- @treturn string maybe empty
function order.words(given)
  if not given then
    return ""
  end
  return (given.till and os.date("! until %Y-%m-%dT%H:%M:%SZ",
    math.floor(given.till)) or "") ..
    (given.reason and ": " .. given.reason or "")
end

return order
