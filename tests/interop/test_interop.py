"""Every cell of the matrix that can be, and that the table tells the truth about the others."""

from collections.abc import Mapping

import pytest

from .laboratory import DOMAINS, document
from .matrix import NOT_YET, Cell, cells, check
from .outcome import Outcome, table, try_out
from .peers import need
from .phone import Notify, Phone
from .stacks import STACKS, TRANSPORTS

pytestmark = [pytest.mark.system, pytest.mark.peer]
POSSIBLE = [cell for cell in cells() if cell.impossible() is None]


@pytest.fixture(scope="module")
def outcomes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Outcome]:
    """Of the cells of the tests that are asked for: they run at the same time, as most of it is waiting."""
    functions = [item for item in request.session.items if isinstance(item, pytest.Function)]
    given = [item.callspec.params.get("cell") for item in functions if hasattr(item, "callspec")]
    asked = [cell for cell in given if isinstance(cell, Cell)]
    found = try_out(asked, tmp_path_factory.mktemp("i"))
    assert len(found) == len(asked), found[-1].why
    return {str(cell): outcome for cell, outcome in zip(asked, found, strict=True)}


@pytest.mark.timeout(240)  # the first of them waits for all
@pytest.mark.parametrize("cell", POSSIBLE, ids=str)
def test_the_document_and_one_change_of_it_arrive_byte_for_byte_and_nothing_else(
    cell: Cell, outcomes: Mapping[str, Outcome]
) -> None:
    outcome = outcomes[str(cell)]
    need(outcome.why if outcome.result == "missing" else None)
    assert outcome.result == "ok", outcome.why


def test_every_combination_is_in_the_matrix_and_what_cannot_be_has_a_reason() -> None:
    listed = list(cells())
    assert len({str(cell) for cell in listed}) == len(listed) == len(STACKS) * len(TRANSPORTS) * len(DOMAINS) * 2
    assert {cell.transport for cell in POSSIBLE} == {"udp", "tcp", "tls", "ws", "wss"}
    lacking = {reason for stack in STACKS for reason in stack.lacks.values()} | set(NOT_YET.values())
    assert {cell.impossible() for cell in listed} - {None} <= lacking


def test_the_table_shows_every_outcome_with_its_reason() -> None:
    outcomes = [
        Outcome("a-none", "udp", "ok", 1.25),
        Outcome("a-none", "tcp", "FAILED", why="it was late"),
        Outcome("a-none", "tls", "-", why="it has no TLS"),
        Outcome("b-none", "tls", "-", why="it has no TLS"),
    ]
    text = table(outcomes)
    assert "a-none      ok 1.2s  FAILED  -" in text
    assert "a-none-tcp\n    FAILED: it was late" in text
    assert "a-none-tls, b-none-tls\n    -: it has no TLS" in text


class Said:
    """A phone that says what a test wants."""

    def __init__(self, accepted: int, *notifies: Notify) -> None:
        self._accepted, self._notifies = accepted, list(notifies)

    def accepted(self) -> int:
        return self._accepted

    def notifies(self) -> list[Notify]:
        return self._notifies

    def refresh(self) -> None: ...

    def unsubscribe(self) -> None: ...

    def has_ended(self) -> bool:
        return True

    def close(self) -> None: ...

    def diary(self) -> str:
        return ""


AOR = "alice@example.com"
OLD, NEW = Notify("active", document(AOR, 1)), Notify("active", document(AOR, 2))
END = Notify("terminated", document(AOR, 2))


@pytest.mark.parametrize(
    ("accepted", "notifies", "good"),
    [
        (3, (OLD, OLD, NEW, END), True),
        (4, (OLD, OLD, NEW, NEW, END), True),
        (3, (OLD, NEW, END), False),  # one too few
        (3, (OLD, OLD, NEW, NEW, END), False),  # the change twice
        (3, (OLD, OLD, OLD, END), False),  # the change never
        (3, (OLD, NEW, OLD, END), False),  # and back again
        (3, (OLD, OLD, NEW, NEW), False),  # no end
        (3, (OLD, OLD, Notify("active", document(AOR, 2).replace(b"\r\n", b"\n")), END), False),  # spoilt
        (3, (OLD, OLD, NEW, Notify("terminated", document(AOR, 1))), False),  # an old document at the end
    ],
)
def test_the_check_of_the_exercise_sees_what_is_wrong(accepted: int, notifies: tuple[Notify, ...], good: bool) -> None:
    phone: Phone = Said(accepted, *notifies)
    if good:
        check(AOR, phone)
    else:
        with pytest.raises(AssertionError):
            check(AOR, phone)
