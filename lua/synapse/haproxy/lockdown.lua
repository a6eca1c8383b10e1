--- Finds what in haproxy.cfg a lockdown would break.
--
-- After it HAProxy starts no process, and its external checks are processes.
-- HAProxy has no way to ask for them, so this reads the text.
--
-- Pure.
--
-- @module synapse.haproxy.lockdown

local lockdown = {}

local function is_external_check(line)
  return line:find("^%s*external%-check") ~= nil or
    line:find("^%s*option%s+external%-check") ~= nil
end

--- Says what is wrong with a configuration that is to be locked down.
-- @tparam {string,...} paths of its files
-- @tparam {string,...} texts of the same
-- @treturn ?string nil when nothing is
function lockdown.problem(paths, texts)
  for i, text in ipairs(texts) do
    local number = 0
    for line in (text .. "\n"):gmatch("([^\n]*)\n") do
      number = number + 1
      if is_external_check(line) then
        return string.format("lockdown: %s:%d has external-check, whose " ..
          "processes it forbids; remove one of the two", paths[i], number)
      end
    end
  end
  return nil
end

return lockdown
