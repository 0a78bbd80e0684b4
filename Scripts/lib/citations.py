"""Where requirement numbers are cited: in comments, documentation and the names of tests, never in code."""

import io
import re
import tokenize
from collections import defaultdict

NUMBER = re.compile(r"(?<![\w%\\#$.&-])([A-G])(\d{1,3})(?!\w|\.\d)")
RANGE = re.compile(
    r"(?<![\w%\\#$.&-])([A-G])(\d{1,3})(?:\s*(?:-|–|—|…|\.\.\.?|\bto\b|\bthrough\b)\s*([A-G])|[-–](?=\d))(\d{1,3})(?!\w|\.\d)")

SWIFT = re.compile(
    r"""
    (?P<comment> //[^\n]* | /\*.*?\*/ )
  | (?P<string> \#*\"\"\".*?\"\"\"\#* | \#+"(?:[^\n]*?)"\#+ | "(?:\\.|[^"\\\n])*" )
  | (?P<name> `[^`\n]+` )
    """,
    re.VERBOSE | re.DOTALL,
)
TEST_NAME = re.compile(r"@(?:Test|Suite)\(\s*$")
CASE_LABEL = re.compile(r'^"[A-G]\d{1,3}\b[^"]{0,40}:')


def numbers_in(text):
    """The requirement numbers a text cites, ranges expanded, in order and without repeats."""
    found = {}
    for match in RANGE.finditer(text):
        letter, first, other, last = match.groups()
        if other in (None, letter):
            found.update((f"{letter}{n}", None) for n in range(int(first), int(last) + 1))
    found.update((letter + str(int(digits)), None) for letter, digits in NUMBER.findall(text))
    return list(found)


def swift_prose(text):
    """Yields (offset, text) of comments, test names, raw-identifier names and case labels ("A22: ...")."""
    for match in SWIFT.finditer(text):
        if match.lastgroup == "string":
            named = TEST_NAME.search(text, max(0, match.start() - 40), match.start())
            if not named and not CASE_LABEL.match(match[0]):
                continue
        yield match.start(), match[0]


def python_prose(text):
    """Yields (offset, text) of comments and of strings that stand alone as a statement (documentation)."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    before = tokenize.NEWLINE
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        offset = starts[token.start[0] - 1] + token.start[1]
        if token.type == tokenize.COMMENT:
            yield offset, token.string
        elif token.type == tokenize.STRING and before in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT):
            yield offset, token.string
        if token.type not in (tokenize.COMMENT, tokenize.NL):
            before = token.type


def marked_prose(pattern):
    """A reader of what `pattern` matches: comments of XML, or `#` lines of fixtures."""
    compiled = re.compile(pattern, re.DOTALL | re.MULTILINE)
    return lambda text: ((match.start(), match[0]) for match in compiled.finditer(text))


READERS = {
    ".swift": swift_prose,
    ".c": swift_prose,
    ".h": swift_prose,
    ".py": python_prose,
    ".xml": marked_prose(r"<!--.*?-->"),
    ".flow": marked_prose(r"^\s*(?:#|//).*?$"),
    ".expect": marked_prose(r"^\s*(?:#|//).*?$"),
    ".md": marked_prose(r".+"),
}


class Citations:
    """Every citation under Tests and Sources, by requirement."""

    def __init__(self, root, known):
        self._places = {"Tests": defaultdict(list), "Sources": defaultdict(list)}
        for folder, places in self._places.items():
            for path in sorted((root / folder).rglob("*")):
                reader = READERS.get(path.suffix)
                if reader and path.is_file():
                    self._read(path, str(path.relative_to(root)), reader, known, places)

    @staticmethod
    def _read(path, name, reader, known, places):
        text = path.read_text(encoding="utf-8", errors="replace")
        for offset, prose in reader(text):
            for number in numbers_in(prose):
                if number in known:
                    places[number].append((name, text.count("\n", 0, offset) + 1))

    def tests(self, number):
        """The test files that cite `number`."""
        return sorted({name for name, _ in self._places["Tests"].get(number, ())})

    def sources(self, number):
        """The source files that cite `number`."""
        return sorted({name for name, _ in self._places["Sources"].get(number, ())})

    def places(self, number):
        """`file:line` of every citation; for a block comment the line it starts on."""
        return [f"{name}:{line}" for places in self._places.values() for name, line in places.get(number, ())]
