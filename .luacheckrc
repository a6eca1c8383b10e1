-- Both Luas judge: make lint sets the variable.
std = os.getenv("LUACHECK_STD") or "lua53"
max_line_length = 80
files["lua/synapse/main.lua"] = {read_globals = {"core"}}
files["lua/synapse/haproxy/runtime.lua"] = {read_globals = {"core"}}
files["tests"] = {std = "+busted"}
files["tests/e2e/programs/starts.lua"] = {read_globals = {"core"}}
files["tests/e2e/programs/wakes.lua"] = {read_globals = {"core"}}
files["tests/data/haproxy/own.lua"] = {
  read_globals = {"core"}, globals = {"answers"},
}
