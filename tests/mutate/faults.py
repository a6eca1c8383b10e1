"""The single faults that can be put into a source text. Pure.

`faults(path, text)` reads C or Lua as a list of tokens, not as a program. So a
fault may not compile, or may mean the same as before. The caller lets the
compiler decide both.

  a comparison turned    a < b      a <= b, a >= b
  a condition turned     a && b     a || b       (in Lua: and, or)
  a condition negated    if (a)     if (!(a))
  an answer turned       true       false
  a call dropped         f(a);      ;
  an assignment dropped  a = b;     ;
"""

import bisect
import dataclasses
import re

COMPARISON, CONDITION, NEGATED, ANSWER, CALL, ASSIGNMENT = (
    "comparison turned", "condition turned", "condition negated",
    "answer turned", "call dropped", "assignment dropped")

OPENING, CLOSING = "([{", ")]}"


@dataclasses.dataclass(frozen=True)
class Fault:
    """One change of a text: `text[start:end]` becomes `new`."""
    path: str
    line: int
    kind: str
    start: int
    end: int
    old: str
    new: str

    def put_into(self, text):
        """Returns the text with the fault in it, of as many lines."""
        lost = text[self.start:self.end].count("\n") - self.new.count("\n")
        return text[:self.start] + self.new + "\n" * lost + text[self.end:]

    def __str__(self):
        old, new = (" ".join(part.split()) for part in (self.old, self.new))
        became = f" -> {new}" if new.strip(" ;") else ""
        return f"{self.path}:{self.line}: {self.kind}: {old[:60]}{became[:60]}"


@dataclasses.dataclass(frozen=True)
class Token:
    text: str
    start: int
    end: int
    line: int
    is_name: bool

    def __eq__(self, text):
        return self.text == text


class Language:
    """What the two languages differ in."""

    def __init__(self, tokens, comparisons, logic, keywords):
        self.tokens = re.compile(tokens, re.S | re.M | re.X)
        self.comparisons = comparisons
        self.logic = logic
        self.keywords = frozenset(keywords.split())


TURNED = {"<": ("<=", ">="), ">": (">=", "<="), "<=": ("<", ">"),
          ">=": (">", "<"), "==": ("!=",), "!=": ("==",)}

C = Language(
    r"""(?P<skip>\s+ | /\*.*?\*/ | //[^\n]* |
               ^[ \t]*\#(?:[^\n\\]|\\.)*)
      | (?P<name>[A-Za-z_]\w*)
      | "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' | \.?\d[\w.]*
      | -> | \+\+ | -- | <<=? | >>=? | [<>=!]= | && | \|\|
      | [-+*/%&|^]= | \.\.\. | .""",
    TURNED, {"&&": "||", "||": "&&"},
    """if else for while do switch case default return goto break continue
       struct union enum static const extern sizeof assert""")

LUA = Language(
    r"""(?P<skip>\s+ | --\[(?P<a>=*)\[.*?\](?P=a)\] | --[^\n]*)
      | (?P<name>[A-Za-z_]\w*)
      | \[(?P<b>=*)\[.*?\](?P=b)\] | "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*'
      | \.?\d[\w.]* | \.\.\.? | [<>=~]= | << | >> | // | :: | .""",
    {**TURNED, "==": ("~=",), "~=": ("==",)}, {"and": "or", "or": "and"},
    """and break do else elseif end false for function goto if in local nil
       not or repeat return then true until while""")


def language_of(path):
    return C if path.endswith(".c") else LUA


def tokens_of(text, language):
    """The tokens of a text, without comments and preprocessor lines."""
    breaks = [at for at, letter in enumerate(text) if letter == "\n"]
    return [Token(found.group(), found.start(), found.end(),
                  bisect.bisect_left(breaks, found.start()) + 1,
                  found.lastgroup == "name"
                  and found.group() not in language.keywords)
            for found in language.tokens.finditer(text)
            if found.group("skip") is None]


