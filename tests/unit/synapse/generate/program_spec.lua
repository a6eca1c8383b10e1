local cjson = require("cjson")
local program = require("synapse.generate.program")
local stdlib = require("posix.stdlib")
local zookeeper = require("synapse.c_module")
local new_directory = dofile("tests/fake/directory.lua")

-- Complains of the first line with "nonsense".
local COMPLAINS = [[
line=$(grep -n nonsense "$3" | cut -d: -f1 | head -n 1)
[ -z "$line" ] && exit 0
echo "[ALERT]    (1) : config : parsing [$3:$line] : %s"
exit 1]]
local GOOD = "echo Configuration file is valid"

describe("synapse-haproxy-cfg", function()
  local directory, config, output, said, printed, stderr, stdout, variable

  before_each(function()
    directory = new_directory()
    directory.play_haproxy(GOOD)
    config = directory.path .. "/synapse.conf.json"
    output = directory.path .. "/haproxy.cfg"
    stderr, stdout = io.stderr, io.stdout
    variable = os.getenv("SYNAPSE_CONFIG")
    stdlib.setenv("SYNAPSE_CONFIG", nil)
  end)

  after_each(function()
    stdlib.setenv("SYNAPSE_CONFIG", variable, true)
    directory.remove()
  end)

  local function write_config(haproxy, top)
    directory.write("synapse.conf.json", cjson.encode({haproxy = top,
      services = {web = {haproxy = haproxy or {port = 3213},
        discovery = {method = "zookeeper", path = "/web",
          hosts = {"zk1:2181"}}}}}))
  end

  local function writer(parts)
    return {write = function(_, ...)
      for _, text in ipairs({...}) do
        parts[#parts + 1] = text
      end
    end}
  end

  -- Returns the exit status; `said` and `printed` are what it wrote.
  local function run(...)
    local errors, output_parts = {}, {}
    rawset(io, "stderr", writer(errors))
    rawset(io, "stdout", writer(output_parts))
    local ok, status = pcall(program.run, {...}, "/usr/synapse.lua")
    rawset(io, "stderr", stderr)
    rawset(io, "stdout", stdout)
    said, printed = table.concat(errors), table.concat(output_parts)
    assert.is_true(ok, status)
    return status
  end

  it("prints a whole configuration that HAProxy accepts", function()
    write_config()
    assert.are.equal(0, run("-c", config))
    assert.are.equal("", said)
    assert.are.equal("# Made by synapse-haproxy-cfg of " .. config ..
      ": what is changed here is lost.\n", printed:match("^[^\n]*\n"))
    assert.is_truthy(printed:find("\n\tsetenv SYNAPSE_CONFIG " .. config ..
      "\n\tlua-load /usr/synapse.lua\n", 1, true))
    assert.is_truthy(printed:find("\n\tbind 127.0.0.1:3214\n", 1, true))
    assert.are.same({"haproxy", "synapse.conf.json"}, directory.names())
  end)

  it("writes a file, and leaves one that is equal alone", function()
    write_config()
    assert.are.equal(0, run("--config=" .. config, "--output", output))
    assert.are.same({"synapse-haproxy-cfg: " .. output .. ": written\n", ""},
      {said, printed})
    local made = directory.read("haproxy.cfg")
    assert.is_truthy(made:find("\nbackend web\n", 1, true))
    assert.are.equal(0, run("-c", config, "-o", output))
    assert.are.equal("synapse-haproxy-cfg: " .. output .. ": unchanged\n",
      said)
    assert.are.equal(0, run("-c", config))
    assert.are.equal(made, printed)
    assert.are.same({"haproxy", "haproxy.cfg", "synapse.conf.json"},
      directory.names())
  end)

  it("reads the configuration that SYNAPSE_CONFIG names", function()
    write_config()
    stdlib.setenv("SYNAPSE_CONFIG", config, true)
    assert.are.equal(0, run())
    assert.is_truthy(printed:find("\nbackend web\n", 1, true))
  end)

  it("tells how it is used, and its version", function()
    for _, option in ipairs({"-h", "--help"}) do
      assert.are.equal(0, run("-c", config, option, "--nonsense"))
      assert.are.equal("Usage: synapse-haproxy-cfg -c FILE",
        printed:sub(1, 34))
      assert.are.equal("", said)
    end
    assert.are.equal(0, run("--version"))
    assert.are.equal("synapse-haproxy-cfg " .. zookeeper.version .. "\n",
      printed)
  end)

  local wrong = {
    {{}, "-c FILE is missing"},
    {{"-x"}, "-x is not an option"},
    {{"-c"}, "-c needs a value"},
    {{"-c", ""}, "-c needs a value"},
    {{"--config="}, "--config needs a value"},
    {{"-c", "f", "--help=x"}, "--help=x is not an option"},
    {{"-c", "f", "g"}, "g is not an option"},
    {{"-c", "f", "-s"}, "-s needs a value"},
  }
  for _, case in ipairs(wrong) do
    it("refuses arguments: " .. case[2], function()
      assert.are.equal(2, run(table.unpack(case[1])))
      local starts = "synapse-haproxy-cfg: " .. case[2] .. "\nUsage: "
      assert.are.equal(starts, said:sub(1, #starts))
      assert.are.equal("", printed)
    end)
  end

  it("says what is wrong with the configuration, and writes nothing",
    function()
      directory.write("synapse.conf.json", '{"services": {"web": {}}}')
      assert.are.equal(1, run("-c", config, "-o", output))
      local starts = "synapse-haproxy-cfg: " .. config .. ": services.web"
      assert.are.equal(starts, said:sub(1, #starts))
      assert.is_nil(directory.read("haproxy.cfg"))
      assert.are.equal(1, run("-c", directory.path .. "/no.json"))
      assert.is_truthy(said:find("No such file", 1, true))
    end)

  it("has the page where it is told, or not at all", function()
    write_config()
    assert.are.equal(0, run("-c", config, "--status=10.0.0.1:99"))
    assert.is_truthy(printed:find("\n\tbind 10.0.0.1:99\n", 1, true))
    assert.is_nil(printed:find("3214", 1, true))
    assert.are.equal(0, run("-c", config, "-s", "none"))
    assert.is_nil(printed:find("lua.synapse", 1, true))
  end)

  it("leaves out a page whose address is taken, and says so", function()
    write_config({port = 3214})
    assert.are.equal(0, run("-c", config))
    assert.is_nil(printed:find("lua.synapse", 1, true))
    assert.is_truthy(said:find("overlaps with", 1, true))
    assert.is_truthy(said:find("; so there is no status page: --status " ..
      "gives it another address\n", 1, true))
    assert.are.equal(1, run("-c", config, "-s", "127.0.0.1:3214"))
    assert.are.equal("", printed)
    assert.is_truthy(said:find("overlaps with", 1, true))
  end)

  it("refuses frontends that overlap without the page, too", function()
    write_config({port = 3213}, {extra_sections = {
      ["frontend own"] = {"bind 127.0.0.1:3213"}}})
    assert.are.equal(1, run("-c", config))
    assert.are.equal("", printed)
    assert.is_nil(said:find("no status page", 1, true))
    assert.is_truthy(said:find("overlaps with", 1, true))
  end)

  it("says what HAProxy refuses that it cannot leave out", function()
    write_config()
    directory.play_haproxy("echo no memory; exit 1")
    assert.are.equal(1, run("-c", config, "-o", output))
    assert.are.equal("synapse-haproxy-cfg: " .. config .. ": HAProxy " ..
      "refuses what is made of it: no memory\n\n", said)
    assert.are.same({"haproxy", "synapse.conf.json"}, directory.names())
  end)

  -- A line that this HAProxy does not know is named by its place.
  it("names the line of the configuration that HAProxy refuses", function()
    write_config({port = 3213, backend = {"balance nonsense"}})
    directory.play_haproxy(COMPLAINS:format("'balance' wants something else"))
    assert.are.equal(1, run("-c", config, "-o", output))
    assert.are.equal("synapse-haproxy-cfg: " .. config .. ": services.web." ..
      "haproxy.backend[0]: `balance nonsense`: 'balance' wants something " ..
      "else\n", said)
    assert.is_nil(directory.read("haproxy.cfg"))
  end)

  it("leaves out what HAProxy does not know, until it says nothing more",
    function()
      write_config({port = 3213, listen = {"option nonsense"}})
      directory.play_haproxy(COMPLAINS:format("unknown option 'nonsense'."))
      assert.are.equal(0, run("-c", config))
      assert.are.equal("", printed:match("%f[\n]\toption nonsense") or "")
      assert.are.equal("synapse-haproxy-cfg: " .. config .. ": services.web." ..
        "haproxy.listen[0]: `option nonsense`: left out: unknown option " ..
        "'nonsense'.\n", said)
    end)

  it("says that it cannot write, and ends with 1", function()
    write_config()
    assert.are.equal(1, run("-c", config, "-o", directory.path .. "/no/x"))
    assert.are.equal("synapse-haproxy-cfg: " .. directory.path ..
      "/no/x: No such file or directory\n", said)
  end)

  it("leaves no candidate behind when something fails", function()
    write_config()
    directory.play_haproxy('rm -f "$3"; mkdir "$3"')
    assert.are.equal(1, run("-c", config, "-o", output))
    assert.are.equal("synapse-haproxy-cfg: ", said:sub(1, 21))
    assert.are.same({"haproxy", "synapse.conf.json"}, directory.names())
  end)
end)
