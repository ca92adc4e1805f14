"""Peers that take their time: a byte at a time, and a handshake that never comes. Each has its time, and no more.

That nobody is disturbed meanwhile is measured in test_abuse.py.
"""

import json
from pathlib import Path

import pytest

from .arena import Arena, cut, dawdle

pytestmark = [pytest.mark.system, pytest.mark.slow]


def test_a_byte_at_a_time_and_a_handshake_that_never_comes_have_their_time(tmp_path: Path) -> None:
    """Three attacks at once, each from an address of its own."""
    arena = Arena(tmp_path)
    try:
        before, descriptors = arena.metrics(), arena.descriptors()
        attacks = dawdle(arena, 28)
        arena.still_tells_of_a_commit()
        outcomes = [json.loads(attack.communicate(timeout=60)[0]) for attack in attacks]
        for outcome in outcomes:
            assert outcome["closed"] == (250 if outcome is not outcomes[2] else 100), outcome
            assert not outcome["answers"].get("open"), outcome
        assert outcomes[0]["seconds"] == pytest.approx(20, abs=5)
        assert outcomes[1]["seconds"] == pytest.approx(20, abs=5)
        assert outcomes[2]["seconds"] == pytest.approx(10, abs=4)
        after = arena.metrics()
        assert after[cut("slow")] - before.get(cut("slow"), 0) == 500
        assert after[cut("handshake")] - before.get(cut("handshake"), 0) == 100
        arena.lets_go_of_connections(descriptors)
        arena.still_tells_of_a_commit()
    finally:
        arena.close()
    said = arena.lab.server.stderr()
    assert "Traceback" not in said, said
