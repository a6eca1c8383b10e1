--- An operator's order: why an instance is in maint or drain, and until when.
--
-- An order ends by itself, by the monotonic clock, which nobody can set.
-- HAProxy's worker and the next one after a reload share this clock. After
-- another boot of the machine it starts again; then the time of day decides,
-- once it has had some minutes to be set. People see the end as a time of day,
-- which follows the clock if that is set.
--
-- Pure.
--
-- @module synapse.service.operator_order

local order = {}

-- Seconds. A smaller difference between clocks is inaccuracy.
local STEP = 1

-- Seconds after a boot from which on the time of day counts as right.
local SETTLED = 300

--- The most bytes that a reason may have.
order.MAX_REASON = 200

--- An order.
-- @table order
-- @tfield ?string reason
-- @tfield number since  when it was given, in seconds since 1970
-- @tfield ?number till  when it ends, in seconds since 1970; nil: by hand
-- @tfield ?number ends  the same, in `now`'s time of this boot; nil also while
--   that cannot be told yet

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

--- Returns what is wrong with a reason, or nil.
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

-- The order is of another boot. A clock that is earlier than the order is
-- wrong.
local function settle(given, clock)
  return {
    reason = given.reason, since = given.since, till = given.till,
    ends = clock.now +
      math.max(0, given.till - math.max(clock.wall, given.since)),
  }
end

--- Returns an order with its end, and with the end that people see.
-- @tparam order given
-- @tparam table clock
-- @treturn order the same one where there is nothing new
function order.follow(given, clock)
  if not given.till then
    return given
  elseif not given.ends then
    return clock.now >= SETTLED and settle(given, clock) or given
  end
  local till = clock.wall + given.ends - clock.now
  if math.abs(till - given.till) <= STEP then
    return given
  end
  return {
    reason = given.reason, since = given.since, till = till, ends = given.ends,
  }
end

--- Returns an order from a snapshot, as it is now.
-- @tparam order kept
-- @tparam boolean same_boot whether the machine has run since
-- @tparam table clock
-- @treturn order
function order.resume(kept, same_boot, clock)
  return order.follow({
    reason = kept.reason, since = kept.since, till = kept.till,
    ends = kept.till and same_boot and kept.ends or nil,
  }, clock)
end

--- Tells whether an order has ended by itself.
-- @tparam order given
-- @tparam number now
-- @treturn boolean
function order.is_over(given, now)
  return given.ends ~= nil and now >= given.ends
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
