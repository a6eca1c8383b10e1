--- Negotiates a haproxy.cfg: asks HAProxy, and learns from its answers, until
-- HAProxy has nothing more to say.
--
-- Synapse knew the keywords of HAProxy 1.6. A line of `listen` went into the
-- frontend, the backend, or both, and a line with another keyword into none.
-- Here HAProxy decides. Each copy of a line of `listen` stays where HAProxy
-- accepts it. A line with a keyword that HAProxy does not know is left out, and
-- a note names it. Whatever else HAProxy refuses is a mistake.
--
-- Pure: `synapse.generate.program` runs HAProxy.
--
-- @module synapse.generate.negotiate

local negotiation = {}
negotiation.__index = negotiation

--- One message.
-- @table diagnostic
-- @tfield string level "ALERT" or "WARNING"
-- @tfield ?integer line of the file; nil: it is about no line
-- @tfield string text

-- Removes "config : parsing [path:12] : ", which may be there twice.
local function split(text, path)
  local line
  local rest = text:gsub("^config : ", "")
  while true do
    local place, after = rest:match("^%l*%s?%[(.-)%]%s*: (.*)$")
    local at = place and place:sub(1, #path + 1) == path .. ":" and
      tonumber(place:sub(#path + 2))
    if not at then
      return line, rest
    end
    line, rest = at, after
  end
end

-- These messages only say that there were others.
local function is_summary(text)
  return text:find("^Error%(s%) found in configuration file") or
    text:find("^Fatal errors found in configuration") or
    text == "(null)"
end

--- Lists the messages.
-- @tparam string output
-- @tparam string path of the file that was checked
-- @treturn {diagnostic,...} in order
function negotiation.parse(output, path)
  local diagnostics = {}
  for row in output:gmatch("[^\n]+") do
    local level, text = row:match("^%[(%u+)%]%s+%(%d+%) : (.*)$")
    local last = diagnostics[#diagnostics]
    if level == "ALERT" or level == "WARNING" then
      local line, rest = split(text, path)
      if not is_summary(rest) then
        diagnostics[#diagnostics + 1] = {level = level, line = line,
          text = rest}
      end
    elseif not level and last and row:find("^%s") then
      last.text = last.text .. " " .. row:match("^[%s|]*(.*)$")
    end
  end
  return diagnostics
end

local function matches(text, patterns)
  for _, pattern in ipairs(patterns) do
    if text:find(pattern) then
      return true
    end
  end
  return false
end

local UNKNOWN = {"^unknown keyword '.*' in '.*' section", "^unknown option '"}

-- Tells whether HAProxy does not know a line's keyword.
-- @tparam diagnostic diagnostic
-- @treturn boolean
local function is_unknown(diagnostic)
  return matches(diagnostic.text, UNKNOWN)
end

local MISPLACED = {"has no %l+ capability", "is ignored in %l+s%.?$",
  "is not allowed because %l+ .* is not a %l+"}

-- HAProxy says this of a backend, not of one of its lines.
local IGNORED_CHECKS =
  "^backend '(.-)' uses http%-check rules without 'option httpchk'"

--- Tells whether a line is of no use where it stands: its keyword is unknown,
-- or belongs in a section of another kind, or lacks another line.
-- @tparam diagnostic diagnostic
-- @treturn boolean
function negotiation.is_harmless(diagnostic)
  return is_unknown(diagnostic) or
    matches(diagnostic.text, MISPLACED) or
    matches(diagnostic.text, {IGNORED_CHECKS})
end

--- Returns a negotiation.
-- @tparam {section,...} sections as of `synapse.generate.init`
-- @tparam string heading the comment of its first line
-- @treturn negotiation
function negotiation.new(sections, heading)
  return setmetatable({
    sections = sections, heading = heading,
    left_out = {},  -- what HAProxy said, by line
    said = {},      -- the last answer
  }, negotiation)
end

--- Returns the text of the file, and which line is where in it.
-- @treturn string
-- @treturn {[integer]=line}
function negotiation:text()
  local texts, lines = {"# " .. self.heading}, {}
  local function add(text, line)
    texts[#texts + 1] = text
    lines[#texts] = line
  end
  for _, section in ipairs(self.sections) do
    add("")
    add(section.title.text, section.title)
    for _, line in ipairs(section.lines) do
      if not self.left_out[line] then
        add("\t" .. line.text, line)
      end
    end
  end
  return table.concat(texts, "\n") .. "\n", lines
end

local function leaves_out(line, said)
  if line.unless == "unfit" then
    return said.level == "ALERT" or negotiation.is_harmless(said)
  end
  return line.unless == "unknown" and is_unknown(said)
end

-- Lists the lines that a message is about and that may be left out.
local function lines_of(self, said)
  if said.of then
    return leaves_out(said.of, said) and {said.of} or {}
  end
  local backend, lines = said.text:match(IGNORED_CHECKS), {}
  for _, section in ipairs(backend and self.sections or {}) do
    for _, line in ipairs(section.lines) do
      if section.title.text == "backend " .. backend and line.unless and
        line.text:find("^http%-check%s")
      then
        lines[#lines + 1] = line
      end
    end
  end
  return lines
end

--- Learns what HAProxy says of the text.
-- @tparam string output of `haproxy -c`
-- @tparam string path   of the file it was asked about
-- @treturn boolean whether the text has changed, so that HAProxy must check it
--   again
function negotiation:learn(output, path)
  local _, lines = self:text()
  local changed = false
  self.said = negotiation.parse(output, path)
  for _, said in ipairs(self.said) do
    said.of = lines[said.line]
    for _, line in ipairs(lines_of(self, said)) do
      changed = changed or not self.left_out[line]
      self.left_out[line] = self.left_out[line] or said
    end
  end
  return changed
end

local function message(line, text)
  return line and string.format("%s: `%s`: %s", line.place, line.text, text)
    or text
end

-- A line of `listen` counts as left out if all its copies were. If HAProxy
-- refuses more than its keyword, that is a mistake.
local function judge_copies(source, copies, verdict)
  local worst
  for _, copy in ipairs(copies) do
    if not copy.said then
      return
    elseif not worst or negotiation.is_harmless(worst) then
      worst = copy.said
    end
  end
  if negotiation.is_harmless(worst) then
    table.insert(verdict.notes, message(source, "left out: " .. worst.text))
  else
    table.insert(verdict.errors, message(source, worst.text))
  end
end

local function judge_left_out(self, verdict)
  local copies, order = {}, {}
  for _, section in ipairs(self.sections) do
    for _, line in ipairs(section.lines) do
      local said = self.left_out[line]
      if line.source then
        if not copies[line.source] then
          copies[line.source] = {}
          order[#order + 1] = line.source
        end
        table.insert(copies[line.source], {said = said})
      elseif said then
        table.insert(verdict.notes, message(line, "left out: " .. said.text))
      end
    end
  end
  for _, source in ipairs(order) do
    judge_copies(source, copies[source], verdict)
  end
end

-- Both copies of a line may get the same message.
local function once(texts)
  local kept, seen = {}, {}
  for _, text in ipairs(texts) do
    kept[#kept + 1] = not seen[text] and text or nil
    seen[text] = true
  end
  return kept
end

--- Sums up when HAProxy has nothing more to say.
-- @treturn table `errors`: why the file cannot be used; `notes`: what was left
--   out, and what else HAProxy said; each with its place
function negotiation:verdict()
  local verdict = {errors = {}, notes = {}}
  judge_left_out(self, verdict)
  for _, said in ipairs(self.said) do
    table.insert(said.level == "ALERT" and verdict.errors or verdict.notes,
      message(said.of, said.text))
  end
  return {errors = once(verdict.errors), notes = once(verdict.notes)}
end

return negotiation
