-- What an operator has in Lua already.
answers = 0

core.register_service("own", "http", function(applet)
  answers = answers + 1
  local body = "own " .. answers
  applet:set_status(200)
  applet:add_header("content-length", tostring(#body))
  applet:start_response()
  applet:send(body)
end)

core.register_task(function()
  core.msleep(10)
end)
