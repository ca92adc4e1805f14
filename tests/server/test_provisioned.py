"""A device says its MAC; its domain is looked for."""

from gitops_profile.presentity import PresentityTable, ProfileAdded, ProfileDocument, ProfileKey, RevisionStamp
from gitops_profile.server.provisioned import Provisioned

STAMP = RevisionStamp("a" * 40, "A", "C", "2026-01-01T00:00:00Z", "message")
PHONE = "000413aabbcc"


def table_of(*keys: ProfileKey, aliases: tuple[ProfileKey, ...] = ()) -> PresentityTable:
    table = PresentityTable()
    for key in keys:
        table.apply(ProfileAdded(ProfileDocument(key, "text/xml", b"<a/>", "p", aliases=aliases), STAMP))
    return table


def test_the_device_is_found_in_whatever_domain_has_it_and_however_it_is_spelled() -> None:
    table = table_of(ProfileKey.user("a.example", PHONE), ProfileKey.device("b.example", PHONE))
    found = Provisioned(table).key_of("00:04:13:AA:BB:CC")
    assert found == ProfileKey.device("b.example", PHONE)
    assert Provisioned(table).key_of("000413aabbcd") is None


def test_of_two_domains_the_preferred_one_counts_and_else_the_first_by_name() -> None:
    table = table_of(ProfileKey.device("b.example", PHONE), ProfileKey.device("a.example", PHONE))
    assert Provisioned(table).key_of(PHONE) == ProfileKey.device("a.example", PHONE)
    assert Provisioned(table, ["b.example"]).key_of(PHONE) == ProfileKey.device("b.example", PHONE)


def test_an_alias_leads_to_the_document_that_has_it() -> None:
    own, alias = ProfileKey.device("a.example", "lobby"), ProfileKey.device("a.example", PHONE)
    assert Provisioned(table_of(own, aliases=(alias,))).key_of(PHONE) == own
