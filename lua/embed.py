"""Assembles the scripts that run inside Redis and embeds them.

    embed.py --luac LUAC --source scripts.cc --lua FOLDER limits.lua nodes.lua

A line `--@include name` in a script is replaced by the file <name>.lua beside it. Comments,
indentation and empty lines are left out, since Redis keeps the text and every daemon sends it.
Writes the assembled text into FOLDER, lets luac check it, and writes a C++ source with the values
that lua/scripts.h declares.
"""

import argparse
import hashlib
import pathlib
import re
import subprocess
import sys

SHEBANG = "#!lua\n"
INCLUDE = re.compile(r"--@include (\w+)")
# What may hold two dashes that begin no comment. Long brackets are not used in these files.
TOKEN = re.compile(r"'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\"|--[^\n]*")


def stripped(text):
    """The text without comments, indentation and empty lines."""
    bare = TOKEN.sub(lambda match: "" if match[0].startswith("--") else match[0], text)
    lines = (line.strip() for line in bare.split("\n"))
    return "".join(line + "\n" for line in lines if line)


def assembled(path):
    text = ""
    for line in path.read_text(encoding="ascii").split("\n"):
        include = INCLUDE.fullmatch(line.strip())
        text += assembled(path.with_name(include[1] + ".lua")) if include else stripped(line)
    return text


def literal(text):
    """The text as a C++ expression of type std::string_view."""
    rows = []
    for line in text.splitlines(keepends=True):
        escaped = line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        rows.append(f'    "{escaped}"')
    return "\n".join(rows) + "sv"


def definition(name, body):
    def sha1(text):
        return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    return (
        f'const Script k{name.capitalize()} = {{\n    "{name}"sv,\n'
        f'{literal(SHEBANG + body)},\n    "{sha1(SHEBANG + body)}"sv,\n'
        f'{literal(body)},\n    "{sha1(body)}"sv,\n}};\n\n'
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--luac", required=True)
    parser.add_argument("--source", required=True, type=pathlib.Path)
    parser.add_argument("--lua", required=True, type=pathlib.Path)
    parser.add_argument("scripts", nargs="+", type=pathlib.Path)
    arguments = parser.parse_args()

    source = '#include "lua/scripts.h"\n\nnamespace toll::lua {\n\n'
    source += "using namespace std::string_view_literals;\n\n"
    for path in arguments.scripts:
        body = assembled(path)
        written = arguments.lua / path.name
        written.write_text(SHEBANG + body, encoding="ascii")
        if subprocess.run([arguments.luac, "-p", written], check=False).returncode != 0:
            return f"{path}: not Lua 5.1, see above; lines are those of {written}"
        source += definition(path.stem, body)
    arguments.source.write_text(source + "}  // namespace toll::lua\n", encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main())
