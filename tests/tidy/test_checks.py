"""Each check finds an offender and leaves its innocent neighbour alone."""

import pytest

import checks
from functions import cpp_functions
from sources import Source, read_tree

LONG_BODY = "  ++x;\n" * 80

# Check, where the file lies, an offender, and something like it that is right.
CASES = [
    (checks.width, "net/a.cc", "x" * 101 + "\n", "ü" * 100 + "\n"),
    (checks.blanks, "net/a.cc", "int a;\tint b;\n", "int a;\n"),
    (checks.blanks, "net/a.cc", "int a; \n", "int a;\n\nint b;\n"),
    (checks.blanks, "net/a.cc", "int a;", "int a;\n"),
    (checks.blanks, "net/a.cc", "int a;\n\n", ""),
    (checks.blanks, "net/a.cc", "int a;\r\n", "int a;\n"),
    (checks.file_length, "net/a.cc", "int a;\n" * 501, "int a;\n" * 500),
    (
        checks.function_length,
        "net/a.cc",
        "void f() {\n" + LONG_BODY + "}\n",
        "struct A {\n" + LONG_BODY + "};\n",
    ),
    (
        checks.function_length,
        "tests/a.py",
        "def f():\n" + "    pass\n" * 70,
        "def f():\n" + "    pass\n" * 69,
    ),
    (checks.pragma_once, "net/a.h", "#include <string>\n", "// About.\n#pragma once\n"),
    (checks.pragma_once, "net/a.h", "// #pragma once\n", "#pragma once\n#include <string>\n"),
    (checks.includes, "engine/a.h", '#include "net/loop.h"\n', '#include "engine/types.h"\n'),
    (checks.includes, "net/a.h", '#include "daemon/a.h"\n', '#include "net/loop.h"\n'),
    (checks.includes, "net/a.h", '  # include "config/a.h"\n', "#include <config/a.h>\n"),
    (checks.includes, "config/a.cc", '#include "net/loop.h"\n', '#include "engine/policy.h"\n'),
    (checks.includes, "daemon/a.cc", '#include "bench/a.h"\n', '#include "systemd/notify.h"\n'),
    (checks.includes, "bench/a.cc", '#include "daemon/a.h"\n', '#include "net/loop.h"\n'),
    (checks.includes, "bench/a_bench.cc", '#include "shard.h"\n', '#include "engine/shard.h"\n'),
    (checks.includes, "systemd/a.cc", '#include "net/a.h"\n', '#include "systemd/notify.h"\n'),
    (checks.includes, "net/a.cc", '#include "loop.h"\n', '#include "net/loop.h"\n'),
    (checks.includes, "net/a.cc", '#include "../net/loop.h"\n', '#include "net/loop.h"\n'),
    (
        checks.engine_is_pure,
        "engine/a.cc",
        "auto t = std::chrono::steady_clock::now();\n",
        "// No steady_clock.\nstd::chrono::year_month_day day;\n",
    ),
    (checks.engine_is_pure, "engine/a.cc", "auto t = time(nullptr);\n", "refill_time(now);\n"),
    (checks.engine_is_pure, "engine/a.cc", "std::mutex lock_;\n", "int mutex_count_;\n"),
    (checks.engine_is_pure, "engine/a.cc", "#include <thread>\n", "#include <span>\n"),
    (checks.engine_is_pure, "engine/a.cc", "int fd = socket(1, 1, 0);\n", "std::thread_id x;\n"),
    (checks.banned_calls, "net/a.cc", "strcpy(a, b);\n", 'say("strcpy(a, b)");\n'),
    (checks.banned_calls, "tests/a.cc", "int r = rand();\n", "int r = random.rand();\n"),
    (checks.banned_calls, "net/a.cc", "std::sprintf(a, b);\n", "std::snprintf(a, 1, b);\n"),
    (checks.banned_calls, "net/a.cc", "using namespace std;\n", "using std::string;\n"),
    (checks.printing, "net/a.cc", 'printf("a");\n', 'std::snprintf(a, 1, "a");\n'),
    (checks.printing, "daemon/session.cc", "std::cout << 1;\n", "output << 1;\n"),
    (checks.locks, "net/a.cc", "std::lock_guard guard(a);\n", "std::atomic<int> guard;\n"),
    (checks.locks, "daemon/session.h", "std::shared_mutex mutex_;\n", "// no std::mutex\n"),
    (checks.sleeping, "tests/a.cc", "std::this_thread::sleep_for(1ms);\n", "loop.sleep();\n"),
    (checks.sleeping, "net/a.cc", "usleep(5);\n", "asleep(5);\n"),
    (checks.left_behind, "net/a.cc", "// TO" + "DO: all of it\n", 'mkdtemp("a-XX' + 'XXXX");\n'),
    (checks.not_run, "tests/a.cc", "GTEST_" + "SKIP();\n", "skipped();\n"),
    (checks.not_run, "tests/a.cc", "TEST(A, DISABLED" + "_B) {}\n", "bool disabled_;\n"),
    (checks.not_run, "tests/a.py", "@pytest.mark" + ".skip\n", "@pytest.mark.parametrize\n"),
    (
        checks.nolint_names_its_check,
        "net/a.cc",
        "int a;  // NOLI" + "NT\n",
        "int a;  // NOLI" + "NT(bugprone-x)\n// NOLI" + "NTNEXTLINE(bugprone-x)\n",
    ),
]


