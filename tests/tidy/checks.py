"""The habits that a program can hold. Each check takes a Source and returns its faults as text."""

import ast
import re

from functions import cpp_functions

WIDTH_MAX = 100
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70

# Which rooms a room may include. Tests may include everything.
MAY_INCLUDE = {
    "engine": {"engine"},
    "net": {"net"},
    "config": {"config", "engine"},
    "systemd": {"systemd"},
    "daemon": {"daemon", "engine", "net", "config", "lua", "systemd"},
    "bench": {"bench", "net"},
    "pages": {"pages", "bench", "daemon", "config", "engine", "net"},
}
# A micro-benchmark is no part of the bench: it reaches into the room that it measures.
MICRO_BENCHMARK = re.compile(r"bench/(?!tollkeeper_)\w+_bench\.cc")

# The engine is handed time and events: no clock, no threads, no I/O. Of <chrono> it may have the
# calendar.
ENGINE_HEADERS = re.compile(
    r"#\s*include\s*<(ctime|time\.h|thread|mutex|shared_mutex|condition_variable|future"
    r"|iostream|fstream|cstdio|stdio\.h|unistd\.h|fcntl\.h|poll\.h|sys/[^>]+|netinet/[^>]+"
    r"|liburing\.h)>"
)
ENGINE_BANNED = re.compile(
    r"\b(?:steady|system|high_resolution)_clock\b"
    r"|\b(?:clock_gettime|gettimeofday)\b|(?<![\w.>])(?:std::|::)?time\s*\("
    r"|std::j?thread\b|std::(?:\w+_)?mutex\b|std::condition_variable\b|(?<![\w.>:])socket\s*\("
)

BANNED = re.compile(
    r"(?<![\w.>])(?:std::|::)?"
    r"(?:strcpy|strcat|v?sprintf|gets|strtok|atoi|atol|rand|srand|alloca)\s*\("
    r"|\busing\s+namespace\s+std\b"
)

# A library hands back what it has to say; only programs print.
PRINTING = re.compile(
    r"(?<![\w.>])(?:std::|::)?(?:v?f?printf|puts|fputs|putchar)\s*\("
    r"|std::(?:cout|cerr|clog)\b|\bfmt::print\b"
)
LIBRARIES = ("engine", "net", "config", "systemd", "daemon")
PROGRAMS = {"daemon/audit_command.cc", "daemon/journal_command.cc", "daemon/main.cc",
            "daemon/tollkeeper_command.cc"}

# Nothing on the way of a request waits for another thread.
LOCKS = re.compile(
    r"std::(?:\w+_)?mutex\b|std::condition_variable\b|std::(?:lock_guard|unique_lock|scoped_lock)\b"
)
MAY_LOCK = {
    "daemon/control.h",  # what workers ask of the main thread: a reload, a new log level
    "daemon/control.cc",
    "daemon/worker.h",  # what the main thread asks of a worker: to adopt a table, to end
    "daemon/worker_mail.cc",
    "daemon/breaker_board.h",  # transitions of breakers
    "daemon/breaker_board.cc",
    "daemon/herald.h",  # who watches what; taken by WATCH and by the end of who watched
    "daemon/herald.cc",
    "daemon/logging_sink.h",  # the queue to the log's thread
    "daemon/logging_sink.cc",
    "daemon/store_directory.cc",  # what the resolver's thread and the others say to each other
}

SLEEPING = re.compile(r"\bsleep_(?:for|until)\b|(?<![\w.>])(?:::)?(?:u|nano)?sleep\s*\(")

# Spelled apart, so that this file does not accuse itself.
LEFT_BEHIND = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
NOT_RUN = re.compile(
    "GTEST_" + "SKIP|DISABLED" + "_|skip" + r"Test|pytest\." + r"(?:mark\.)?(?:skip|xfail)"
)
NOLINT_OF_WHAT = re.compile(r"//.*\bNOLI" + r"NT(?:NEXTLINE|BEGIN|END)?\b(?!\([a-z])")


def width(source):
    return [
        source.fault(number, f"{len(line)} columns; at most {WIDTH_MAX}")
        for number, line in enumerate(source.lines, 1)
        if len(line) > WIDTH_MAX
    ]


