--- The status page: its text, and what a browser may do with it.
--
-- The policy names the page's own style and script by their hashes, so that
-- nothing else runs, whatever a znode puts into the page.
--
-- @module synapse.status.page

local page = {}

local POLICY = "default-src 'none'; connect-src 'self'; img-src data:; " ..
  "style-src 'sha256-%s'; script-src 'sha256-%s'; base-uri 'none'; " ..
  "form-action 'none'; frame-ancestors 'none'; " ..
  "require-trusted-types-for 'script'"

--- Returns a function that gives the page.
-- @tparam string text HTML with one `<style>` and one `<script>`
-- @treturn function takes `hash(text)`, SHA-256 in base64, and returns
--   `{text, tag, policy}`
function page.new(text)
  local style = text:match("<style>(.-)</style>")
  local script = text:match("<script>(.-)</script>")
  local made
  return function(hash)
    made = made or {
      text = text, tag = '"' .. hash(text) .. '"',
      policy = POLICY:format(hash(style), hash(script)),
    }
    return made
  end
end

return page
