--- Reads the text of HAProxy's configuration as HAProxy does: its files in
-- order, quotes, variables, `.if`, and which `defaults` a section has.
--
-- HAProxy shows its backends to Lua only when it starts, and not in `haproxy
-- -c`. It never shows most directives.
--
-- Pure: the functions that read files and directories are passed in.
--
-- @module synapse.haproxy.config_text

local config_text = {}

--- A line with words in it.
-- @table line
-- @tfield string place   "file:number"
-- @tfield {string,...} words  unquoted, variables replaced
-- @tfield boolean sure   false: it is below a condition that the text alone
--   does not decide

--- A section.
-- @table section
-- @tfield string kind    "backend", "global", ...
-- @tfield ?string name
-- @tfield {line,...} lines  without the one that begins it
-- @tfield ?section defaults that this section inherits from

local SECTIONS = {}
for word in ([[global defaults frontend backend listen peers resolvers
  userlist cache ring program mailers http-errors fcgi-app log-forward
  log-profile crt-store traces acme]]):gmatch("%S+")
do
  SECTIONS[word] = true
end

local INHERITS = {frontend = true, backend = true, listen = true}

-- Options whose next argument is not a file of the configuration.
local VALUE = {}
for word in ("-C -S -x -n -m -N -L -p -G"):gmatch("%S+") do
  VALUE[word] = true
end

local REPLACES = {["-sf"] = true, ["-st"] = true}

