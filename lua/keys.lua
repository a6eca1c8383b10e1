-- Writes the tables of lua/README.md from config/schema.lua: `make keys`.
local schema = require("synapse.config.schema")

local PATH = "lua/README.md"

local file = assert(io.open(PATH))
local text = file:read("a")
file:close()
local head, tail =
  text:match("^(.*<!%-%- keys %-%->\n\n).-(\n<!%-%- end of.*)$")
file = assert(io.open(PATH, "w"))
file:write(head, schema.markdown(), tail)
file:close()
