"""Runs the tests of one build directory and counts them, case by case.

    tests/run.py BUILD_DIRECTORY [arguments for `meson test`]

Meson runs the programs, one more at a time than there are cores (most wait more than they compute),
and shows one line each. Most hold many cases and leave a JUnit report (gtest and pytest both write
one); one without a report is one case. After Meson the full output of every program that failed is
printed, and as the last line `N passed, N failed`. The exit status is 0 only if something passed
and nothing failed.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree


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


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    reports = clear(build)
    jobs = ["--num-processes", str((os.cpu_count() or 1) + 1)]
    command = ["meson", "test", "-C", str(build), "--no-rebuild", *jobs, *sys.argv[2:]]
    status = subprocess.run(command, check=False).returncode

    passed = failed = 0
    for entry in read_log(build):
        report = reports / (entry["name"].split(" / ")[-1] + ".xml")
        good, bad = count_program(entry["result"], report)
        passed += good
        failed += bad
        if bad:
            show_failure(entry)
    if failed == 0 and (status != 0 or passed == 0):
        print(f"\nmeson test ended with status {status} and {passed} cases passed")
        failed = 1
    print(f"\n{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
