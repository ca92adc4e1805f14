"""What the loader process says arrives as it was."""

from gitops_profile.presentity import ProfileDocument, ProfileKey, Variant
from gitops_profile.processes import HEADER
from gitops_profile.reconcile.wire import pack, unpack

KEY = ProfileKey.device("example.com", "001565a1b2c3")


def test_a_document_arrives_with_its_variants_and_aliases() -> None:
    variants = (Variant("a*", None, "1.10", "text/xml", b"\xff<p/>", True, 0), Variant(None, "b", None, "a/b", b""))
    aliases = (ProfileKey.device("example.net", "lobby"), ProfileKey.device("example.com", "front desk/2"))
    document = ProfileDocument(KEY, "text/plain", b"\x00", "device/x.yaml", True, 60, variants, aliases)
    data = pack("documents", [document])
    assert int.from_bytes(data[:HEADER], "big") == len(data) - HEADER
    kind, (again,) = unpack(data[HEADER:])
    assert kind == "documents" and again == document and again.etag == document.etag
    assert [variant.etag for variant in again.variants] == [variant.etag for variant in variants]
