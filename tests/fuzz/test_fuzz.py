"""Every fuzz target for a moment, driven by hypothesis: what it finds, it shrinks."""

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_profile.sip.syntax import Request, SIPSyntaxError
from tests.sip.harness import Lab, Phone, parsed

from . import generate, targets
from .dialogues import check_notifier
from .targets import TARGETS, Target

EXAMPLES = {"cost": 4, "notifier": 100, "ua-profile": 100, "stream": 100}
QUICK = settings(deadline=None, suppress_health_check=list(HealthCheck))
RANDOM = st.randoms(use_true_random=False)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_target(target: Target) -> None:
    @settings(QUICK, max_examples=EXAMPLES.get(target.name, 200))
    @given(RANDOM)
    def run(random: Random) -> None:
        target.check(target.generate(random))

    run()


@settings(QUICK, max_examples=200)
@given(st.binary(max_size=400))
def test_bytes_without_any_grammar(data: bytes) -> None:
    targets.check_message(data)
    targets.check_stream(data)
    check_notifier([(data, False, 3), (data, True, 3)])


@settings(QUICK, max_examples=300)
@given(st.text(max_size=80))
def test_text_without_any_grammar(text: str) -> None:
    for check in (targets.check_parameters, targets.check_commas, targets.check_uri, targets.check_address):
        check(text)
    targets.check_via(f"SIP/2.0/UDP h;{text}")
    targets.check_event(f"ua-profile;{text}")


@settings(QUICK, max_examples=30)
@given(st.text(max_size=30).filter(lambda text: "\r" not in text and "\n" not in text))
@pytest.mark.parametrize("field", "Expires Event Accept Contact Record-Route Require To From Via".split())
def test_no_header_value_raises(field: str, value: str) -> None:
    lab = Lab()
    lab.receive(Phone(lab).build(600, **{field: value}))
    for _, answer, _ in lab.sent:
        parsed(answer)


@pytest.mark.parametrize(
    "value",
    ["12abc", "\u00b2", "9" * 5000, "", "5;duration=9", "7 (busy)", "-1"],
    ids=["garbage", "superscript", "long", "empty", "duration", "comment", "negative"],
)  # fmt: skip
def test_no_retry_after_raises(value: str) -> None:
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe()
    [notify] = phone.take(lab.change("alice", b"<b/>"), answer=None)
    assert isinstance(notify, Request)
    refused = phone.answer(notify, 503).replace(b"\r\n\r\n", f"\r\nRetry-After: {value}\r\n\r\n".encode())
    lab.receive(refused)
    assert len(lab.notifier) == 1


# The targets themselves: each must see what it is there for.


@pytest.mark.parametrize("seed", range(3))
def test_a_seed_gives_the_same_input_again(seed: int) -> None:
    for target in TARGETS:
        assert target.generate(Random(seed)) == target.generate(Random(seed))


def test_inputs_reach_behind_the_first_check() -> None:
    taken = 0
    for seed in range(300):
        lab = Lab()
        taken += bool(lab.receive(generate.message(Random(seed))) and len(lab.notifier))
    assert taken > 20  # messages that are damaged beyond recognition test only the first line


def test_a_second_look_at_every_character_is_too_dear(monkeypatch: pytest.MonkeyPatch) -> None:
    def quadratic(text: str) -> None:
        for at in range(0, len(text), 8):
            text[at:].count("a")
        raise SIPSyntaxError("slow")

    monkeypatch.setattr(targets, "READERS", [quadratic])
    monkeypatch.setattr(targets, "BENIGN", ";a" * 100)
    with pytest.raises(AssertionError):
        targets.check_cost("a" * 65536)
