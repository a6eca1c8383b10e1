--- Runs a fuzz: its arguments, its cases, its last line.
--
--     lua <program> [--seed N] [--seconds N] [--cases N]
--
-- Case number i has the seed N + i - 1 and nothing else that is random, so that
-- the line printed for a failing case runs that case alone.
local driver = {}

local function usage()
  io.stderr:write("usage: ", arg[0],
    " [--seed N] [--seconds N] [--cases N]\n")
  os.exit(2)
end

local function arguments()
  local given = {seconds = 5, cases = math.huge}
  given.seed = os.time() * 1000 % 1000000007
  for i = 1, #arg, 2 do
    local name = arg[i]:match("^%-%-(%l+)$")
    local value = tonumber(arg[i + 1])
    if not name or not given[name] or not value then
      usage()
    end
    given[name] = math.tointeger(value) or value
  end
  return given
end

local function fail(seed, trace)
  io.stderr:write(trace, "\n\nrun this case again: ", arg[-1], " ", arg[0],
    " --seed ", seed, " --cases 1\n")
  os.exit(1)
end

--- Runs cases until the time is over.
-- @tparam string program its name, for people
-- @tparam function run_case raises an error when a property does not hold;
--   everything random in it comes from `math.random`
function driver.run(program, run_case)
  local given = arguments()
  local ends = os.time() + given.seconds
  local count = 0
  print(string.format("%s: seed %d", program, given.seed))
  while count < given.cases and (count == 0 or os.time() < ends) do
    local seed = given.seed + count
    math.randomseed(seed)
    local ok, trace = xpcall(run_case, debug.traceback)
    if not ok then
      fail(seed, trace)
    end
    count = count + 1
  end
  print(string.format("%s: %d cases", program, count))
end

return driver
