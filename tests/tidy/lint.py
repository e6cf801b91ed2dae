"""clang-format and clang-tidy over the sources of a build directory; changes nothing.

    tests/tidy/lint.py BUILD_DIRECTORY

The directory must not be one of a unity build, whose compile_commands.json does not name our
sources; beyond what is generated, nothing need be built in it.

One file is one case: every header and source for its format, every source that the build compiles
for clang-tidy. What a tool says is printed for those that fail; the last line is
`N passed, N failed`.
"""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys

from sources import ROOT, read_tree

FORMAT = ["clang-format-19", "--dry-run", "-Werror"]
TIDY = ["clang-tidy-19", "--quiet"]


def run(command):
    """(whether it passed, what it said)."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stdout + done.stderr


def compiled(build):
    """(our sources that the build compiles, a directory that names one command for each).

    What several programs compile is looked at once, as the last of them does: that is the simulator
    with flaws, which leaves nothing out.
    """
    commands = json.loads((build / "compile_commands.json").read_text(encoding="utf-8"))
    last = {pathlib.Path(entry["directory"], entry["file"]).resolve(): entry for entry in commands}
    once = build / "once"
    once.mkdir(exist_ok=True)
    (once / "compile_commands.json").write_text(json.dumps(list(last.values())), encoding="utf-8")
    return sorted(f.relative_to(ROOT).as_posix() for f in last if f.is_relative_to(ROOT)), once


def cases(build):
    files, once = compiled(build)
    formatted = [(f"format {s.path}", [*FORMAT, s.path]) for s in read_tree() if s.is_cpp]
    tidied = [(f"tidy {path}", [*TIDY, "-p", str(once), path]) for path in files]
    alone = [("headers", [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
                          str(ROOT / "tests" / "tidy" / "test_headers.py")])]
    return formatted + tidied + alone


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    os.environ["TOLLKEEPER_BUILD"] = str(build)  # for test_headers.py
    todo = cases(build)
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        results = pool.map(lambda case: run(case[1]), todo)
        for number, ((name, _), (good, said)) in enumerate(zip(todo, results), 1):
            passed += good
            failed += not good
            if not good:
                print(f"[{number}/{len(todo)}] {name}: FAILED\n{said}", flush=True)
            elif number % 25 == 0 or number == len(todo):
                print(f"[{number}/{len(todo)}] {name}", flush=True)
    if passed == 0:
        failed = max(failed, 1)
    print(f"\n{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
