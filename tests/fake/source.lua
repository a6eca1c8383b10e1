--- A source of instances as the configuration reads it.
return function(path, hosts)
  hosts = hosts or "zk:2181"
  return {
    hosts = hosts, path = path, ensemble = hosts, place = hosts .. path,
    decode = {method = "nerve"}, pause = 0, create_path = false, filters = {},
  }
end