def closing(tokens, at):
    """The index of the bracket that closes the one at `at`."""
    depth = 0
    for index in range(at, len(tokens)):
        depth += (tokens[index].text in OPENING) \
            - (tokens[index].text in CLOSING)
        if depth == 0:
            return index
    return len(tokens) - 1


class Reader:
    """Finds the faults of one text."""

    def __init__(self, path, text):
        self.path, self.text = path, text
        self.language = language_of(path)
        self.tokens = tokens_of(text, self.language)
        self.found = []

    def add(self, kind, first, last, new):
        """A fault in place of the tokens `first` to `last`, both included."""
        start, end = self.tokens[first].start, self.tokens[last].end
        self.found.append(Fault(self.path, self.tokens[first].line, kind,
                                start, end, self.text[start:end], new))

    def between(self, first, last):
        return self.text[self.tokens[first].start:self.tokens[last].end]

    def text_at(self, index):
        return self.tokens[index].text if 0 <= index < len(self.tokens) else ""

    def turn(self):
        """Comparisons, conditions of several parts, and answers."""
        for index, token in enumerate(self.tokens):
            for new in self.language.comparisons.get(token.text, ()):
                self.add(COMPARISON, index, index, new)
            if token.text in self.language.logic:
                self.add(CONDITION, index, index,
                         self.language.logic[token.text])
            if token.text in ("true", "false"):
                self.add(ANSWER, index, index,
                         "false" if token == "true" else "true")

    def negate(self, first, last):
        """The condition of these tokens; not one that is a single comparison,
        which is turned, nor a constant."""
        inside = [token.text for token in self.tokens[first:last + 1]]
        single = not any(logic in inside for logic in self.language.logic)
        if first > last or inside[0].isdigit() or inside == ["true"]:
            return
        if single and any(text in self.language.comparisons
                          for text in inside):
            return
        form = "!(%s)" if self.language is C else "not (%s)"
        self.add(NEGATED, first, last, form % self.between(first, last))

    def chain(self, at):
        """Reads what a statement can start with: a.b[c](d):e. Returns the
        index behind it, and whether it ends in a call; None for no chain."""
        if at >= len(self.tokens) or not self.tokens[at].is_name:
            return None
        called, at = False, at + 1
        while at < len(self.tokens):
            token = self.tokens[at]
            if token.text in (".", "->", ":") \
                    and at + 1 < len(self.tokens) \
                    and self.tokens[at + 1].is_name:
                called, at = False, at + 2
            elif token.text in "([":
                called, at = token == "(", closing(self.tokens, at) + 1
            elif self.language is LUA and token.text[0] in "\"'{" \
                    and not called:
                called, at = True, closing(self.tokens, at) + 1 \
                    if token == "{" else at + 1
            else:
                break
        return at, called


class ReaderOfC(Reader):
    def read(self):
        self.turn()
        for index, token in enumerate(self.tokens):
            if token.text in ("if", "while") and self.text_at(index + 1) == "(":
                self.negate(index + 2, closing(self.tokens, index + 1) - 1)
            elif token == "for" and self.text_at(index + 1) == "(":
                self.negate_for(index + 1, closing(self.tokens, index + 1))
            if self.starts_statement(index):
                self.drop(index)
        return self.found

    def negate_for(self, first, last):
        ends = [index for index in range(first, last)
                if self.tokens[index] == ";"]
        if len(ends) == 2:
            self.negate(ends[0] + 1, ends[1] - 1)

    def starts_statement(self, at):
        before = self.text_at(at - 1)
        if before in ("{", "}", "else", "do", ":"):
            return True
        if before == ";":
            return not self.in_brackets(at)
        return before == ")" and self.closes_condition(at - 1)

    def in_brackets(self, at):
        """Whether the nearest open bracket before `at` is a round one."""
        depth = 0
        for index in range(at - 1, -1, -1):
            text = self.tokens[index].text
            if text in CLOSING:
                depth += 1
            elif text in OPENING:
                if depth == 0:
                    return text == "("
                depth -= 1
        return False

    def closes_condition(self, at):
        depth = 0
        for index in range(at, -1, -1):
            text = self.tokens[index].text
            depth += (text in CLOSING) - (text in OPENING)
            if depth == 0:
                return self.text_at(index - 1) in ("if", "while", "for")
        return False

    def drop(self, at):
        first = at
        if self.text_at(at) == "*":
            at += 1
        chain = self.chain(at)
        if not chain:
            return
        end, called = chain
        operator = self.text_at(end)
        if operator == ";" and called:
            self.add(CALL, first, end, ";")
        elif operator in ("++", "--") and self.text_at(end + 1) == ";":
            self.add(ASSIGNMENT, first, end + 1, ";")
        elif operator in ("=", "+=", "-=", "*=", "/=", "|=", "&="):
            while self.text_at(end) not in (";", ""):
                end = closing(self.tokens, end) + 1 \
                    if self.text_at(end) in OPENING else end + 1
            self.add(ASSIGNMENT, first, end, ";")


