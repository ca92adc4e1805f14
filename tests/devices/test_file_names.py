"""File names as phones ask for them, and the profiles they mean (phones.md 5.1)."""

import pytest

from gitops_profile.devices import FileKind, FileRequest, FileRoutes, FileRule, InvalidFileRule
from gitops_profile.loader import key_of_path

ROUTES = FileRoutes()
OWN = [
    ("snom710-000413741767.htm", "000413741767"), ("000413741767.xml", "000413741767"),
    ("001565F4F9E1.cfg", "001565f4f9e1"), ("00:15:65:f4:f9:e1.cfg", "001565f4f9e1"),
    ("cfg000b82123456", "000b82123456"), ("cfg000b82123456.xml", "000b82123456"),
    ("cfg001fc11c22a9.xml", "001fc11c22a9"),
    ("0c383e07e16c.cfg", "0c383e07e16c"), ("0004f2a1b2c3.cfg", "0004f2a1b2c3"), ("7C2F80E0D605.xml", "7c2f80e0d605"),
    ("00908F602AAC.cfg", "00908f602aac"), ("Config0080F0C8C381.cfg", "0080f0c8c381"),
    ("00085D237429.cfg", "00085d237429"),
    ("MN_1400E91F03EA.cfg", "1400e91f03ea"), ("SEP00562B043615.cnf.xml", "00562b043615"),
    ("ATA00562B043615.cnf.xml", "00562b043615"), ("Cisco/CP-7841-3PCC/00562b043615.cfg", "00562b043615"),
    ("config.3c28a620089e.xml", "3c28a620089e"), ("sipconfig-3c28a620089e.txt", "3c28a620089e"),
    ("SIPc81fea83e85a.cfg", "c81fea83e85a"), ("hipve-7c1eb3000001.xml", "7c1eb3000001"),
    ("ipst_config_01_02_03_04_05_ab.cfg", "0102030405ab"), ("00/1/7C2F806257D7.xml", "7c2f806257d7"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "mac"), OWN)
def test_the_file_of_a_phone_is_its_profile(path: str, mac: str) -> None:
    request = ROUTES.read(path)
    assert request.kind is FileKind.DOCUMENT and request.mac == mac and request.names[0] == mac


@pytest.mark.parametrize(
    ("path", "mac", "name"),
    [
        ("001565aabbcc.boot", "001565aabbcc", "001565aabbcc.boot"),
        ("0004F2A1B2C3-phone.cfg", "0004f2a1b2c3", "0004f2a1b2c3-phone"),
        ("0004f2a1b2c3-directory.xml", "0004f2a1b2c3", "0004f2a1b2c3-directory"),
        ("0004f2a1b2c3-license.cfg", "0004f2a1b2c3", "0004f2a1b2c3-license"),
    ],
)
def test_a_further_file_of_a_phone_is_a_profile_of_its_own(path: str, mac: str, name: str) -> None:
    assert ROUTES.read(path) == FileRequest(FileKind.DOCUMENT, mac, (name,))


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("y000000000096.cfg", ("y000000000096.cfg", "y000000000096")),
        ("y000000000000.boot", ("y000000000000.boot", "y000000000000")),
        ("snom720.htm", ("snom720.htm", "snom720")),
        (
            "f0X4hw1.100.cfg",
            ("f0X4hw1.100.cfg", "f0x4hw1.100.cfg", "f0X4hw1.100", "f0x4hw1.100", "f0X4hw1", "f0x4hw1"),
        ),
        ("config.m3.xml", ("config.m3.xml", "config.m3", "config")),
        ("KX-HDV130.cfg", ("KX-HDV130.cfg", "kx-hdv130.cfg", "KX-HDV130", "kx-hdv130")),
        ("aastra.cfg", ("aastra.cfg", "aastra")),
        ("spa504G.cfg", ("spa504G.cfg", "spa504g.cfg", "spa504G", "spa504g")),
        ("J100settings.txt", ("J100settings.txt", "j100settings.txt", "J100settings", "j100settings")),
    ],
)
def test_a_file_for_all_phones_of_a_kind_is_a_named_profile(path: str, names: tuple[str, ...]) -> None:
    assert ROUTES.read(path) == FileRequest(FileKind.COMMON, None, names)


