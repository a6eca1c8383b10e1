local http = require("synapse.status.http")

it("the page may run its own style and script, and nothing else", function()
  local asked = 0
  local get = http.page("<style>S</style><script>X</script>")
  local function hash(text)
    asked = asked + 1
    return "#" .. text
  end
  local made = get(hash)
  assert.are.equal('"#<style>S</style><script>X</script>"', made.tag)
  assert.is_truthy(made.policy:find("style-src 'sha256-#S'; script-src " ..
    "'sha256-#X';", 1, true))
  assert.is_nil(made.policy:find("unsafe"))
  assert.are.equal(made, get(hash))
  assert.are.equal(3, asked)
end)
