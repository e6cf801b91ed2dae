"""Manual pages and completions: whole, sound, installed where they are looked for, and made of
what the programs say of themselves."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

from support import binaries

BUILD = pathlib.Path(os.environ.get("TOLLKEEPER_BUILD") or binaries.RELEASE)
PAGES = BUILD / "pages"
MANUAL = ("tollkeeper.1", "tollkeeper-bench.1", "tollkeeper.toml.5", "tollkeeperd.8")
PROGRAMS = {"tollkeeper": binaries.TOLLKEEPER, "tollkeeperd": binaries.TOLLKEEPERD,
            "tollkeeper-bench": binaries.TOLLKEEPER_BENCH}
POLICIES = """
[policies.api]
limits = ["10/365d"]
[policies.login]
limits = ["10/365d"]
"""


def run(*words, text=None, environment=None):
    done = subprocess.run([str(word) for word in words], input=text, capture_output=True, text=True,
                          check=False, timeout=60,
                          env={**binaries.clean_environment(), "LC_ALL": "C",
                               **(environment or {})})
    assert done.returncode == 0, done.stderr
    return done


def plain(page):
    """The page as text, and that making it so found nothing to warn of."""
    for formatter in (["groff", "-man", "-ww", "-Tascii", "-P-cbou", "-rLL=300n"],
                      ["mandoc", "-Tascii", "-Owidth=300"]):
        if shutil.which(formatter[0]):
            done = run(*formatter, PAGES / page)
            assert done.stderr == ""
            return re.sub(r".\x08", "", done.stdout)
    # Neither is there: what the macros say, without them.
    text = (PAGES / page).read_text(encoding="utf-8")
    return re.sub(r"\\\(dq", '"', re.sub(r"\\-", "-", re.sub(r"(?m)^\.\w+ |\\f[BR]", "", text)))


def options_of(program):
    return set(re.findall(r"(?<![\w-])--?[a-z][\w-]*",
                          "\n".join(re.findall(r"(?m)^  (-[^ ].*?)(?:  |$)",
                                               run(PROGRAMS[program], "--help").stdout))))


def verbs(daemon):
    with daemon(POLICIES).line() as client:
        return [str(row[0] if isinstance(row, list) else row).split()[0]
                for row in client.ask("HELP").rows]


@pytest.mark.parametrize("page", MANUAL)
def test_a_page_is_sound_and_has_its_parts(page):
    text = plain(page)
    for part in ("NAME", "SYNOPSIS", "SEE ALSO"):
        assert re.search(rf"(?m)^{part}$|^\.SH {part}$|^{part}\b", text), text[:300]
    for other in MANUAL:
        name, _, section = other.rpartition(".")
        assert f"{name}({section})" in text


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_page_and_the_completions_have_every_option(program):
    page = next(name for name in MANUAL if name.rpartition(".")[0] == program)
    text = plain(page)
    options = options_of(program)
    assert {"--help", "--socket"} <= options
    bash = (PAGES / program).read_text(encoding="utf-8")
    zsh = (PAGES / f"_{program}").read_text(encoding="utf-8")
    fish = (PAGES / f"{program}.fish").read_text(encoding="utf-8")
    for option in options:
        assert re.search(rf"(?<![\w-]){option}(?![\w-])", text), option
        assert re.search(rf"(?<![\w-]){option}(?![\w-])", bash), option
        assert f"'{option}[" in zsh, option
        assert re.search(rf" -{'l' if option.startswith('--') else 's'} {option.lstrip('-')}\b",
                         fish), option


def test_every_verb_and_word_is_explained(daemon):
    text = plain("tollkeeper.1")
    known = verbs(daemon)
    assert {"CHECK", "HOT", "CONFIG", "CL.THROTTLE"} <= set(known)
    own = re.findall(r"(?m)^  tollkeeper ([a-z]+)\b", run(binaries.TOLLKEEPER, "--help").stdout)
    assert {"status", "top", "config", "health", "journal"} <= set(own)
    for verb in known:
        assert re.search(rf"(?m)^ +{re.escape(verb)}\b|^{re.escape(verb)}\b", text), verb
    for word in own:
        assert f"tollkeeper {word}" in text, word


def test_every_key_of_the_configuration_is_explained(place):
    (place / "t.toml").write_text(POLICIES, encoding="utf-8")
    shown = run(binaries.TOLLKEEPER, "config", "show", place / "t.toml").stdout
    text = plain("tollkeeper.toml.5")
    for section, keys in re.findall(r"(?m)^\[(.*)\]\n((?:[^\n\[].*\n)*)", shown):
        if not section.startswith("policies."):
            assert f"[{section}]" in text
        for key in re.findall(r"(?m)^(\w+) = ", keys):
            assert re.search(rf"(?m)^ *{key}(?:  +| |$)", text), f"{section}.{key}"
    assert "Where Tollkeeper listens, at most 96 bytes." in text
    assert "Policies, each in a table of its name." in text
    assert 'Default: "/var/lib/tollkeeper"' in text
    assert text.count("Default: none") == 0, "a key that config/tollkeeper.toml does not have"


def complete(*words, socket=None, program="tollkeeper"):
    """What bash offers for the last of the words."""
    words = [PROGRAMS[program], *(["--socket", socket] if socket else []), *words]
    script = (f'source "{PAGES / program}"\n'
              'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))\n'
              f'$(complete -p {program} | sed "s/.*-F \\([^ ]*\\).*/\\1/")\n'
              'printf "%s\\n" "${COMPREPLY[@]}"\n')
    done = run("bash", "-c", script, "bash", *words)
    assert done.stderr == ""
    return set(done.stdout.split())


def test_bash_completes_words_verbs_options_and_values(place):
    assert complete("st") == {"status"}
    assert complete("CH") == {"CHECK", "CHARGE"}
    assert complete("--s") == {"--socket"}
    assert complete("--json", "--timeout", "2s", "jour") == {"journal"}
    assert complete("journal", "") == {"ls", "verify", "dump"}
    assert complete("config", "d") == {"diff"}
    assert complete("top", "--") == {"--once", "--interval"}
    assert complete("COST", "") == {"ADD", "GET", "CHECK", "HOLD", "SETTLE", "CANCEL"}
    assert complete("LEVEL", "w") == {"warn"}
    assert complete("HELP", "POL") == {"POLICIES"}
    assert complete("CHECK", "api", "x", "1", "-") == set()
    assert complete("--pr", program="tollkeeperd") == {"--print-config"}
    assert complete("--framing", "", program="tollkeeper-bench") == {"line", "resp"}
    (place / "file-here").touch()
    assert complete("--config", f"{place}/file", program="tollkeeperd") == {f"{place}/file-here"}
    assert complete("config", "check", f"{place}/file") == {f"{place}/file-here"}


def test_bash_completes_the_policies_of_the_daemon(daemon):
    one = daemon(POLICIES)
    assert complete("CHECK", "", socket=one.socket) == {"api", "login"}
    assert complete("PEEK", "l", socket=one.socket) == {"login"}
    assert complete("CHECK", "api", "alice", "1", "a", socket=one.socket) == {"api"}
    assert complete("CHECK", "api", "a", socket=one.socket) == set(), "ids are nobody's to guess"


@pytest.mark.parametrize("program", PROGRAMS)
def test_each_shell_that_is_there_takes_its_file(program):
    for shell, check, name in (("bash", ["-n"], program), ("zsh", ["-n"], f"_{program}"),
                               ("fish", ["--no-execute"], f"{program}.fish")):
        if shutil.which(shell):
            assert run(shell, *check, PAGES / name).stderr == ""


def test_all_are_installed_where_they_are_looked_for(place):
    run("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", place)
    (page,) = place.rglob("tollkeeperd.8*")
    prefix = page.parents[3]
    for name in ("man/man1/tollkeeper.1", "man/man1/tollkeeper-bench.1",
                 "man/man5/tollkeeper.toml.5", "man/man8/tollkeeperd.8"):
        assert list((prefix / "share" / name).parent.glob(pathlib.Path(name).name + "*")), name
    for program in PROGRAMS:
        for name in (f"bash-completion/completions/{program}", f"zsh/site-functions/_{program}",
                     f"fish/vendor_completions.d/{program}.fish"):
            assert (prefix / "share" / name).is_file(), name