def blanks(source):
    faults = []
    for number, line in enumerate(source.lines, 1):
        if "\t" in line and source.name != "Makefile":
            faults.append(source.fault(number, "a tab"))
        if line != line.rstrip():
            faults.append(source.fault(number, "blanks at the end of the line"))
    if source.text and not source.text.endswith("\n"):
        faults.append(source.fault(len(source.lines), "no newline at the end of the file"))
    if source.text.endswith("\n\n"):
        faults.append(source.fault(len(source.lines), "empty lines at the end of the file"))
    return faults


def file_length(source):
    length = source.text.count("\n")
    if source.suffix in (".cc", ".h", ".py", ".lua") and length > FILE_LINES_MAX:
        message = f"{length} lines; at most {FILE_LINES_MAX}: is there a second thing in it?"
        return [source.fault(1, message)]
    return []


def function_length(source):
    if source.is_cpp:
        spans = cpp_functions(source)
    elif source.suffix == ".py":
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
        nodes = ast.walk(ast.parse(source.text))
        spans = [(n.lineno, n.end_lineno) for n in nodes if isinstance(n, kinds)]
    else:
        return []
    return [
        source.fault(first, f"a function of {last - first + 1} lines; at most {FUNCTION_LINES_MAX}")
        for first, last in spans
        if last - first + 1 > FUNCTION_LINES_MAX
    ]


def pragma_once(source):
    if source.suffix != ".h":
        return []
    directives = re.findall(r"^[ \t]*#[ \t]*(.*?)[ \t]*$", source.text, re.MULTILINE)
    if directives[:1] == ["pragma once"]:
        return []
    return [source.fault(1, "the first directive of a header is #pragma once")]


def includes(source):
    allowed = MAY_INCLUDE.get(source.room)
    if MICRO_BENCHMARK.fullmatch(source.path):
        allowed = None
    if not source.is_cpp:
        return []
    faults = []
    for number, line in enumerate(source.lines, 1):
        match = re.match(r'\s*#\s*include\s*"([^"]*)"', line)
        if not match:
            continue
        room = match[1].split("/")[0]
        if "/" not in match[1] or room in (".", ".."):
            faults.append(source.fault(number, f'"{match[1]}" does not name its room'))
        elif allowed is not None and room not in allowed:
            faults.append(source.fault(number, f"{source.room}/ may not include {room}/"))
    return faults


def _uses(source, pattern, message):
    return [
        source.fault(source.line_of(match.start()), f"{match[0].strip()}: {message}")
        for match in pattern.finditer(source.code())
    ]


def engine_is_pure(source):
    if source.room != "engine" or not source.is_cpp:
        return []
    message = "the engine has no clock, no threads and no I/O"
    faults = _uses(source, ENGINE_BANNED, message)
    for number, line in enumerate(source.lines, 1):
        if ENGINE_HEADERS.match(line.strip()):
            faults.append(source.fault(number, f"{line.strip()}: {message}"))
    return faults


def banned_calls(source):
    return _uses(source, BANNED, "banned everywhere") if source.is_cpp else []


def printing(source):
    if source.room not in LIBRARIES or source.path in PROGRAMS or not source.is_cpp:
        return []
    return _uses(source, PRINTING, "libraries do not print")


def locks(source):
    if source.room not in LIBRARIES or source.path in MAY_LOCK or not source.is_cpp:
        return []
    return _uses(source, LOCKS, "no lock outside of what MAY_LOCK in tests/tidy/checks.py names")


def sleeping(source):
    if not source.is_cpp:
        return []
    return _uses(source, SLEEPING, "wait for the thing itself, not for time")


def left_behind(source):
    return [
        source.fault(number, "something left to do: do it, or write it where work is planned")
        for number, line in enumerate(source.lines, 1)
        if LEFT_BEHIND.search(line)
    ]


def not_run(source):
    return [
        source.fault(number, "a test that does not run")
        for number, line in enumerate(source.lines, 1)
        if NOT_RUN.search(line)
    ]


def nolint_names_its_check(source):
    return [
        source.fault(number, "say which check is silenced, in brackets")
        for number, line in enumerate(source.lines, 1)
        if NOLINT_OF_WHAT.search(line)
    ]


ALL = (
    width,
    blanks,
    file_length,
    function_length,
    pragma_once,
    includes,
    engine_is_pure,
    banned_calls,
    printing,
    locks,
    sleeping,
    left_behind,
    not_run,
    nolint_names_its_check,
)