@pytest.mark.parametrize("check, path, offender, innocent", CASES)
def test_an_offender_is_found_and_its_neighbour_is_not(check, path, offender, innocent):
    faults = check(Source(path, offender))
    assert len(faults) == 1 and faults[0].startswith(path + ":"), faults
    assert check(Source(path, innocent)) == []


def test_every_check_has_a_case():
    assert {check for check, *_ in CASES} == set(checks.ALL)


def test_a_fault_names_its_line():
    source = Source("net/a.cc", "/* strcpy(\n*/\nint a;\nstrcpy(a, b);\n")
    assert checks.banned_calls(source) == ["net/a.cc:4: strcpy(: banned everywhere"]


def test_code_hides_comments_literals_and_directives_and_keeps_lines():
    text = (
        "int a = 1'000'000; // {\n"
        'auto b = "{\\"{"; auto c = \'{\'; auto d = \'\\\'\';\n'
        'auto e = R"x({"\n)")x";\n'
        "#define F {\\\n  {\n"
        "/* {\n */ int g{7};\n"
    )
    source = Source("net/a.cc", text)
    code = source.code()
    assert code.count("\n") == text.count("\n")
    assert code.count("{") == 1
    assert "1'000'000" in code and "int g{7};" in code


@pytest.mark.parametrize(
    "text, expected",
    [
        ("int f(int a = 3) {\n  if (a) {\n  }\n  return a;\n}\n", [(1, 5)]),
        ("A::A()\n    : a_{1},\n      b_(2) {\n  x();\n}\n", [(1, 2), (2, 5)]),
        ("namespace a {\nclass B {\n  int c() const { return 1; }\n};\n}\n", [(3, 3)]),
        ("B& B::operator=(const B& b) {\n  return *this;\n}\n", [(1, 3)]),
        ("bool operator==(A a, A b) noexcept {\n}\n", [(1, 2)]),
        ("template <typename T>\nauto f(T t) -> int {\n}\n", [(1, 3)]),
        ("constexpr int kTable[] = {\n  f(1),\n};\n", []),
        ("constexpr std::array<int, 2> kTable{{\n  1,\n}};\n", []),
        ("const auto kTable = make({\n  1,\n});\n", []),
        ("const auto f = [](int a) {\n  return a;\n};\n", [(1, 3)]),
        ("TEST(Gcra, ARefusalChargesNothing) {\n  f([] {\n  });\n}\n", [(1, 4)]),
        ("enum class A : uint8_t {\n  kB,\n};\nstruct C final {\n  int d = 1;\n};\n", []),
        ('extern "C" int f(const char* a) {\n}\n', [(1, 2)]),
        ("struct A a(int b) {\n}\n", [(1, 2)]),
    ],
)
def test_functions_are_found_by_their_braces(text, expected):
    assert cpp_functions(Source("net/a.cc", text)) == expected


def test_the_tree_is_read_without_what_is_built(tmp_path):
    for path in ("net/a.h", "tests/unit/a_test.cc", ".ci/run", "Makefile", "build/net/b.h"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("\n")
    (tmp_path / "tests" / ".cache").mkdir()
    (tmp_path / "tests" / ".cache" / "c.py").write_text("\n")
    found = [source.path for source in read_tree(tmp_path)]
    assert found == ["Makefile", "net/a.h", "tests/unit/a_test.cc", ".ci/run"]
