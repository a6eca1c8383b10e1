--- Ends the agent's task in its first turn. For after the agent.
local agent = require("synapse.agent")

function agent:turn()
  self.stopped = true
end
