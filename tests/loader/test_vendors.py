"""One set of values makes the documents of six vendors, and a reader of each format gets the values back.

The readers are not ours: expat, configparser, and for Linphone the library of Linphone itself.
"""

import configparser
import ctypes
import ctypes.util
from typing import Any
from xml.etree import ElementTree

import pytest

from gitops_profile.loader import Problem
from tests.interop.peers import need

from .test_sample import FILES
from .tree import whole

NASTY = "&<>\"' Zoë\U0001f4de #1; a=b \\ {{ x }} %s ]]> <!--"
LONG = "n" * 5000
LABELS = ["Alice", NASTY, "#;=[]", " both ends ", LONG]
SHARED = {path: content for path, content in FILES.items() if path.startswith(("templates/", "bases/"))}
VENDORS = ["snom", "yealink", "grandstream", "poly", "fanvil", "linphone"]
BERLIN = {"month": 3, "week": 5, "hour": 2}, {"month": 10, "week": 5, "hour": 3}
LINPHONE = ctypes.util.find_library("linphone")


def yaml(value: Any) -> str:
    """A value as YAML flow, every letter of a text escaped."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {yaml(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(yaml, value)) + "]"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return str(value) if isinstance(value, int) else '"' + "".join(f"\\U{ord(c):08x}" for c in value) + '"'


def values(label: str, **more: Any) -> dict[str, Any]:
    start, end = BERLIN
    return {
        "accounts": [{"user": "alice", "label": label}, {"user": "0201", "label": "Second"}],
        "registrar": {"host": "sip.example.com", "port": 5061, "transport": "tls"},
        "time": {
            "zone": "Europe/Berlin",
            "server": "ntp.example.com",
            "utc_offset": 3600,
            "dst": {"start": start, "end": end},
        },
        "codecs": ["opus", "g722", "pcma"],
        "speed_dials": [{"label": label, "number": "2000", "watch": True}, {"label": "Voicemail", "number": "*97"}],
        "provisioning": "https://prov.example.com/p/",
        **more,
    }


def render(vendor: str, data: dict[str, Any]) -> tuple[str, list[Problem]]:
    manifest = f"extends: {vendor}\nvalues: {yaml(data)}\n"
    settings = FILES["profiles.yaml"]
    result = whole({**SHARED, "profiles.yaml": settings, "device/example.com/001565a1b2c3.yaml": manifest})
    return "".join(d.body.decode() for d in result.documents.values()), list(result.problems)


def document(vendor: str, data: dict[str, Any]) -> str:
    body, problems = render(vendor, data)
    assert not problems, [str(problem)[:300] for problem in problems]
    return body


def lines(body: str) -> dict[str, str]:
    """A Yealink file as configparser reads it; a name that is there twice is an error."""
    head, _, rest = body.partition("\n")
    assert head == "#!version:1.0.0.1"
    parser = configparser.ConfigParser(
        delimiters=("=",), comment_prefixes=("#",), interpolation=None, empty_lines_in_values=False
    )
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys keep their case, as its documentation has it
    parser.read_string("[all]\n" + rest)
    return dict(parser["all"])


def texts(root: ElementTree.Element, path: str) -> list[str]:
    return [element.text or "" for element in root.iterfind(path)]


def codes(body: str) -> dict[str, str]:
    """The P-values of a Grandstream file, none of them twice."""
    root = ElementTree.fromstring(body)
    assert (root.tag, root.get("version"), root.findtext("mac")) == ("gs_provision", "1", "001565a1b2c3")
    config = root.find("config")
    assert config is not None and all(element.tag[1:].isdigit() for element in config)
    assert len({element.tag for element in config}) == len(config)
    return {element.tag: element.text or "" for element in config}


@pytest.mark.parametrize("label", LABELS)
def test_snom(label: str) -> None:
    root = ElementTree.fromstring(document("snom", values(label)))
    assert root.tag == "settings" and [child.tag for child in root] == ["phone-settings", "functionKeys"]
    settings = root[0]
    assert texts(settings, "user_realname") == [label, "Second"] and texts(settings, "user_name") == ["alice", "0201"]
    assert [element.get("idx") for element in settings.iterfind("user_name")] == ["1", "2"]
    assert texts(settings, "user_host")[0] == "sip.example.com:5061;transport=tls"
    assert texts(settings, "codec_priority_list")[0] == "opus,g722,pcma,telephone-event"
    assert settings.findtext("utc_offset") == "+3600"
    assert settings.findtext("dst") == "3600 03.05.07 02:00:00 10.05.07 03:00:00"
    assert settings.findtext("setting_server") == "https://prov.example.com/p/"
    keys = [(key.get("idx"), key.get("label"), key.text) for key in root.iterfind("functionKeys/fkey")]
    assert keys == [
        ("0", label, "line"),
        ("1", "Second", "line"),
        ("2", label, "blf sip:2000@sip.example.com"),
        ("3", "Voicemail", "speed *97"),
    ]


@pytest.mark.parametrize("label", LABELS)
def test_yealink(label: str) -> None:
    found = lines(document("yealink", values(label)))
    # Readers of lines trim what is around a value; nothing else of it may be lost.
    assert (found["account.1.label"], found["account.1.display_name"]) == (label.strip(), label.strip())
    assert (found["account.2.user_name"], found["account.2.sip_server.1.transport_type"]) == ("0201", "2")
    assert [found[f"account.1.codec.{c}.enable"] for c in ("opus", "g722", "pcma", "pcmu", "g729")] == list("11100")
    assert found["account.1.codec.pcma.priority"] == "3" and "account.1.codec.pcmu.priority" not in found
    keys = [tuple(found[f"linekey.{n}.{name}"] for name in ("type", "value", "label")) for n in (3, 4)]
    assert keys == [("16", "2000", label.strip()), ("13", "*97", "Voicemail")]
    assert (found["local_time.time_zone"], found["local_time.summer_time"]) == ("+1", "1")
    assert (found["local_time.start_time"], found["local_time.end_time"]) == ("3/5/7/2", "10/5/7/3")
    assert found["static.auto_provision.server.url"] == "https://prov.example.com/p/"
    assert not [name for name in found if name.split(".")[0] not in ("account", "linekey", "local_time", "static")]


@pytest.mark.parametrize("label", LABELS)
def test_grandstream(label: str) -> None:
    found = codes(document("grandstream", values(label)))
    assert [found[p] for p in ("P271", "P270", "P47", "P35", "P36", "P3", "P130")] == [
        "1", label, "sip.example.com:5061", "alice", "alice", label, "2",
    ]  # fmt: skip
    assert [found[p] for p in ("P401", "P417", "P402", "P404", "P405", "P407", "P448")] == [
        "1", "Second", "sip.example.com:5061", "0201", "0201", "Second", "2",
    ]  # fmt: skip
    assert [found[p] for p in ("P57", "P58", "P59", "P451", "P453")] == ["123", "9", "8", "123", "8"]
    assert [found[p] for p in ("P1363", "P1365", "P1367", "P1467", "P1369", "P1470")] == [
        "0", "0", "11", "Second", "10", "2000",
    ]  # fmt: skip
    assert (found["P1469"], found["P1471"], found["P1472"]) == (label, "Voicemail", "*97")
    assert (found["P30"], found["P64"]) == ("ntp.example.com", "customize")
    assert found["P246"] == "STD-1DST,M3.5.0/2,M10.5.0/3"
    assert (found["P212"], found["P237"]) == ("2", "prov.example.com/p/")


@pytest.mark.parametrize("label", LABELS)
def test_poly(label: str) -> None:
    root = ElementTree.fromstring(document("poly", values(label)))
    assert (root.tag, [child.tag for child in root]) == ("PHONE_CONFIG", ["ALL"])
    found = root[0].attrib
    assert (found["reg.1.displayName"], found["reg.1.label"], found["reg.2.address"]) == (label, label, "0201")
    assert (found["reg.1.server.1.port"], found["reg.1.server.1.transport"]) == ("5061", "TLS")
    preferences = {n.removeprefix("voice.codecPref."): v for n, v in found.items() if n.startswith("voice.codecPref.")}
    assert preferences == {"Opus": "1", "G722": "2", "G711_A": "3", "G711_Mu": "0", "G729_AB": "0"}
    assert found["attendant.resourceList.1.label"] == label and found["attendant.resourceList.2.address"] == "*97"
    time = {n.removeprefix("tcpIpApp.sntp."): v for n, v in found.items() if n.startswith("tcpIpApp.sntp.")}
    assert (time["address"], time["gmtOffset"], time["daylightSavings.start.month"]) == ("ntp.example.com", "3600", "3")
    assert time["daylightSavings.stop.dayOfWeek.lastInMonth"] == "1" and time["daylightSavings.stop.time"] == "3"
    assert (found["device.prov.serverType"], found["device.prov.serverName"]) == ("HTTPS", "prov.example.com/p/")
    assert all(found[f"{name}.set"] == "1" for name in ("device.prov.serverType", "device.prov.serverName"))


@pytest.mark.parametrize("label", LABELS)
def test_fanvil(label: str) -> None:
    root = ElementTree.fromstring(document("fanvil", values(label)))
    assert root.tag == "sysConf" and root[0].tag == "Version"
    first, second = root.iterfind("sip/line")
    assert (first.get("index"), second.get("index"), first.findtext("DisplayName")) == ("1", "2", label)
    assert (second.findtext("PhoneNumber"), second.findtext("RegisterUser")) == ("0201", "0201")
    assert (first.findtext("Transport"), first.findtext("VoiceCodecMap")) == ("3", "opus,G722,PCMA")
    assert (root.findtext("phone/date/TimeZone"), root.findtext("phone/date/DSTEndWeek")) == ("4", "-1")
    keys = [tuple(child.text for child in key) for key in root.iterfind("dsskey/internal/Fkey")]
    assert keys[2:] == [("1", "2000@1/ba", label), ("1", "*97@1/f", "Voicemail")]
    assert (root.findtext("ap/FlashServerIP"), root.findtext("ap/FlashProtocol")) == ("prov.example.com/p/", "5")


@pytest.mark.parametrize("label", LABELS)
def test_linphone(label: str) -> None:
    root = ElementTree.fromstring(document("linphone", values(label)))
    space = "{http://www.linphone.org/xsds/lpconfig.xsd}"
    assert root.tag == f"{space}config" and all(section.tag == f"{space}section" for section in root)
    found = {(s.get("name"), e.get("name")): e.text for s in root for e in s}
    assert found["misc", "config-uri"] == "https://prov.example.com/p/"
    assert found["proxy_1", "reg_identity"] == '"Second" <sip:0201@example.com>'
    assert found["proxy_0", "reg_proxy"] == "<sip:sip.example.com:5061;transport=tls>"
    quoted = label.replace("\\", "\\\\").replace('"', '\\"')
    assert found["friend_0", "url"] == f'"{quoted}" <sip:2000@example.com>'
    assert [found[f"audio_codec_{n}", "mime"] for n in range(3)] == ["opus", "G722", "PCMA"]


@pytest.mark.parametrize("label", LABELS)
def test_the_library_of_linphone_reads_what_is_made_for_it(label: str) -> None:
    need("liblinphone is not installed" if LINPHONE is None else None)
    library = ctypes.CDLL(LINPHONE)
    library.linphone_config_new_from_buffer.restype = ctypes.c_void_p
    library.linphone_config_load_from_xml_string.restype = ctypes.c_char_p
    library.linphone_config_load_from_xml_string.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    library.linphone_config_get_string.restype = ctypes.c_char_p
    library.linphone_config_get_string.argtypes = [ctypes.c_void_p, *[ctypes.c_char_p] * 3]
    config = library.linphone_config_new_from_buffer(b"")
    body = document("linphone", values(label)).encode()
    assert library.linphone_config_load_from_xml_string(config, body) is None

    def get(section: bytes, name: bytes) -> str:
        return str(library.linphone_config_get_string(config, section, name, b"").decode())

    quoted = label.replace("\\", "\\\\").replace('"', '\\"')
    assert get(b"proxy_0", b"reg_identity") == f'"{quoted}" <sip:alice@example.com>'
    assert (get(b"audio_codec_0", b"mime"), get(b"audio_codec_0", b"rate")) == ("opus", "48000")
    assert (get(b"sip", b"default_proxy"), get(b"friend_1", b"subscribe")) == ("0", "0")


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_value_with_a_line_end_is_refused_in_lines_and_kept_in_xml(vendor: str) -> None:
    data = values("a\r\nlinekey.1.type = 13")
    body, problems = render(vendor, data)
    if vendor == "yealink":
        name = problems[0].message.partition(":")[0]
        assert not body and name in ("values.accounts.0.label", "values.speed_dials.0.label")
        assert (problems[0].path, problems[0].line) == ("device/example.com/001565a1b2c3.yaml", 2)
    else:
        assert not problems
        root = ElementTree.fromstring(body)
        assert any(
            data["accounts"][0]["label"] in (text or "") for e in root.iter() for text in (e.text, *e.attrib.values())
        )


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("end", ["\n", "\r", "\x00"])
def test_no_value_of_any_kind_gets_a_line_end_into_lines(vendor: str, end: str) -> None:
    hurt = f"x{end}y"
    for data in (
        values("x", registrar={"host": hurt, "port": 5060, "transport": "udp"}),
        values("x", speed_dials=[{"label": "x", "number": hurt}]),
        values("x", accounts=[{"user": hurt, "label": "x"}]),
        values("x", provisioning=f"http://{hurt}"),
    ):
        body, problems = render(vendor, data)
        assert problems or (vendor != "yealink" and end != "\x00" and ElementTree.fromstring(body) is not None)


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_phone_without_accounts_dials_and_summer_time_has_a_document_too(vendor: str) -> None:
    time = {"zone": "Asia/Kolkata", "server": "ntp", "utc_offset": 19800, "dst": None}
    body = document(vendor, values("x", accounts=[], speed_dials=[], time=time))
    expected = {
        "snom": '<utc_offset perm="RW">+19800</utc_offset>\n    <dst perm="RW"></dst>',
        "yealink": "local_time.time_zone = +5:30\nlocal_time.summer_time = 0",
        "grandstream": "<P246>STD-5:30</P246>",
        "poly": 'daylightSavings.enable="0"',
        "fanvil": "<TimeZone>22</TimeZone>\n      <EnableDST>0</EnableDST>",
        "linphone": "<section",
    }
    assert expected[vendor] in body


def test_west_of_greenwich() -> None:
    time = {
        "zone": "America/New_York", "server": "ntp", "utc_offset": -18000,
        "dst": {"start": {"month": 3, "week": 2, "hour": 2}, "end": {"month": 11, "week": 1, "hour": 2}},
    }  # fmt: skip
    made = {vendor: document(vendor, values("x", time=time)) for vendor in VENDORS}
    assert codes(made["grandstream"])["P246"] == "STD5DST,M3.2.0/2,M11.1.0/2"
    assert lines(made["yealink"])["local_time.time_zone"] == "-5"
    assert '<utc_offset perm="RW">-18000</utc_offset>' in made["snom"]
    assert "<TimeZone>-20</TimeZone>" in made["fanvil"] and "<DSTStartWeek>2</DSTStartWeek>" in made["fanvil"]
    poly = ElementTree.fromstring(made["poly"])[0].attrib
    assert poly["tcpIpApp.sntp.daylightSavings.start.date"] == "8"
    assert poly["tcpIpApp.sntp.daylightSavings.stop.date"] == "1"
