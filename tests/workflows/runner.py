"""Just enough of a runner: the steps of a job, each script executed by bash as GitHub would."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.repositories import ENVIRONMENT

ROOT = Path(__file__).parent.parent.parent
BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail")
"""What `shell: bash` means."""


def read(file: Path) -> dict[str, Any]:
    """A workflow, by YAML 1.2, in which `on` is a name."""
    data: dict[str, Any] = YAML(typ="safe", pure=True).load(file)
    return data


def steps(file: Path, job: str) -> dict[str, dict[str, Any]]:
    """The steps of a job that run a script, by name."""
    return {step["name"]: step for step in read(file)["jobs"][job]["steps"] if "run" in step}


@dataclass
class Runner:
    """A machine for one job."""

    folder: Path
    checkout: Path
    contexts: Mapping[str, str] = field(default_factory=dict)
    """What `${{ … }}` stands for, by its text."""
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        programs = self.folder / "bin"
        programs.mkdir(parents=True)
        shim = programs / "gitops-profile"
        shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m gitops_profile "$@"\n')
        shim.chmod(0o755)
        self.temp = self.folder / "temp"
        self.temp.mkdir()
        self.summary = self.folder / "summary.md"
        self.variables |= {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "RUNNER_TEMP": str(self.temp),
            "GITHUB_STEP_SUMMARY": str(self.summary),
        }

    def run(self, step: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
        """One script; only what its step names of the contexts is in its environment."""
        assert "${{" not in step["run"], "text of a context would be part of the script"
        given = {name: self._value(str(text)) for name, text in step.get("env", {}).items()}
        script = self.folder / "script.sh"
        script.write_text(step["run"])
        return subprocess.run(
            [*BASH, str(script)], cwd=self.checkout, env=ENVIRONMENT | self.variables | given,
            capture_output=True, text=True, check=False, timeout=100,
        )  # fmt: skip

    def _value(self, text: str) -> str:
        return re.sub(r"\$\{\{ *(.*?) *\}\}", lambda found: self.contexts[found[1]], text)
