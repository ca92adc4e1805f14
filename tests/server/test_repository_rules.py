"""File names and decoys of the repository, as the server acts on them."""

import logging

import pytest

from gitops_profile.devices import FileKind
from gitops_profile.presentity import (
    FileRule,
    PresentityTable,
    RepositoryRules,
    RepositoryRulesChanged,
    RevisionStamp,
)
from gitops_profile.server.repository_rules import RulesInForce

STAMP = RevisionStamp("a" * 40, "A", "C", "2026-01-01T00:00:00Z", "m")


def test_rules_hold_from_the_moment_the_table_has_them_until_it_has_not() -> None:
    table = PresentityTable()
    rules = RulesInForce(table)
    before = rules.routes()
    assert before.read("handset-001565aabbcc.ini").kind is FileKind.NONE and rules.decoys() == frozenset()
    said = RepositoryRules((FileRule("handset-{mac}.ini", ("{mac}",)),), ("0004f2000001",))
    table.apply(RepositoryRulesChanged(said, "main", STAMP))
    assert rules.routes().read("handset-001565AABBCC.ini").names == ("001565aabbcc",)
    assert rules.routes() is rules.routes() and rules.decoys() == {"0004f2000001"}
    table.apply(RepositoryRulesChanged(RepositoryRules(), "main", STAMP))
    assert rules.routes().read("handset-001565aabbcc.ini").kind is FileKind.NONE and not rules.decoys()


def test_a_rule_that_this_version_does_not_know_harms_no_other_name(caplog: pytest.LogCaptureFixture) -> None:
    table = PresentityTable()
    table.apply(RepositoryRulesChanged(RepositoryRules((FileRule("{serial}.x", ("y",)),), ()), "main", STAMP))
    with caplog.at_level(logging.WARNING):
        assert RulesInForce(table).routes().read("001565aabbcc.cfg").names == ("001565aabbcc",)
    assert "files of profiles.yaml are left out" in caplog.text
