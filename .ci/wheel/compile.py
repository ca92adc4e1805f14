"""`compile.py MODULE.py …`: compiles modules of the package in the working directory, a copy, with mypyc, in place."""

import sys
from pathlib import Path

from mypyc.build import mypycify
from native import native
from setuptools import setup

# What is to be ignored interpreted may be right as it is compiled, and what is not compiled has been checked.
OPTIONS = ["--no-warn-unused-ignores", "--ignore-missing-imports", "--follow-imports=silent"]

paths = sys.argv[1:]
for path in map(Path, paths):
    path.write_text(native(path.read_text("utf-8")), "utf-8")
setup(
    name="gitops-profile-compiled",
    packages=[],
    script_args=["-q", "build_ext", "--inplace"],
    ext_modules=mypycify([*OPTIONS, *paths]),  # type: ignore[arg-type]  # two names of one class
)
