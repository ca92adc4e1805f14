"""A log that an earlier version wrote: its bytes are kept in `log_version_1`, with its snapshot."""

import logging
import shutil
from pathlib import Path

import pytest

from gitops_profile.eventlog import FileEventLog, verify
from gitops_profile.loader import LOADER_VERSION
from gitops_profile.presentity import PresentityTable, ProfileKey
from gitops_profile.reconcile import Verdict, read_table, replay

from .lab import Lab

OLD_LOG = Path(__file__).parent / "log_version_1"
ETAGS = {
    "device/example.com/0004f2a1b2c3": "d3ec34495888187a7c80f4c022b9aa6e",
    "user/example.com/al": "0dcd19326027ddf8b3c4e8bc61c6e2da",
    "user/example.com/alice": "0dcd19326027ddf8b3c4e8bc61c6e2da",
    "user/example.com/bob": "6f4e416e02d970ccf32dc84a4beba7f2",
}
"""As the program that wrote the log printed them; the phones have acknowledged these."""


def etags(table: PresentityTable) -> dict[str, str]:
    return {str(document.key): document.etag for document in table}


async def test_an_old_log_replays_to_the_same_documents_with_the_same_etags(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "log"
    shutil.copytree(OLD_LOG, folder)
    assert (await verify(folder)).records == 10
    assert etags(await read_table(folder)) == ETAGS
    log = await FileEventLog.open(folder)
    with caplog.at_level(logging.WARNING):
        table = (await replay(log)).table
    await log.close()
    assert "the snapshot is not used, the whole log is read" in caplog.text
    assert etags(table) == ETAGS
    assert all(document.variants == () and document.aliases == () for document in table)
    phone = table.get(ProfileKey.device("example.com", "0004f2a1b2c3"))
    assert phone is not None and (phone.body, phone.sensitive) == (b"\xff\x00\x01", True)
    assert table.applied is not None and (table.applied.loader_version, table.applied.removed) == (2, 1)
    assert table.rejected is not None and table.rejected.problems[0].line == 2


async def test_aliases_that_were_documents_become_names_and_no_phone_notices(tmp_path: Path) -> None:
    shutil.copytree(OLD_LOG, tmp_path / "log")
    lab = Lab(tmp_path / "work")
    users = "profiles/user/example.com"
    many = ", ".join(f"u{number}@example.com" for number in range(30))
    lab.git.commit(
        {
            f"{users}/alice.yaml": f"body: <a/>\ncontent_type: text/xml\naliases: ['sip:al@example.com', {many}]\n"
            "effective_by: 0\n",
            f"{users}/bob.xml": "<bob>ö</bob>\n",
            "profiles/device/example.com/0004f2a1b2c3.yaml": "file: logo.bin\nsensitive: true\n",
            "profiles/files/logo.bin": b"\xff\x00\x01",
            "profiles/profiles.yaml": "max_removals: 0\n",
        }
    )
    log = await FileEventLog.open(tmp_path / "log")
    lab.journal = await replay(log)
    outcome = await lab.reconcile()
    # The alias's own document goes, which is no removal that max_removals is there to stop.
    assert (outcome.verdict, outcome.changed, outcome.removed) == (Verdict.APPLIED, 1, 1), outcome.problems
    table = lab.journal.table
    assert etags(table) == {key: etag for key, etag in ETAGS.items() if key != "user/example.com/al"}
    assert table.resolve(ProfileKey.user("example.com", "al")) == ProfileKey.user("example.com", "alice")
    assert lab.told[-1].count("user/example.com/al") == 1 and "user/example.com/bob" not in lab.told[-1]
    assert table.applied is not None and table.applied.loader_version == LOADER_VERSION
    again = (await replay(log)).table
    assert again == table and again.resolve(ProfileKey.user("example.com", "u7")) is not None
    await log.close()
    await lab.close()
