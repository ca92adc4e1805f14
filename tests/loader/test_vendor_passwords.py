"""The line that holds the SIP password in the documents of each vendor (phones.md 5.3): `check` warns, `plan` masks."""

import pytest

from gitops_profile.plan import compare
from gitops_profile.presentity import ProfileDocument, ProfileKey

from .test_credentials import ALICE, places

LINES = {
    "yealink": "account.1.password = hunter2",
    "snom": '<user_pass idx="1" perm="RW">hunter2</user_pass>',
    "grandstream": "<P47>pbx.example.com</P47><P35>2001</P35><P36>2001</P36><P34>hunter2</P34>",
    "htek": '<P34 para="Account1.AuthPassword">hunter2</P34>',
    "fanvil xml": "<RegisterUser>2001</RegisterUser><RegisterPswd>hunter2</RegisterPswd><EnableReg>1</EnableReg>",
    "fanvil text": "SIP1 Register Pswd      :hunter2",
    "poly": '<ALL reg.1.address="2001" reg.1.auth.userId="2001" reg.1.auth.password="hunter2"/>',
    "mitel": "sip line1 password: hunter2",
    "cisco": "<Password_1_>hunter2</Password_1_>",
    "audiocodes": "voip/line/0/auth_password=hunter2",
    "panasonic": 'SIP_PASS_1="hunter2"',
    "linphone": '<entry name="passwd" overwrite="true">hunter2</entry>',
}
vendors = pytest.mark.parametrize("line", [pytest.param(line, id=vendor) for vendor, line in LINES.items()])


@vendors
def test_check_warns_of_the_password_of_every_vendor(line: str) -> None:
    (place,) = places({f"{ALICE}.cfg": f"first\n{line}\n"})
    assert place.startswith(f"{ALICE}.cfg:2:{line.index('hunter2') + 1} "), place


@vendors
def test_plan_masks_the_password_of_every_vendor(line: str) -> None:
    key = ProfileKey.device("example.com", "0c383e07e16c")
    old, new = (
        ProfileDocument(key, "text/plain", f"first\n{text}\n".encode(), f"{ALICE}.cfg")
        for text in (line.replace("hunter2", "hunter1"), line)
    )
    shown = str(compare({key: old}, {key: new}).groups)
    assert "<secret>" in shown and "hunter" not in shown, shown
