"""The fleet in simulation: all promises kept, on new seeds and on those that once failed."""

import os
import random
import re
import subprocess
from pathlib import Path

SIM = os.environ["TOLLKEEPER_SIM"]
SECONDS = os.environ["TOLLKEEPER_SIM_SECONDS"]
CORPUS = Path(__file__).parent / "corpus.txt"


def run(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True,
                          timeout=900, check=False)
    return done.returncode, done.stdout + done.stderr


def kept(*arguments):
    code, output = run(SIM, *arguments)
    assert code == 0, output[-20000:]
    return output


def test_new_seeds():
    seed = int(os.environ.get("TOLL_SEED", random.SystemRandom().randrange(1 << 40)))
    output = kept("--seed", seed, "--seeds", 1_000_000, "--seconds", SECONDS, "--steps", 10_000)
    print(output)
    # A run in which nothing happened shows nothing.
    assert int(re.search(r"(\d+) requests", output)[1]) > 100
    assert sum(map(int, re.findall(r"[a-z-]+ (\d+)", output.split("faults:")[1]))) > 3


def test_seeds_that_once_failed():
    kept("--corpus", CORPUS)


def test_a_seed_is_the_same_run_each_time():
    first = kept("--seed", 8, "--steps", 10_000, "--verbose")
    second = kept("--seed", 8, "--steps", 10_000, "--verbose")
    assert re.sub(r"\d+ x real", "", first) == re.sub(r"\d+ x real", "", second)
    assert first.count("\n") > 20  # things did happen
