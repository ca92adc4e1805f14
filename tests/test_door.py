"""Doors that import late: all that they promise is there, and nothing is imported for what nobody asked for."""

import importlib
import subprocess
import sys

import pytest

LATE = ("http", "loader", "reconcile", "server", "source")


@pytest.mark.parametrize("room", LATE)
def test_every_name_that_a_door_promises_is_behind_it(room: str) -> None:
    door = importlib.import_module(f"gitops_profile.{room}")
    for name in door.__all__:
        assert getattr(door, name) is vars(door)[name], name


@pytest.mark.parametrize("room", LATE)
def test_another_name_is_not_there(room: str) -> None:
    door = importlib.import_module(f"gitops_profile.{room}")
    with pytest.raises(AttributeError, match=f"module 'gitops_profile.{room}' has no attribute 'nonsense'"):
        door.nonsense  # noqa: B018


def test_a_name_brings_its_own_module_only() -> None:
    asked = "import sys, gitops_profile.source as door; door.glance; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    modules = done.stdout.split()
    assert "gitops_profile.source.refs" in modules
    assert "git" not in modules and "gitops_profile.source.repository" not in modules
