--- Metrics as Prometheus reads them.
--
-- Pure.
--
-- @module synapse.status.prometheus

local status = require("synapse.status.status")

local prometheus = {}

local ESCAPES = {["\\"] = "\\\\", ['"'] = '\\"', ["\n"] = "\\n"}

local function labelled(labels)
  local parts = {}
  for i = 1, #labels, 2 do
    parts[#parts + 1] = string.format('%s="%s"', labels[i],
      (labels[i + 1]:gsub('[\\"\n]', ESCAPES)))
  end
  return #parts > 0 and "{" .. table.concat(parts, ",") .. "}" or ""
end

--- Returns a line of a metric.
-- @tparam string name
-- @tparam {string,...} labels name and value in turn
-- @tparam number value
-- @treturn string
function prometheus.sample(name, labels, value)
  return string.format("%s%s %.14g\n", name, labelled(labels), value)
end

local function heading(name, kind, help)
  return string.format("# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
end

--- Returns a metric with one sample, or several.
-- @tparam string name
-- @tparam string kind "counter" or "gauge"
-- @tparam string help
-- @tparam {{labels,value},...} samples
-- @treturn string empty without a sample
function prometheus.metric(name, kind, help, samples)
  if #samples == 0 then
    return ""
  end
  local lines = {heading(name, kind, help)}
  for _, one in ipairs(samples) do
    lines[#lines + 1] = prometheus.sample(name, one[1], one[2])
  end
  return table.concat(lines)
end

--- Returns a histogram.
-- @tparam string name
-- @tparam string help
-- @tparam histogram histogram
-- @treturn string
function prometheus.histogram(name, help, histogram)
  local lines, sum = {heading(name, "histogram", help)}, 0
  for i, count in ipairs(histogram.counts) do
    sum = sum + count
    lines[#lines + 1] = prometheus.sample(name .. "_bucket", {"le",
      histogram.bounds[i] and string.format("%.14g", histogram.bounds[i]) or
      "+Inf"}, sum)
  end
  lines[#lines + 1] = prometheus.sample(name .. "_sum", {}, histogram.sum)
  lines[#lines + 1] = prometheus.sample(name .. "_count", {}, histogram.total)
  return table.concat(lines)
end

-- One for each service: `each` returns labels beside its name, and a value.
local SERVICES = {
  {"synapse_service_state", "Whether the service is in this state.",
    {"down", "degraded", "whole"},
    function(look, state) return "state", look.state == state and 1 or 0 end},
  {"synapse_service_instances", "Instances of the service, by state.",
    status.STATES,
    function(look, state) return "state", look.counts[state] or 0 end},
  {"synapse_service_slots", "Slots of the service's backend.",
    {"used", "free"},
    function(look, kind)
      return "kind", kind == "used" and look.used or look.slots - look.used
    end},
}

local function samples_of(metric, look)
  local name, _, values, each = table.unpack(metric)
  local lines = {}
  for i, value in ipairs(values) do
    local label, number = each(look, value)
    lines[i] = prometheus.sample(name,
      {"service", look.service.name, label, value}, number)
  end
  return table.concat(lines)
end

--- Puts the metrics of services, which are many. The text of each is kept with
-- its look.
-- @tparam {look,...} looks
-- @tparam function put takes a part of the text
function prometheus.services(looks, put)
  for _, metric in ipairs(SERVICES) do
    local name, help = table.unpack(metric)
    put(#looks > 0 and heading(name, "gauge", help) or "")
    for _, look in ipairs(looks) do
      look.samples = look.samples or {}
      look.samples[name] = look.samples[name] or samples_of(metric, look)
      put(look.samples[name])
    end
  end
end

return prometheus
