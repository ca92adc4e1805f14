"""Paths and keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.loader import UnreadableProfile
from gitops_profile.loader.layout import Kind, folders_above, key_of_path, kind_of, path_of_key
from gitops_profile.presentity import InvalidKey, ProfileKey


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("profiles.yaml", Kind.SETTINGS),
        ("defaults.yaml", Kind.DEFAULTS),
        ("user/defaults.yaml", Kind.DEFAULTS),
        ("device/a.b/hq/defaults.yaml", Kind.DEFAULTS),
        ("templates/defaults.yaml", Kind.TEMPLATE),
        ("files/x/y.xml", Kind.DATA),
        ("user/a.b/x.yml", Kind.MANIFEST),
        ("user/a.b/x.YAML", Kind.MANIFEST),
        ("user/a.b/x.y.xml", Kind.PLAIN),
        ("user/a.b/noextension", Kind.PLAIN),
        ("user/a.b/.gitkeep", Kind.IGNORED),
        ("README.md", Kind.IGNORED),
        ("softphone/a.b/x.yaml", Kind.IGNORED),
        ("user", Kind.PLAIN),  # only a link or a submodule can stand there, and both are refused
    ],
)
def test_what_a_path_is(path: str, kind: Kind) -> None:
    assert kind_of(path) is kind


def test_percent_encoded_names_are_decoded() -> None:
    assert key_of_path("user/a.b/g/x%2Fy%40z.xml") == ProfileKey.user("a.b", "x/y@z")
    assert key_of_path("user/a.b/j.doe.yaml") == ProfileKey.user("a.b", "j.doe")
    assert key_of_path("local-network/Example.COM.yaml") == ProfileKey.local_network("example.com")


@pytest.mark.parametrize(
    "path", ["user/a.b/100%.xml", "user/a.b/%zz.xml", "user/a.b/%ff.xml", "user/a.b/defaults.yml", "user/a.b/x%00.xml"]
)
def test_names_that_name_nobody_are_refused(path: str) -> None:
    with pytest.raises(UnreadableProfile, match="names no profile"):
        key_of_path(path)


def test_folders_from_the_top_down() -> None:
    assert list(folders_above("user/a.b/hq/x.yaml")) == ["", "user", "user/a.b", "user/a.b/hq"]


def keys() -> st.SearchStrategy[ProfileKey]:
    def make(kind: str, domain: str, name: str) -> ProfileKey | None:
        try:
            if kind == "user":
                return ProfileKey.user(domain, name)
            return ProfileKey.device(domain, name) if kind == "device" else ProfileKey.local_network(domain)
        except InvalidKey:
            return None

    names = st.text(max_size=12) | st.sampled_from(["defaults", ".x", "a.b.", "..", "%41", "00:04:f2:a1:b2:c3", "[x]"])
    domains = st.sampled_from(["example.com", "defaults", "[2001:db8::1]", "a_b"])
    made = st.builds(make, st.sampled_from(["user", "device", "local-network"]), domains, names)
    return made.filter(lambda key: key is not None).map(lambda key: key or ProfileKey.local_network("unreachable"))


@given(keys(), st.sampled_from([(".yaml", Kind.MANIFEST), (".xml", Kind.PLAIN)]))
def test_a_key_is_found_again_at_its_path(key: ProfileKey, form: tuple[str, Kind]) -> None:
    extension, kind = form
    path = path_of_key(key, extension)
    assert kind_of(path) is kind and key_of_path(path) == key
