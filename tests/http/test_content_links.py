"""The URL of a version: good for a time, and made anew in time."""

from gitops_profile.http import ContentLinks
from gitops_profile.http.content_links import LIFE
from gitops_profile.presentity import ProfileKey

ALICE = ProfileKey.user("example.com", "alice.b")


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def path_of(links: ContentLinks) -> str:
    return links.url(ALICE, "abc").removeprefix("https://prov.example.com")


def test_a_url_is_good_for_a_month_at_least_and_two_at_most() -> None:
    clock = Clock()
    links = ContentLinks("https://prov.example.com/", b"k" * 32, clock)
    path = path_of(links)
    assert links.read(path) == (str(ALICE), "abc")
    clock.now += LIFE
    assert links.read(path) == (str(ALICE), "abc")
    clock.now += LIFE + 1
    assert links.read(path) == (str(ALICE), "")  # no version has this tag: 410
    assert links.read(path_of(links)) == (str(ALICE), "abc")


def test_whoever_asks_within_one_life_is_given_the_same_url() -> None:
    clock = Clock()
    links = ContentLinks("https://prov.example.com/", b"k" * 32, clock)
    clock.now = LIFE * 700.0
    path, age = path_of(links), links.age()
    clock.now += LIFE - 1
    assert (path_of(links), links.age()) == (path, age)
    clock.now += 1
    assert path_of(links) != path and links.age() == age + 1


def test_nobody_can_put_the_end_off() -> None:
    links = ContentLinks("https://prov.example.com/", b"k" * 32, Clock())
    named, expires, signature = path_of(links).rsplit(".", 2)
    assert links.read(f"{named}.{int(expires, 16) + LIFE:x}.{signature}") is None
    assert links.read(f"{named}.zz.{signature}") is None