--- Reads HAProxy's command line.
-- @tparam {string,...} arguments the program's name first
-- @treturn {string,...} paths of the configuration's files and directories
-- @treturn boolean whether HAProxy only checks them
-- @treturn {[string]=true} ids of the processes that it replaces
function config_text.arguments(arguments)
  local paths, is_check, replaced, i = {}, false, {}, 2
  while arguments[i] do
    local argument = arguments[i]
    if argument == "--" then
      table.move(arguments, i + 1, #arguments, #paths + 1, paths)
      break
    elseif argument == "-f" then
      i = i + 1
      paths[#paths + 1] = arguments[i]
    elseif VALUE[argument] then
      i = i + 1
    elseif REPLACES[argument] then
      while (arguments[i + 1] or ""):find("^%d+$") do
        i = i + 1
        replaced[arguments[i]] = true
      end
    elseif argument:find("^%-c") and argument ~= "-cc" then
      is_check = true
    end
    i = i + 1
  end
  return paths, is_check, replaced
end

-- Of a directory HAProxy reads the `*.cfg`, sorted by name.
local function expand(paths, list)
  local expanded = {}
  for _, path in ipairs(paths) do
    local names = list(path)
    if names then
      for _, name in ipairs(names) do
        expanded[#expanded + 1] = name:find("^[^.].*%.cfg$") and
          path .. "/" .. name or nil
      end
    else
      expanded[#expanded + 1] = path
    end
  end
  return expanded
end

--- Reads the files of a configuration.
-- @tparam {string,...} paths as of `config_text.arguments`
-- @tparam table edges `read(path)` returns a file's text or nil; `list(path)`
--   the sorted names in a directory, nil for another file
-- @treturn {{path=string,text=string},...}
-- @treturn[2] nil when one of them cannot be read, or there is none
function config_text.files(paths, edges)
  local files = {}
  for i, path in ipairs(expand(paths, edges.list)) do
    local text = edges.read(path)
    if not text then
      return nil
    end
    files[i] = {path = path, text = text}
  end
  return files[1] and files or nil
end

-- Replaces the variables of a text in double quotes.
local function replace(text, environment)
  text = text:gsub("%${([%w_]+)%-?([^}]*)}", function(name, default)
    return environment[name] or default
  end)
  return (text:gsub("%$([%a_][%w_]*)", function(name)
    return environment[name] or ""
  end))
end

-- Reads what begins at a place of a line. Returns the text that it stands for
-- and the place after it, or nil at a space, a comment or the end.
local function piece(line, at, environment)
  local char = line:sub(at, at)
  if char == "" or char == "#" or char:find("%s") then
    return nil
  elseif char == "\\" then
    return line:sub(at + 1, at + 1), at + 2
  elseif char == "'" then
    local last = line:find("'", at + 1, true) or #line + 1
    return line:sub(at + 1, last - 1), last + 1
  elseif char ~= '"' then
    local text = line:match("^[^%s#\\'\"]+", at)
    return text, at + #text
  end
  local parts, next = {}, at + 1
  while next <= #line and line:sub(next, next) ~= '"' do
    local escaped = line:match("^\\(.)", next)
    local plain = line:match('^[^"\\]+', next)
    parts[#parts + 1] = escaped or plain and replace(plain, environment) or ""
    next = next + (escaped and 2 or plain and #plain or 1)
  end
  return table.concat(parts), next + 1
end

-- Splits a line into words.
local function split(line, environment)
  local words, at = {}, 1
  while true do
    at = line:find("%S", at)
    if not at or line:sub(at, at) == "#" then
      return words
    end
    local word = {}
    local text, next = piece(line, at, environment)
    while text do
      word[#word + 1] = text
      at = next
      text, next = piece(line, at, environment)
    end
    words[#words + 1] = table.concat(word)
  end
end

--- Splits a line into words as HAProxy does, without variables.
-- @tparam string line
-- @treturn {string,...}
function config_text.words(line)
  return split(line, {})
end

local function version_number(text)
  local major, minor = (text or ""):match("^(%d+)%.(%d+)")
  return major and major * 1000 + minor
end

local PREDICATES = {
  defined = function(reader, name)
    return reader.environment[name] ~= nil
  end,
  streq = function(_, a, b) return a == b end,
  strneq = function(_, a, b) return a ~= b end,
  version_atleast = function(reader, version)
    return reader.version and version_number(version) and
      reader.version >= version_number(version)
  end,
  version_before = function(reader, version)
    return reader.version and version_number(version) and
      reader.version < version_number(version)
  end,
}

-- Decides one condition. Returns nil if the text alone does not tell.
local function decide(reader, words)
  local condition = table.concat(words, " ", 2)
  local negated, name, list =
    condition:match("^%s*(!?)%s*([%w_]+)%((.*)%)%s*$")
  local number = condition:match("^%s*%-?(%d*)%s*$")
  if number then
    return number ~= "" and tonumber(number) ~= 0
  elseif not name or not PREDICATES[name] or list:find("[()&|]") then
    return nil
  end
  local arguments = {}
  for argument in (list .. ","):gmatch("%s*(.-)%s*,") do
    arguments[#arguments + 1] = argument
  end
  local answer = PREDICATES[name](reader, table.unpack(arguments))
  if answer == nil then
    return nil
  end
  return (negated == "!") ~= answer
end

-- A level of `.if`: `taken`: whether its lines count (nil: unknown), `done`:
-- whether an earlier branch is certain to be the one.
local CONDITIONALS = {
  [".if"] = function(reader, words)
    local answer = decide(reader, words)
    table.insert(reader.levels, {taken = answer, done = answer})
  end,
  [".elif"] = function(reader, words)
    local level = reader.levels[#reader.levels]
    if level then
      local answer = decide(reader, words)
      if level.done then
        level.taken = false
      elseif level.done == false then
        level.taken, level.done = answer, answer
      else
        level.taken = answer == false and false or nil
        level.done = answer or nil
      end
    end
  end,
  [".else"] = function(reader)
    local level = reader.levels[#reader.levels]
    if level and level.done ~= nil then
      level.taken = not level.done
    elseif level then
      level.taken = nil
    end
  end,
  [".endif"] = function(reader)
    table.remove(reader.levels)
  end,
}

-- Returns whether a line counts, and whether that is sure.
local function counts(reader)
  local sure = true
  for _, level in ipairs(reader.levels) do
    if level.taken == false then
      return false, true
    end
    sure = sure and level.taken == true
  end
  return true, sure
end

local ENVIRONMENT = {
  setenv = function(environment, words)
    environment[words[2] or ""] = words[3]
  end,
  presetenv = function(environment, words)
    environment[words[2] or ""] = environment[words[2]] or words[3]
  end,
  unsetenv = function(environment, words)
    for i = 2, #words do
      environment[words[i]] = nil
    end
  end,
  resetenv = function(environment, words)
    local kept = {}
    for i = 2, #words do
      kept[words[i]] = true
    end
    for name in pairs(environment) do
      environment[name] = kept[name] and environment[name] or nil
    end
  end,
}

local function begin_section(reader, words, sure)
  local section = {kind = words[1], name = words[2], lines = {}, sure = sure}
  reader.section = section
  if section.kind == "defaults" then
    reader.defaults = section
    reader.named[words[2] or ""] = section
  elseif INHERITS[section.kind] then
    section.defaults = reader.defaults
  end
  for i = 3, #words - 1 do
    if words[i] == "from" then
      section.defaults = reader.named[words[i + 1]]
    end
  end
  table.insert(reader.sections, section)
end

local function take(reader, words, place)
  local keyword = words[1]
  if CONDITIONALS[keyword] then
    CONDITIONALS[keyword](reader, words)
    return
  end
  local is_read, sure = counts(reader)
  if not is_read then
    return
  elseif SECTIONS[keyword] then
    begin_section(reader, words, sure)
  elseif reader.section and keyword:sub(1, 1) ~= "." then
    if reader.section.kind == "global" and ENVIRONMENT[keyword] then
      ENVIRONMENT[keyword](reader.environment, words)
    end
    table.insert(reader.section.lines,
      {place = place, words = words, sure = sure})
  end
end

--- Reads the sections.
-- @tparam {{path=string,text=string},...} files in order
-- @tparam table facts `environment`: HAProxy's own when it was started, by
--   name; `loaded`: what `lua-load` of the agent adds to it; `version` of
--   HAProxy, nil if it is not known
-- @treturn {section,...} in order
function config_text.parse(files, facts)
  local reader = {
    environment = {}, version = version_number(facts.version),
    sections = {}, named = {}, levels = {},
  }
  for name, value in pairs(facts.environment) do
    reader.environment[name] = value
  end
  for _, file in ipairs(files) do
    local number = 0
    for text in (file.text .. "\n"):gmatch("([^\n]*)\n") do
      number = number + 1
      local words = split(text, reader.environment)
      if words[1] then
        take(reader, words, file.path .. ":" .. number)
      end
      if words[1] == "lua-load" then
        for name, value in pairs(facts.loaded or {}) do
          reader.environment[name] = value
        end
      end
    end
  end
  return reader.sections
end

--- Finds the last line of a section, or of the defaults that it inherits.
-- @tparam section section
-- @tparam string keyword the first word of the line
-- @treturn ?line
function config_text.find(section, keyword)
  for i = #section.lines, 1, -1 do
    if section.lines[i].words[1] == keyword then
      return section.lines[i]
    end
  end
  return section.defaults and config_text.find(section.defaults, keyword)
end

return config_text
