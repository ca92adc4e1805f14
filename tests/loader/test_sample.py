"""The sample profile repository that `demo` and `init` copy."""

from pathlib import Path
from xml.etree import ElementTree

from gitops_profile.presentity import Presentation
from tests.loader.tree import whole

SAMPLE = Path(__file__).parents[2] / "profiles"
FILES = {path.relative_to(SAMPLE).as_posix(): path.read_bytes() for path in SAMPLE.rglob("*") if path.is_file()}


def test_the_sample_has_no_problem_and_profiles_of_both_domains() -> None:
    result = whole(FILES)
    assert [str(problem) for problem in result.problems] == []
    assert {str(key) for key in result.documents} == {
        "user/example.com/alice",
        "user/example.com/bob",
        "user/example.com/reception",
        "user/example.net/carol",
        "device/example.com/001565a1b2c1",
        "device/example.com/001565a1b2c3",
        "device/example.com/000413d4e5f6",
        "device/example.com/001565e7f801",
        "device/example.com/000b82f1e2d3",
        "device/example.com/0004f2c3d4e5",
        "device/example.com/0c383e5a6b7c",
        "device/example.com/linphone-fay",
        "device/example.com/meeting-rooms",
        "device/example.net/000413a7b8c9",
        "local-network/example.com",
        "local-network/example.net",
    }


def test_xml_of_the_sample_is_well_formed() -> None:
    for document in whole(FILES).documents.values():
        presentations: list[Presentation] = [document, *document.variants]
        for presentation in presentations:
            if presentation.content_type == "text/xml":
                ElementTree.fromstring(presentation.body)


def test_values_come_from_the_folders_of_a_phone() -> None:
    bodies = {str(key): document.body.decode() for key, document in whole(FILES).documents.items()}
    alice = bodies["device/example.com/001565a1b2c3"]
    assert alice.startswith("#!version:1.0.0.1\naccount.1.enable = 1\n")
    assert "linekey.3.label = Meeting room\n" in alice and "account.1.sip_server.1.transport_type = 1\n" in alice
    assert "Meeting room" not in bodies["device/example.com/001565a1b2c1"]
    branch = bodies["device/example.com/001565e7f801"]
    assert branch.startswith("#!version:1.0.0.1\n") and "linekey.2.value = *97\n" in branch
    assert "local_time.time_zone_name = Europe/London\n" in branch
    assert ">Bob &amp; Sons<" in bodies["device/example.com/000413d4e5f6"]
    assert "<extension>0301</extension>" in bodies["user/example.net/carol"]


def test_the_phones_of_the_meeting_rooms_share_a_document_and_get_it_by_model() -> None:
    documents = {str(key): document for key, document in whole(FILES).documents.items()}
    rooms = documents["device/example.com/meeting-rooms"]
    assert [str(alias) for alias in rooms.aliases] == [
        "device/example.com/001565d41101",
        "device/example.com/001565d41102",
        "device/example.com/000413d42201",
    ]
    desk, conference = rooms.for_device("Yealink", "T53W", "96.86.0.70"), rooms.for_device("yealink", "CP960", None)
    assert desk is rooms and b"linekey.2.label = Reception\n" in desk.body
    assert b"linekey" not in conference.body and b"account.1.user_name = meeting\n" in conference.body
    assert rooms.for_device("snom", "snomD785", "10.1.54.13").content_type == "text/xml"
    assert [str(alias) for alias in documents["user/example.com/alice"].aliases] == ["user/example.com/alice.liddell"]


def test_the_plain_document_is_delivered_byte_for_byte() -> None:
    documents = {str(key): document for key, document in whole(FILES).documents.items()}
    assert documents["user/example.com/reception"].body == FILES["user/example.com/reception.xml"]


def test_the_sample_holds_no_password() -> None:
    for path, content in FILES.items():
        if path == "README.md":
            continue  # prose, which says that there is none
        text = content.decode().lower()
        assert not any(word in text for word in ("password:", "secret:", "user_pass", ".password")), path
