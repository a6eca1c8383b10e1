-- Writes the manual page synapse.conf(5) to standard output, from
-- config/schema.lua: its argument is the version.
local schema = require("synapse.config.schema")

local HEAD = [[
.TH SYNAPSE.CONF 5 "" "Myelin %s" ""
.SH NAME
synapse.conf \- which services HAProxy's agent follows
.SH DESCRIPTION
The agent inside HAProxy reads the JSON file that
.B SYNAPSE_CONFIG
names in HAProxy's configuration; the package's is
/etc/haproxy/synapse.conf.json.
It is read when HAProxy starts or reloads, and by
.BR "haproxy \-c" .
The keys are those of airbnb's synapse, and new ones.
A key that is wrong, or that nobody knows, is named with its place.
Each key has its type and what holds without it.
]]

local TAIL = [[
.SH EXAMPLES
.nf
{
  "services": {
    "web": {
      "discovery": {
        "method": "zookeeper",
        "hosts": ["127.0.0.1:2181"],
        "path": "/nerve/services/web/services"
      },
      "haproxy": {"backend_name": "web"}
    }
  },
  "haproxy": {"state_file_path": "/var/lib/synapse/state"}
}
.fi
.SH SEE ALSO
.BR synapse\-haproxy\-cfg (1),
.BR nerve.conf (5),
.BR haproxy (1)
]]

local function escape(text)
  return (text:gsub("\\", "\\e"):gsub("-", "\\-"):gsub("'", "\\(aq"))
end

-- Links lose their targets, and what is in backquotes is bold.
local function inline(text)
  local is_bold = false
  text = escape((text:gsub("%[([^]]*)%]%([^)]*%)", "%1")))
  text = text:gsub("`", function()
    is_bold = not is_bold
    return is_bold and "\\fB" or "\\fR"
  end)
  return text:find("^%.") and "\\&" .. text or text
end

local function keys(row)
  return "\\fB" .. escape(row.key):gsub("%s+", "\\fR, \\fB") .. "\\fR"
end

-- What stands behind a key in parentheses.
local function notes(row)
  local parts = {}
  for _, text in ipairs({schema.type_of(row), schema.default_of(row),
    row.ours and "new" or row.support ~= "supported" and row.support or ""})
  do
    parts[#parts + 1] = text ~= "" and inline(text) or nil
  end
  return table.concat(parts, "; ")
end

io.write(string.format(HEAD, arg[1]))
for _, section in ipairs(schema.SECTIONS) do
  io.write(".SH ", section.place == "" and "THE FILE" or
    escape(section.place:upper()), "\n")
  for _, row in ipairs(section.rows) do
    local about = notes(row)
    io.write(".TP\n", keys(row), about ~= "" and " (" .. about .. ")" or "",
      "\n", inline(row.text:gsub("^%l", string.upper)), ".\n")
  end
end
io.write(TAIL)
