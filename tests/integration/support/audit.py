"""The audit log of a daemon as its reader sees it."""

import hashlib
import hmac
import json
import pathlib
import subprocess

from support import binaries

KEY = "a key of the tests, for nothing else"


def table(directory, **keys):
    """An [audit] table with a log and a key in `directory`."""
    directory = pathlib.Path(directory)
    (directory / "audit-key").write_text(KEY + "\n", encoding="utf-8")
    (directory / "audit-key").chmod(0o600)
    values = {"file": str(directory / "audit.log"), "key_file": str(directory / "audit-key"),
              **keys}
    return "[audit]\n" + "".join(f"{name} = {json.dumps(value)}\n"
                                 for name, value in values.items())


def pseudonym(id_, key=KEY):
    return hmac.new(key.encode(), id_.encode(), hashlib.sha256).hexdigest()


def files(directory):
    """Oldest first."""
    def age(path):
        return -int(path.suffix[1:]) if path.suffix[1:].isdigit() else 0
    found = [path for path in pathlib.Path(directory).glob("audit.log*")
             if path.suffix != ".lock"]
    return sorted(found, key=age)


def texts(directory):
    """Of all files, oldest first, none twice and none left out, also while they are rotated."""
    while True:
        try:
            found = {path: path.stat().st_ino for path in files(directory)}
            read = [path.read_text(encoding="utf-8") for path in found]
            if found == {path: path.stat().st_ino for path in files(directory)}:
                return read
        except FileNotFoundError:
            pass


def size(directory):
    return sum(map(len, texts(directory)))


def records(directory):
    """Of all files, oldest first; what has no line end yet is left out."""
    return [json.loads(line) for text in texts(directory) for line in text.split("\n")[:-1]]


def kinds(directory):
    return [record["kind"] for record in records(directory)]


def tollkeeper(*words, text=None, **environment):
    """The finished process of the command, without a daemon."""
    return subprocess.run([binaries.TOLLKEEPER, *map(str, words)], input=text, text=True,
                          capture_output=True, check=False, timeout=30 * binaries.patience(),
                          env={**binaries.clean_environment(), **environment})


def verify(directory):
    return tollkeeper("audit", "verify", *files(directory))


def is_whole(directory):
    """How many records there are, all of one chain."""
    verified = verify(directory)
    assert (verified.returncode, verified.stderr) == (0, ""), verified.stdout + verified.stderr
    assert "chain whole" in verified.stdout
    return int(verified.stdout.split()[0])
