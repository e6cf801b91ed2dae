"""Every header compiles alone, with the flags of the build.

What has passed is remembered in the build directory by the hash of the header and of all headers of
ours that it includes, so that only what changed is compiled again.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess

from sources import ROOT, read_tree

BUILD = pathlib.Path(os.environ.get("TOLLKEEPER_BUILD", ROOT / "build" / "lint"))
CACHE = BUILD / "headers-that-compile.json"


def compiler():
    """The compiler and the flags that say where and how to read headers, from the build's own."""
    commands = json.loads((BUILD / "compile_commands.json").read_text(encoding="utf-8"))
    words = [word for entry in commands for word in shlex.split(entry["command"])]
    kept = {word: None for word in words if re.match(r"-(I|isystem|D|-?std=|pthread)", word)}
    program = [word for word in words[:2] if not word.endswith("ccache")][0]
    return [program, *kept, "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-x", "c++", "-"]


def compile_alone(command, header):
    """What the compiler has against a file that holds nothing but this header, twice."""
    text = f'#include "{header}"\n' * 2
    done = subprocess.run(
        command, input=text, text=True, capture_output=True, check=False, cwd=BUILD
    )
    return "" if done.returncode == 0 else f"{header}\n{done.stderr}"


def closure_hash(header, texts, command):
    """Of a header and all headers of ours that it reaches."""
    seen = set()
    waiting = [header]
    while waiting:
        path = waiting.pop()
        if path not in seen and path in texts:
            seen.add(path)
            waiting += re.findall(r'^\s*#\s*include\s*"([^"]+)"', texts[path], re.MULTILINE)
    digest = hashlib.sha256(repr(command).encode())
    for path in sorted(seen):
        digest.update(f"{path}\n{texts[path]}\n".encode())
    return digest.hexdigest()


def test_every_header_compiles_alone():
    command = compiler()
    texts = {s.path: s.text for s in read_tree() if s.suffix == ".h"}
    hashes = {header: closure_hash(header, texts, command) for header in texts}
    known = json.loads(CACHE.read_text(encoding="utf-8")) if CACHE.exists() else {}
    waiting = [header for header in texts if known.get(header) != hashes[header]]
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        answers = list(pool.map(lambda header: compile_alone(command, header), waiting))
    failed = {header for header, answer in zip(waiting, answers) if answer}
    good = {header: digest for header, digest in hashes.items() if header not in failed}
    CACHE.write_text(json.dumps(good, indent=1), encoding="utf-8")
    assert not failed, "\n" + "\n".join(answer for answer in answers if answer)


def test_a_header_that_leans_on_its_includer_is_found(tmp_path):
    command = [*compiler(), f"-I{tmp_path}"]
    (tmp_path / "leaning.h").write_text("#pragma once\ninline std::string name();\n")
    (tmp_path / "standing.h").write_text("#pragma once\n#include <string>\nstd::string name();\n")
    (tmp_path / "twice.h").write_text("struct Twice {};\n")
    assert "std" in compile_alone(command, "leaning.h")
    assert "redefinition" in compile_alone(command, "twice.h")
    assert compile_alone(command, "standing.h") == ""


def test_a_changed_include_is_compiled_again():
    texts = {"net/a.h": '#include "net/b.h"\n', "net/b.h": "struct B;\n", "net/c.h": ""}
    before = closure_hash("net/a.h", texts, [])
    assert closure_hash("net/a.h", {**texts, "net/c.h": "struct C;\n"}, []) == before
    assert closure_hash("net/a.h", {**texts, "net/b.h": "class B;\n"}, []) != before
    assert closure_hash("net/a.h", texts, ["-O2"]) != before
