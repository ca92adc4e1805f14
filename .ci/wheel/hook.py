"""The optional wheel: what every SIP message goes through, compiled by mypyc (pyproject.toml says which modules)."""

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "gitops_profile"


class CompiledWheel(BuildHookInterface):  # type: ignore[type-arg]  # of what configuration, nobody says
    """Compiles a copy, so that a build that is killed leaves the working tree as it was."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and have the wheel take the modules; those of Python stay beside them."""
        if version == "editable":
            raise ValueError("the compiled modules are for a wheel: unset HATCH_BUILD_HOOK_ENABLE_CUSTOM to develop")
        self._folder = TemporaryDirectory()
        folder = Path(self._folder.name)
        shutil.copytree(
            Path(self.root, PACKAGE), folder / PACKAGE, ignore=shutil.ignore_patterns("*.so", "__pycache__")
        )
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("compile.py")), *self._modules(folder)],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"mypyc failed:\n{done.stdout}")
        made = [*folder.glob("*.so"), *folder.glob(f"{PACKAGE}/**/*.so")]
        build_data["force_include"].update({str(path): str(path.relative_to(folder)) for path in made})
        build_data["infer_tag"], build_data["pure_python"] = True, False

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """The wheel has them."""
        self._folder.cleanup()

    def _modules(self, folder: Path) -> list[str]:
        wanted = {path for pattern in self.config["include"] for path in folder.glob(pattern)}
        for pattern in self.config["exclude"]:
            left_out = set(folder.glob(pattern))
            if not left_out:
                raise ValueError(f"exclude names {pattern}, and there is no such module")
            wanted -= left_out
        return sorted(str(path.relative_to(folder)) for path in wanted)
