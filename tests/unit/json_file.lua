-- Reads a file of test data.
local cjson = require("cjson.safe")

return function(path)
  local file = assert(io.open(path))
  local text = file:read("a")
  file:close()
  return assert(cjson.decode(text))
end