class ReaderOfLua(Reader):
    OPENS = ("function", "if", "do", "repeat", *OPENING)
    CLOSES = ("end", "until", *CLOSING)
    # An expression goes on before and after these,
    BINARY = ("and", "or", "..", "+", "-", "*", "/", "//", "%", "^", "<", ">",
              "<=", ">=", "==", "~=", "=", ",", ".", ":", "&", "|", "~", "<<",
              ">>")
    # and after these.
    GOES_ON = (*BINARY, "not", "#", "return", "local", "in", "if", "while",
               "elseif", "until", "for", "function", "goto")
    BEFORE_BLOCK = ("then", "do", "else", "repeat", ";")

    def read(self):
        self.turn()
        stack = []
        for index, token in enumerate(self.tokens):
            if self.starts_statement(index, stack):
                self.drop(index)
            if token.text in ("if", "elseif"):
                self.negate_until(index, "then")
            elif token == "while":
                self.negate_until(index, "do")
            elif token == "until":
                self.negate_line(index)
            if token.text in self.OPENS:
                stack.append(token.text)
            elif token.text in self.CLOSES and stack:
                stack.pop()
        return self.found

    def starts_statement(self, at, stack):
        if not self.tokens[at].is_name or stack and stack[-1] in OPENING:
            return False
        before = self.tokens[at - 1] if at else None
        if before is None or before.text in self.BEFORE_BLOCK:
            return True
        return before.line < self.tokens[at].line \
            and before.text not in self.GOES_ON

    def negate_until(self, at, word):
        depth = 0
        for index in range(at + 1, len(self.tokens)):
            text = self.tokens[index].text
            if text == word and depth == 0:
                return self.negate(at + 1, index - 1)
            depth += (text in self.OPENS) - (text in self.CLOSES)

    def negate_line(self, at):
        self.negate(at + 1, self.end_of(at + 1) - 1)

    def end_of(self, at):
        """The index behind the statement or expression that `at` is in."""
        depth = 0
        for index in range(at, len(self.tokens)):
            token = self.tokens[index]
            before = self.tokens[index - 1]
            if depth == 0 and index > at and (
                    token.text in ("end", "else", "elseif", "until", ";") or
                    before.line < token.line
                    and before.text not in self.GOES_ON
                    and token.text not in (*self.BINARY, *OPENING)):
                return index
            depth += (token.text in self.OPENS) - (token.text in self.CLOSES)
        return len(self.tokens)

    def drop(self, at):
        chain = self.chain(at)
        if not chain:
            return
        end, called = chain
        operator = self.text_at(end)
        if called and (end == self.end_of(at) or end == len(self.tokens)):
            self.add(CALL, at, end - 1, "")
        elif not called and operator in ("=", ","):
            last = self.end_of(at) - 1
            self.add(ASSIGNMENT, at, last, "")


def faults(path, text):
    """All faults that can be put into `text`, the file `path`, by place."""
    reader = ReaderOfC if language_of(path) is C else ReaderOfLua
    return sorted(reader(path, text).read(),
                  key=lambda fault: (fault.start, fault.end, fault.new))
