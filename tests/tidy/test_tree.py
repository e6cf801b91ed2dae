"""The tree keeps its habits: one case per check, every fault named with its file and line."""

import pathlib

import pytest

import checks
from sources import read_tree

TREE = read_tree()


def test_there_is_something_to_check():
    rooms = {source.room for source in TREE if source.is_cpp}
    assert {"engine", "net", "config", "daemon", "systemd", "bench", "tests"} <= rooms


@pytest.mark.parametrize("check", checks.ALL, ids=lambda check: check.__name__)
def test_tree(check):
    faults = [fault for source in TREE for fault in check(source)]
    assert not faults, "\n" + "\n".join(faults)


def test_every_integration_test_is_run():
    directory = pathlib.Path(__file__).parents[1] / "integration"
    listed = (directory / "meson.build").read_text(encoding="utf-8")
    assert [each.stem for each in sorted(directory.glob("test_*.py"))
            if f"'{each.stem}'" not in listed] == []
