"""Which binaries are tested, and what is known about how they were built."""

import functools
import os
import pathlib

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
RELEASE = REPOSITORY / "build" / "release"


def _named(variable, name):
    return os.path.abspath(os.environ.get(variable) or RELEASE / name)


TOLLKEEPERD = _named("TOLLKEEPERD", "tollkeeperd")
TOLLKEEPER = _named("TOLLKEEPER", "tollkeeper")
TOLLKEEPER_BENCH = _named("TOLLKEEPER_BENCH", "tollkeeper-bench")

SANITIZER_MARKS = ("AddressSanitizer", "LeakSanitizer", "ThreadSanitizer", "runtime error:")


@functools.cache
def sanitized():
    """Whether the daemon carries a sanitizer: then it is slower and larger than what users run."""
    with open(TOLLKEEPERD, "rb") as binary:
        image = binary.read()
    return b"__asan_init" in image or b"__tsan_init" in image


def patience():
    """What bounds in time are multiplied with."""
    return 5 if sanitized() else 1


def clean_environment():
    """The environment of every process started here: nothing of the tester's that configures it."""
    kept = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "TMPDIR",
            "ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS")
    return {name: os.environ[name] for name in kept if name in os.environ}
