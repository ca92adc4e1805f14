"""What may be waited for when a connection ends."""

from gitops_profile.transport.unanswered import KEPT, MOST, Unanswered

NOTIFY = "NOTIFY sip:a@b;branch=no SIP/2.0\r\nVia: SIP/2.0/TCP x;branch={};rport\r\n"


def notify(branch: object) -> bytes:
    return NOTIFY.format(branch).encode()


def test_of_a_notify_as_much_is_kept_as_says_which_it_is() -> None:
    unanswered = Unanswered()
    assert not unanswered
    unanswered.sent(b"SIP/2.0 200 OK\r\n\r\n", 0.0)
    assert not unanswered
    unanswered.sent(notify("x") + b"Content-Length: 100000\r\n\r\n" + b"y" * 100_000, 0.0)
    assert unanswered
    assert unanswered.take(0.0) == [notify("x")]
    assert not unanswered


def test_what_timer_f_has_ended_is_forgotten_and_so_are_the_oldest_of_too_many() -> None:
    unanswered = Unanswered()
    unanswered.sent(notify("old"), 0.0)
    unanswered.sent(notify("new"), KEPT)
    unanswered.sent(notify("newest"), KEPT + 1)
    assert unanswered.take(KEPT + 2) == [notify("new"), notify("newest")]
    for number in range(MOST + 5):
        unanswered.sent(notify(number), 0.0)
    assert unanswered.take(1.0)[0] == notify(5)
    unanswered.sent(notify("late"), 0.0)
    assert unanswered.take(KEPT + 1) == []
