local terminal = require("synapse.control.terminal")

it("keys are told apart, however many came at once", function()
  local keys = {}
  local screen = setmetatable({
    rest = "a\r\n\27[A\27OB\27[5~\27[6~\27[H\27OF\27[1~\27[4~\127\27[1;5C" ..
      "\195\188q",
  }, terminal)
  while screen.rest ~= "" do
    keys[#keys + 1] = screen:key(0)
  end
  assert.are.same({"a", "enter", "enter", "up", "down", "pageup", "pagedown",
    "home", "end", "home", "end", "backspace", "\27[1;5C", "ü", "q"}, keys)
  screen.rest = "\27"
  assert.are.equal("escape", screen:key(0))
end)
