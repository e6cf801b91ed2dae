"""Runs the tests of one build directory and counts them, case by case.

    tests/run.py BUILD_DIRECTORY [arguments for `meson test`]

Meson runs the programs, one more at a time than there are cores (most wait more than they compute),
and shows one line each. Most hold many cases and leave a JUnit report (gtest and pytest both write
one); one without a report is one case. After Meson the full output of every program that failed is
printed, and as the last line `N passed, N failed`. The exit status is 0 only if something passed
and nothing failed.

Tests of real processes have bounds in real time, which a machine that stalls for seconds breaks
too. So where only a few of these failed, each has one more try with the machine to itself; that,
too, is told. Whoever crashed, ended by itself or was reported by a sanitizer has none, and neither
has a unit test or a simulation.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree


TRIED_AGAIN = (":integration / ", ":fault / ")
TRIED_AGAIN_MAX = 3  # more is no stall
# What an end that nobody wanted leaves in the output of pytest, and what sanitizers do.
NO_STALL = ("Sanitizer", "runtime error:", "Assertion `", "exited with", "it had ended",
            "exit code")


def count_report(path):
    """(passed, failed) of a JUnit report. A case that was not run has not passed."""
    passed = failed = 0
    for case in ElementTree.parse(path).iter("testcase"):
        bad = any(case.find(tag) is not None for tag in ("failure", "error", "skipped"))
        if bad or case.get("status") == "notrun":
            failed += 1
        else:
            passed += 1
    return passed, failed


def count_program(result, report):
    """(passed, failed) of one program: `result` is Meson's word for it, `report` may not exist."""
    passed = failed = 0
    if report.exists():
        try:
            passed, failed = count_report(report)
        except ElementTree.ParseError:
            failed = 1
    elif result == "OK":
        passed = 1
    # It crashed, was cut off or ran nothing: whatever its cases say, that is a failure.
    if failed == 0 and (result != "OK" or passed == 0):
        failed = 1
    return passed, failed


def show_failure(entry):
    print(f"\n===== {entry['name']}: {entry['result']} =====")
    for stream in ("stdout", "stderr"):
        text = entry.get(stream)
        if text:
            print(text.rstrip("\n"))


def read_log(build):
    path = build / "meson-logs" / "testlog.json"
    if not path.exists():
        return []
    with path.open(encoding="utf-8", errors="replace") as lines:
        return [json.loads(line) for line in lines]


def clear(build):
    """Reports and log of the last run, so that no program is judged by what it said then."""
    reports = build / "reports"
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir(parents=True)
    (build / "meson-logs" / "testlog.json").unlink(missing_ok=True)
    return reports


def run_meson(build, processes, arguments):
    command = ["meson", "test", "-C", str(build), "--no-rebuild",
               "--num-processes", str(processes), *arguments]
    return subprocess.run(command, check=False).returncode


def judge(build, reports):
    """Of the last run: its programs, each with (passed, failed)."""
    return [(entry, count_program(entry["result"], reports / (short_name(entry) + ".xml")))
            for entry in read_log(build)]


def short_name(entry):
    return entry["name"].split(" / ")[-1]


def may_be_a_stall(entry):
    told = entry.get("stdout", "") + entry.get("stderr", "")
    return (entry["result"] == "FAIL" and any(suite in entry["name"] for suite in TRIED_AGAIN)
            and not any(mark in told for mark in NO_STALL))


def try_alone(build, reports, entry, arguments):
    """What one more try of that program gives, if it is good; else None."""
    name = short_name(entry)
    (reports / f"{name}.xml").unlink(missing_ok=True)
    print(f"\n===== {name} once more, alone =====", flush=True)
    run_meson(build, 1, [*arguments, name])
    for again, (passed, failed) in judge(build, reports):
        if not failed:
            return passed
        show_failure(again)
    return None


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    arguments = sys.argv[2:]
    reports = clear(build)
    status = run_meson(build, (os.cpu_count() or 1) + 1, arguments)

    programs = judge(build, reports)
    bad = [(entry, counts) for entry, counts in programs if counts[1]]
    passed = sum(good for _, (good, _) in programs)
    failed = sum(counts[1] for _, counts in bad)
    if failed == 0 and (status != 0 or passed == 0):
        print(f"\nmeson test ended with status {status} and {passed} cases passed")
        failed = 1
    for entry, _ in bad:
        show_failure(entry)
    alone = []
    if len(bad) <= TRIED_AGAIN_MAX:
        for entry, (good, ill) in bad:
            again = try_alone(build, reports, entry, arguments) if may_be_a_stall(entry) else None
            if again is not None:
                alone.append(short_name(entry))
                passed += again - good
                failed -= ill
    if alone:
        print(f"\nfailed beside others and passed alone: {', '.join(alone)}")
    print(f"\n{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
