local cjson = require("cjson.safe")
local json = require("synapse.config.json")

describe("the JSON of a configuration", function()
  it("is read as cjson reads it", function()
    for _, text in ipairs({
      "{}", "[]", ' {"a": [1, -2.5, 1e3, true, false, null, "x"]}\n',
      '{"a\\"b": "\\u00e4\\n\\\\", "": {"b": [[], {}]}}', '["\xc3\xa4"]',
    }) do
      assert.are.same(cjson.decode(text), json.decode(text))
    end
  end)

  local wrong = {
    {'{"a": [1,\n 2,,]}', "line 2, column 4: unexpected token near ','"},
    {'{"a": 1,,}', "line 1, column 9: string or '}' expected near ','"},
    {'{"a" 1}', "line 1, column 6: ':' expected near '1'"},
    {'{"a": 1 "b": 2}', "line 1, column 9: '}' expected near '\"b\"'"},
    {"[1 2]", "line 1, column 4: ']' expected near '2'"},
    {"[1", "line 1, column 3: ']' expected near end of file"},
    {'["a', "line 1, column 4: '\"' expected near end of file"},
    {'["a\nb"]', "line 1, column 4: control character 0xa in a string"},
    {'["\\x"]', "line 1, column 2: invalid token near '\"'"},
    {"[01]", "line 1, column 2: invalid token near '01'"},
    {"[0x10]", "line 1, column 2: invalid token near '0x10'"},
    {"[nan]", "line 1, column 2: unexpected token near 'nan'"},
    {"{} x", "line 1, column 4: end of file expected near 'x'"},
    {"1", "line 1, column 1: '[' or '{' expected near '1'"},
    {"", "line 1, column 1: '[' or '{' expected near end of file"},
    {'{"a": 1, "a": 2}',
      "line 1, column 10: duplicate object key near '\"a\"'"},
    {("["):rep(33), "line 1, column 33: more than 32 levels"},
  }
  for _, case in ipairs(wrong) do
    it("is refused: " .. case[2], function()
      assert.are.same({nil, case[2]}, {json.decode(case[1])})
    end)
  end

  -- Ansible's templates begin with a comment, and people leave a comma behind
  -- the last service: airbnb's programs read both, for they read YAML. These
  -- files were refused. nerve's unit tests walk through the same cases.
  local file = assert(io.open("tests/data/config/beside_json.json"))
  local cases = cjson.decode(file:read("a"))
  file:close()
  for _, case in ipairs(cases) do
    it("may have beside it: " .. cjson.encode(case.text), function()
      local read, why = json.decode(case.text)
      assert.are.same(case.reads, read)
      if case.refused then
        assert.are.equal(case.refused, why:sub(1, #case.refused))
      end
    end)
  end
end)
