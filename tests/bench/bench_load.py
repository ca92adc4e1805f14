"""Loading 10 000 profiles, and changing one: `python tests/bench/bench_load.py [--smoke]`. One table row each.

The ratio compares with parsing as many bytes of the same YAML with ruamel's safe C loader, the dearest part of a
naive load (reference: 0.94 ms a document).
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ruamel.yaml import YAML

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gitops_profile.loader import Loader
from gitops_profile.loader.yaml_data import read_yaml
from tests.loader.tree import entry, run, whole

COUNT, SMOKE = 10_000, 300
MANIFEST = """\
values:
  display_name: "Phone {n}"
  time: {{zone: Europe/Berlin, server: ntp.example.com}}
  accounts:
    - {{user: u{n}, label: "User {n}", host: sip.example.com, port: 5060}}
    - {{user: v{n}, label: "Second {n}", host: sip.example.com, port: 5061}}
"""
TEMPLATE = """\
#!version:1.0.0.1
{% for a in accounts %}
account.{{ loop.index }}.user_name = {{ a.user }}
account.{{ loop.index }}.sip_server.1.address = {{ a.host }}
{% endfor %}
local_time.time_zone_name = {{ time.zone }}
"""


def seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def row(name: str, taken: float, count: int, parsing: float) -> None:
    print(f"| {name:<32} | {taken:8.3f} s | {taken / count * 1e6:9.1f} µs each | {taken / parsing:7.3f} × |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help=f"{SMOKE} profiles: does it run at all")
    count = SMOKE if parser.parse_args().smoke else COUNT
    manifests: dict[str, str | bytes] = {
        f"device/example.com/g{n % 50}/{n:012x}.yaml": MANIFEST.format(n=n) for n in range(count)
    }
    shared: dict[str, str | bytes] = {
        "templates/p.cfg.j2": TEMPLATE,
        "device/example.com/defaults.yaml": "template: p.cfg.j2\n",
        "device/example.com/g1/defaults.yaml": "values: {floor: 1}\n",
    }
    plain: dict[str, str | bytes] = {f"user/example.com/u{n}.xml": "<u>" + "x" * 1000 + str(n) for n in range(count)}
    safe = YAML(typ="safe")
    parsing = seconds(lambda: [safe.load(text) for text in manifests.values()])
    row("ruamel safe C loader alone", parsing, count, parsing)
    reading = seconds(lambda: [read_yaml(path, str(text).encode()) for path, text in manifests.items()])
    row("loader.read_yaml alone", reading, count, parsing)
    unlike = {path: str(text).replace("accounts", f"accounts_{n}") for n, (path, text) in enumerate(manifests.items())}
    reading = seconds(lambda: [read_yaml(path, text.encode()) for path, text in unlike.items()])
    row("the same, no two of one shape", reading, count, parsing)
    row("whole load, plain", seconds(lambda: whole(plain)), count, parsing)
    loader = Loader()
    files = {**manifests, **shared}
    row("whole load, manifest + template", seconds(lambda: whole(files, loader)), count, parsing)
    for name, path, text in (
        ("change of one manifest", "device/example.com/g1/000000000001.yaml", MANIFEST.format(n="x")),
        ("change of a defaults.yaml (1/50)", "device/example.com/g1/defaults.yaml", "values: {floor: 2}\n"),
        ("change of the template of all", "templates/p.cfg.j2", TEMPLATE + "end = 1\n"),
    ):
        changed = entry(path, text)
        load = loader.change([changed], [])
        taken = seconds(lambda load=load, path=path, text=text: run(load, {path: text}))  # type: ignore[misc]
        load.accept()
        row(name, taken, 1, parsing)


if __name__ == "__main__":
    main()
