"""Where values stand is found by reading a file once more, and once only, however many are asked for."""

from collections.abc import Iterator
from typing import Any

import pytest

from gitops_profile.loader import Loader, LoadResult, Problem
from gitops_profile.loader.schema import MAX_MISFITS
from gitops_profile.loader.yaml_reader import events

from .tree import Files, entry, run

ALICE = "user/example.com/alice.yaml"
MANY = range(300)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that were parsed."""
    found: list[str] = []

    def counted(text: str) -> Iterator[Any]:
        found.append(text)
        return events(text)

    monkeypatch.setattr("gitops_profile.loader.yaml_data.events", counted)
    return found


def load(files: Files) -> tuple[LoadResult, tuple[Problem, ...]]:
    one = Loader().whole(entry(path, content) for path, content in files.items())
    result = run(one, files)
    return result, one.credentials(result.documents.values())


def test_credentials_of_one_file(reads: list[str]) -> None:
    users = "".join(f"  - {{name: u{n}, pin: {100_000 + n}}}\n" for n in MANY)
    files: Files = {
        ALICE: f"template: t.cfg.j2\nvalues:\n  users:\n{users}",
        "templates/t.cfg.j2": "{% for u in users %}\np={{ u.pin }}\n{% endfor %}\n",
    }
    _, warnings = load(files)
    assert [w.line for w in warnings] == [4 + n for n in MANY] and warnings[0].column == 16
    assert len(reads) <= 2


def test_unknown_keys_of_one_file_and_no_more_than_anybody_reads(reads: list[str]) -> None:
    result, _ = load({ALICE: "".join(f"name{n}: 0{n}\n" for n in MANY)})
    assert [p.line for p in result.problems] == [*range(1, MAX_MISFITS + 1), MAX_MISFITS + 1]
    assert result.problems[-1].message == f"and {len(MANY) - MAX_MISFITS} more problems in this file"
    assert len(reads) <= 2


def test_aliases_of_one_file(reads: list[str]) -> None:
    result, _ = load({ALICE: "body: x\naliases:\n" + "".join(f"- x{n}\n" for n in MANY)})
    assert [p.line for p in result.problems] == [3 + n for n in MANY]
    assert len(reads) <= 2


def test_aliases_that_another_file_has(reads: list[str]) -> None:
    aliases = "aliases:\n" + "".join(f"- sip:x{n}@example.com\n" for n in MANY)
    result, _ = load({ALICE: aliases + "body: x\n", "user/example.com/bob.yaml": aliases + "body: yy\n"})
    assert [p.line for p in result.problems] == [2 + n for n in MANY]
    assert len(reads) <= 4


def test_variants_that_no_phone_gets(reads: list[str]) -> None:
    variants = "".join(f"- {{when: {{model: a}}, body: x{n}}}\n" for n in range(32))
    result, _ = load({ALICE: f"body: x\nvariants:\n{variants}"})
    assert [p.line for p in result.problems] == [4 + n for n in range(31)]
    assert len(reads) <= 2
