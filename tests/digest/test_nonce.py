"""The window against a model that remembers everything."""

from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.digest.nonce import WINDOW, Nonces


@given(st.lists(st.integers(0, 200), max_size=120))
def test_the_window_agrees_with_a_set_of_all_counts(counts: list[int]) -> None:
    nonces = Nonces(b"s" * 16, b"r" * 8, 300.0, 10)
    nonce = nonces.read(nonces.mint("realm", 0.0), "realm")
    assert nonce is not None
    seen: set[int] = set()
    for count in counts:
        first = count not in seen and count > max(seen, default=count) - WINDOW
        assert nonces.use(nonce, count, 0.0) is first
        if first:
            seen.add(count)


@given(st.integers(0, 47), st.sampled_from("AZaz09-_+/= é"))
def test_a_nonce_with_any_letter_changed_is_not_ours(position: int, letter: str) -> None:
    nonces = Nonces(b"s" * 16, b"r" * 8, 300.0, 10)
    text = nonces.mint("realm", 1.5)
    assert nonces.read(text, "realm") == (b"r" * 8, 1, 1.5)
    changed = text[:position] + letter + text[position + 1 :]
    assert changed == text or nonces.read(changed, "realm") is None


@given(st.text(max_size=60))
def test_any_other_text_is_not_ours(text: str) -> None:
    assert Nonces(b"s" * 16, b"r" * 8, 300.0, 10).read(text, "realm") is None