@pytest.mark.parametrize(
    "name", ["y000000000096.cfg", "f0X4hw1.100.cfg", "XMLDefault.cnf.xml", "config.m3.xml", "aastra.cfg", "snom720.htm"]
)
def test_a_plain_document_that_is_named_as_the_phone_asks_is_found(name: str) -> None:
    key = key_of_path(f"device/example.com/{name}")
    assert key.name in ROUTES.read(name).names


def test_the_master_of_poly_is_no_phone() -> None:
    request = ROUTES.read("000000000000.cfg")
    assert request.kind is FileKind.COMMON and request.mac is None


@pytest.mark.parametrize(
    "path", ["", "/", "lobby.cfg", "index.html", "a\0b.cfg", "x" * 2000, "..", "favicon.ico", "y000000000096"]
)
def test_any_other_name_means_nothing(path: str) -> None:
    assert ROUTES.read(path) == FileRequest(FileKind.NONE)


def test_a_log_says_whose_it_is_and_is_never_a_document() -> None:
    assert ROUTES.read("logs/0004F2a1b2c3-app.log") == FileRequest(FileKind.UPLOAD, "0004f2a1b2c3")
    assert ROUTES.read("0004f2a1b2c3-boot.log").kind is FileKind.UPLOAD


def test_an_unknown_name_with_a_mac_is_about_that_phone() -> None:
    assert ROUTES.read("0004f2a1b2c3-unheard.of") == FileRequest(FileKind.NONE, "0004f2a1b2c3")


@pytest.mark.parametrize(
    "path",
    [
        "0004f2a1b2c3.cfg.xml", "0004F2A1B2C3.boot.cfg", "0004f2a1b2c3-phone.xml", "00-04-f2-a1-b2-c3.x.cfg",
        "00:04:f2:a1:b2:c3-web.xml", "0004.f2a1.b2c3.cfg", "config.0004f2a1b2c3.cfg", "0004f2a1b2c3_.xml",
    ],
)  # fmt: skip
def test_a_name_with_a_mac_in_it_is_never_one_for_all_phones(path: str) -> None:
    request = ROUTES.read(path)
    assert request.kind is not FileKind.COMMON and request.mac == "0004f2a1b2c3"


def test_a_rule_of_a_repository_that_names_a_phone_is_about_it() -> None:
    routes = FileRoutes([FileRule("special-001565aabbcc.ini", ("special",))])
    assert routes.read("special-001565AABBCC.ini") == FileRequest(FileKind.DOCUMENT, "001565aabbcc", ("special",))


def test_a_repository_has_the_first_word() -> None:
    routes = FileRoutes([FileRule("{mac}.cfg", ("{mac}-mine",)), FileRule("site.cfg", ("site",))])
    assert routes.read("001565AABBCC.cfg") == FileRequest(FileKind.DOCUMENT, "001565aabbcc", ("001565aabbcc-mine",))
    assert routes.read("site.cfg").names == ("site",)
    assert routes.read("001565aabbcc.boot") == ROUTES.read("001565aabbcc.boot")


@pytest.mark.parametrize(
    ("name", "profile", "says"),
    [
        ("a/b.cfg", "x", "no file name"),
        ("{serial}.cfg", "x", "unknown"),
        ("{mac}{mac}.cfg", "x", "twice"),
        ("fixed.cfg", "{mac}", "nothing in"),
        ("", "x", "no file name"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(name: str, profile: str, says: str) -> None:
    with pytest.raises(InvalidFileRule, match=says):
        FileRoutes([FileRule(name, (profile,))])
