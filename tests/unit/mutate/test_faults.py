"""tests/mutate/faults.py: which faults can be put into a source text."""

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__),
                                "..", "..", "mutate"))

import faults  # noqa: E402


def became(path, text):
    """What each fault makes of the text, with its kind."""
    return [(fault.kind, fault.put_into(text))
            for fault in faults.faults(path, text)]


@pytest.mark.parametrize("text, comparisons", [
    ("a < b", ["a <= b", "a >= b"]),
    ("a > b", ["a <= b", "a >= b"]),
    ("a <= b", ["a < b", "a > b"]),
    ("a >= b", ["a < b", "a > b"]),
    ("a == b", ["a != b"]),
    ("a != b", ["a == b"]),
    ("a->b << 2 >> 1", []),
    ("\"a < b\"; '<'; /* a < b */ // a < b", []),
    ("#if a < b\n#define C(a) \\\n  (a < b)\n", []),
])
def test_turns_each_comparison_of_c(text, comparisons):
    assert became("a.c", text) == [(faults.COMPARISON, comparison)
                                   for comparison in comparisons]


@pytest.mark.parametrize("text, comparisons", [
    ("return a < b", ["return a <= b", "return a >= b"]),
    ("return a == b", ["return a ~= b"]),
    ("return a ~= b", ["return a == b"]),
    ("return \"a < b\" --[[ a < b\n]] -- a < b", []),
    ("return [==[ a < b ]==]", []),
])
def test_turns_each_comparison_of_lua(text, comparisons):
    assert became("a.lua", text) == [(faults.COMPARISON, comparison)
                                     for comparison in comparisons]


def test_turns_the_parts_of_a_condition_and_answers():
    assert became("a.c", "return a && b || true;") == [
        (faults.CONDITION, "return a || b || true;"),
        (faults.CONDITION, "return a && b && true;"),
        (faults.ANSWER, "return a && b || false;")]
    assert became("a.lua", "return a and b or false") == [
        (faults.CONDITION, "return a or b or false"),
        (faults.CONDITION, "return a and b and false"),
        (faults.ANSWER, "return a and b or true")]


@pytest.mark.parametrize("path, text, negated", [
    ("a.c", "if (f(a, (b)))", "if (!(f(a, (b))))"),
    ("a.c", "while (a)", "while (!(a))"),
    ("a.c", "for (int i = f(1); a[i]; i++)",
     "for (int i = f(1); !(a[i]); i++)"),
    ("a.lua", "if a then end", "if not (a) then end"),
    ("a.lua", "if a then elseif f(b) then end",
     "if a then elseif not (f(b)) then end"),
    ("a.lua", "while a do end", "while not (a) do end"),
    ("a.lua", "repeat until a.b\nreturn c",
     "repeat until not (a.b)\nreturn c"),
    ("a.lua", "if f(function() return a end) then end",
     "if not (f(function() return a end)) then end"),
])
def test_negates_conditions(path, text, negated):
    assert (faults.NEGATED, negated) in became(path, text)


@pytest.mark.parametrize("path, text", [
    ("a.c", "if (a < b)"), ("a.c", "while (1)"), ("a.c", "for (;;)"),
    ("a.lua", "while true do end"), ("a.lua", "if a == b then end"),
])
def test_negates_neither_a_comparison_nor_a_constant(path, text):
    assert faults.NEGATED not in dict(became(path, text))


@pytest.mark.parametrize("text, dropped", [
    ("{ f(a, (b)); g(); }", ["{ ; g(); }", "{ f(a, (b)); ; }"]),
    ("{ if (a < 1) f(); }", ["{ if (a < 1) ; }"]),
    ("{ if (f()) return g(); }", []),
    ("{ h->f(a)[1].g(); }", ["{ ; }"]),
    ("{ int a = f(); assert(g()); }", []),
    ("{ for (f(); g(); h()) k(); }", ["{ for (f(); g(); h()) ; }"]),
    ("{ f(a,\n  b); }", ["{ ;\n }"]),
])
def test_drops_calls_of_c(text, dropped):
    assert [text for kind, text in became("a.c", text)
            if kind == faults.CALL] == dropped


@pytest.mark.parametrize("text, dropped", [
    ("{ a = b; c->d[e] += f(g, h); }",
     ["{ ; c->d[e] += f(g, h); }", "{ a = b; ; }"]),
    ("{ a++; *b = c; }", ["{ ; *b = c; }", "{ a++; ; }"]),
    ("{ int a = 1, b = 2; struct c d = {.e = 3}; }", []),
    ("{ for (a = 0; a < b; a++) c = d; }",
     ["{ for (a = 0; a < b; a++) ; }"]),
    ("{ if (a) b = (struct c){.d = 1}; else e--; }",
     ["{ if (a) ; else e--; }", "{ if (a) b = (struct c){.d = 1}; else ; }"]),
])
def test_drops_assignments_of_c(text, dropped):
    assert [text for kind, text in became("a.c", text)
            if kind == faults.ASSIGNMENT] == dropped


@pytest.mark.parametrize("text, dropped", [
    ("f(a)\ng.h:k(b)\nreturn c", ["\ng.h:k(b)\nreturn c",
                                  "f(a)\n\nreturn c"]),
    ("if a then f() end", ["if a then  end"]),
    ("local a = f()\nreturn g()", []),
    ("local a = b or\n  f()", []),
    ("local a = {\n  f(),\n}", []),
    ("f(a, function()\n  g()\nend)", ["\n\n", "f(a, function()\n  \nend)"]),
    ("f\"a\"\ng{b}", ["\ng{b}", "f\"a\"\n"]),
    ("f(a).b = c", []),
])
def test_drops_calls_of_lua(text, dropped):
    assert [text for kind, text in became("a.lua", text)
            if kind == faults.CALL] == dropped


@pytest.mark.parametrize("text, dropped", [
    ("a = b\nc.d[e] = f(g) -- h\nlocal i = j",
     ["\nc.d[e] = f(g) -- h\nlocal i = j", "a = b\n -- h\nlocal i = j"]),
    ("a, b = c, d", [""]),
    ("a = b\n  or c\nd = e", ["\n\nd = e", "a = b\n  or c\n"]),
    ("a = function()\n  b = c\nend\nreturn a",
     ["\n\n\nreturn a", "a = function()\n  \nend\nreturn a"]),
    ("local a\na = {\n  b = c,\n}", ["local a\n\n\n"]),
    ("if a then b = c else d = e end",
     ["if a then  else d = e end", "if a then b = c else  end"]),
])
def test_drops_assignments_of_lua(text, dropped):
    assert [text for kind, text in became("a.lua", text)
            if kind == faults.ASSIGNMENT] == dropped


def test_a_fault_names_its_place_and_keeps_the_lines_of_the_rest():
    text = "{\n  f(a,\n    b);\n}\n"
    fault, = faults.faults("csrc/a.c", text)
    assert str(fault) == "csrc/a.c:2: call dropped: f(a, b);"
    assert fault.put_into(text) == "{\n  ;\n\n}\n"
    fault, = faults.faults("csrc/a.c", "\n\na ==\nb")
    assert str(fault) == "csrc/a.c:3: comparison turned: == -> !="
