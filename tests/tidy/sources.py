"""What the checks read: the files of the tree, and C++ with everything but its code blanked out."""

import dataclasses
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]

ROOMS = ("engine", "net", "config", "daemon", "systemd", "bench", "pages", "tests")
FOLDERS = (*ROOMS, "lua", ".ci")
NAMES = ("Makefile", "meson.build", "meson_options.txt")
SUFFIXES = (".cc", ".h", ".in", ".py", ".lua", ".sh", ".build", ".toml", ".service")

# A comment, a literal or a directive: what must not be taken for code. Numbers come first, because
# the separator in 1'000 is no quote.
_NOT_CODE = re.compile(
    r"""(?P<number>\b\d[\w.]*(?:'\w+)*)
      | //[^\n]*
      | /\*.*?\*/
      | \bR"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)"
      | "(?:\\.|[^"\\\n])*"
      | '(?:\\.|[^'\\\n])+'
      | ^[ \t]*\#(?:\\\n|[^\n])*""",
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)


def _blank(match):
    if match.group("number"):
        return match.group()
    return re.sub(r"[^\n]", " ", match.group())


@dataclasses.dataclass(frozen=True)
class Source:
    """One file; `path` is relative to the tree, with forward slashes."""

    path: str
    text: str

    @property
    def room(self):
        return self.path.split("/")[0] if "/" in self.path else ""

    @property
    def name(self):
        return self.path.split("/")[-1]

    @property
    def suffix(self):
        return pathlib.PurePosixPath(self.path).suffix

    @property
    def is_cpp(self):
        return self.suffix in (".cc", ".h")

    @property
    def lines(self):
        return self.text.split("\n")

    def code(self):
        """The text with comments, literals and directives as blanks, so that lines stay lines."""
        return _NOT_CODE.sub(_blank, self.text)

    def line_of(self, offset):
        return self.text.count("\n", 0, offset) + 1

    def fault(self, line, message):
        return f"{self.path}:{line}: {message}"


def read_tree(root=ROOT):
    """Every source file of the tree, without what is built or was left by an editor."""
    paths = [root / name for name in NAMES]
    for folder in FOLDERS:
        paths += sorted((root / folder).rglob("*"))
    found = []
    for path in paths:
        relative = path.relative_to(root)
        hidden = any(part.startswith(".") for part in relative.parts[1:])
        known = path.suffix in SUFFIXES or path.name in NAMES or relative.parts[0] == ".ci"
        if path.is_file() and known and not hidden and "corpus" not in relative.parts:
            text = path.read_bytes().decode("utf-8", errors="replace")
            found.append(Source(relative.as_posix(), text))
    return found
