local disk = require("synapse.config.disk")

describe("the disk", function()
  local is_jailed, asked, made

  local function note(what, path)
    return function(_, name, ...)
      table.insert(asked, table.concat({what, path, name}, " "))
      if name:find("none") then
        return nil, name .. ": No such file or directory", 2
      end
      local bytes, follows_links = ...
      return what == "list" and {"b", "a"} or what == "stamp" and 7 or
        what == "remote" and "NFS" or
        bytes .. (follows_links and " bytes, of a link as well" or " bytes")
    end
  end

  before_each(function()
    is_jailed, asked = false, {}
    made = disk.new({
      open_directory = function(path)
        return {read = note("read", path), list = note("list", path),
          stamp = note("stamp", path), remote = note("remote", path)}
      end,
      is_jailed = function() return is_jailed end,
    })
    made:open("/etc/haproxy/synapse.conf.json")
  end)

  it("uses paths as they are without a chroot", function()
    assert.are.equal("67108864 bytes, of a link as well",
      made:read("/srv/web.json"))
    assert.are.same({"a", "b"}, made:list("/srv"))
    assert.are.equal(7, made:stamp("/srv/web.json"))
    assert.are.equal("NFS", made:remote("/srv"))
    assert.are.same({"read /etc/haproxy /srv/web.json",
      "list /etc/haproxy /srv", "stamp /etc/haproxy /srv/web.json",
      "remote /etc/haproxy /srv"}, asked)
  end)

  it("finds files from the directories that it opened before a chroot",
    function()
      is_jailed = true
      made:open("/etc/services.d/")
      made:read("/etc/haproxy/synapse.conf.json")
      made:list("/etc/services.d/")
      made:read("/etc/services.d/web.json")
      assert.are.same({"read /etc/haproxy synapse.conf.json",
        "list /etc services.d/", "read /etc services.d/web.json"}, asked)
    end)

  it("says what a chroot hides", function()
    is_jailed = true
    assert.are.same({nil, "HAProxy's chroot hides it"},
      {made:read("/srv/web.json")})
    assert.are.same({nil, "HAProxy's chroot hides it"}, {made:list("/srv")})
    assert.are.equal(0, made:stamp("/srv/web.json"))
    assert.is_nil(made:remote("/srv"))
    -- The directory where HAProxy was started is not above it.
    made:open("synapse.conf.json")
    assert.are.equal(0, made:stamp("/srv/web.json"))
  end)

  it("finds relative paths from where HAProxy was started", function()
    made:open("synapse.conf.json")
    made:open("conf/services.d")
    made:read("synapse.conf.json")
    made:list("conf/services.d")
    assert.are.same({"read . synapse.conf.json", "list conf services.d"},
      asked)
  end)

  it("says why a file cannot be read, without its path", function()
    assert.are.same({nil, "No such file or directory"},
      {made:read("/etc/haproxy/none")})
    assert.are.same({nil, "No such file or directory"}, {made:list("/none")})
    assert.are.equal(0, made:stamp("/none"))
  end)
end)
