"""Which device asks for its document, on the real server with curl as the phone."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.ports import own_port
from tests.transport.authority import Authority, Issued

from .lab import Lab, eventually, need
from .test_content import curl

pytestmark = [pytest.mark.system, pytest.mark.peer]

DESK, LOBBY, DECOY = "0004132a1122", "0004132a3344", "0004132a0001"
DOCS = Path(__file__).parents[2] / "docs"
Serve = Callable[..., str]


def body(device: str, version: int = 1) -> bytes:
    return f"<settings><phone>{device}</phone><version>{version}</version></settings>\n".encode()


@pytest.fixture
def serve(lab: Lab, issued: Issued) -> Serve:
    """Starts the server with these provisioning settings; the URL of the domain's files."""

    def started(scheme: str = "https", **provisioning: Any) -> str:
        manifest = f"body: '{body(DESK).decode().strip()}'\ncontent_type: text/xml\nsensitive: true\n"
        lab.git.commit(
            {
                "profiles/profiles.yaml": f"decoys: ['{DECOY}']\n".encode(),
                f"profiles/device/example.com/{DESK}.yaml": manifest.encode(),
                f"profiles/device/example.com/{LOBBY}.xml": body(LOBBY),
            }
        )
        port = own_port()
        public = f"{scheme}://127.0.0.1:{port}/"
        http = {"listen": f"127.0.0.1:{port}", "public_url": public, "tls": scheme == "https"}
        tls = {"certificate": str(issued.certificate), "key": str(issued.key)}
        file = lab.folder / "gitops-profile.yaml"
        file.write_text(json.dumps({"http": http, "tls": tls, "provisioning": provisioning}))
        lab.server.start("--config", str(file))
        return f"{public}p/example.com/"

    return started


def status(url: str, *options: str) -> int:
    return curl(url, "--insecure", *options)[0]


def passwd(lab: Lab, *options: str, given: str = "") -> None:
    done = lab.run("passwd", str(lab.folder / "devices.htdigest"), "--device", DESK, *options, given=given.encode())
    assert done.returncode == 0, done.stderr


def test_a_password_is_changed_while_phones_have_the_old_one(lab: Lab, serve: Serve) -> None:
    passwd(lab, given="old")
    url = f"{serve(authenticate=['digest', 'basic'], credentials=str(lab.folder / 'devices.htdigest'))}{DESK}.xml"

    def answers(password: str) -> set[int]:
        return {status(url, way, "--user", f"{DESK}:{password}") for way in ("--digest", "--basic")}

    assert status(url) == 401
    assert (answers("old"), answers("new")) == ({200}, {401})
    passwd(lab, "--keep", given="new")
    eventually("the new password is good", lambda: answers("new") == {200})
    assert answers("old") == {200}
    passwd(lab, "--retire")
    eventually("the old password is good no more", lambda: answers("old") == {401})
    assert answers("new") == {200}
    assert "old" not in (lab.folder / "devices.htdigest").read_text()


def test_the_authorities_of_phones_are_read_again_when_they_change(lab: Lab, serve: Serve, tmp_path: Path) -> None:
    first, second = (Authority(tmp_path / name, name) for name in ("first", "second"))
    roots = tmp_path / "device_ca.pem"
    roots.write_bytes(first.certificate.read_bytes())
    url = serve(authenticate=["certificate"], device_ca=str(roots))
    phones = [ca.issue("phone", common_name=f"snomD785-{DESK.upper()}") for ca in (first, second)]

    def answer(phone: Issued) -> int:
        shown = ("--cert", str(phone.certificate), "--key", str(phone.key))
        try:
            found = curl(f"{url}{DESK}.xml", "--insecure", *shown)
        except subprocess.CalledProcessError:
            return 0  # no handshake
        assert found[0] != 200 or found[2].strip() == body(DESK).strip()
        return found[0]

    assert [answer(phone) for phone in phones] == [200, 0]
    assert status(f"{url}{DESK}.xml") == status(f"{url}{LOBBY}.xml") == 404
    roots.write_bytes(first.certificate.read_bytes() + second.certificate.read_bytes())
    eventually("the second authority's phones are let in", lambda: answer(phones[1]) == 200)
    roots.write_bytes(second.certificate.read_bytes())
    eventually("the first authority's phones are not", lambda: answer(phones[0]) == 0)
    assert "a client's certificate is not accepted source=127.0.0.1" in lab.server.stderr()


def test_a_decoy_is_an_alarm_everywhere_a_person_looks(lab: Lab, serve: Serve) -> None:
    url = serve(authenticate=["link"])
    assert not [one for one in lab.command("status")["conditions"] if one["type"] == "Alarm"]
    unknown = curl(f"{url}0004132affff.xml", "--insecure")
    decoy = curl(f"{url}{DECOY}.xml", "--insecure")
    assert (decoy[0], decoy[2]) == (unknown[0], unknown[2]) == (404, b"There is no document here.\n")
    code, headers, _ = curl(f"{url}{LOBBY}.xml", "--insecure")
    assert code == 429 and 3500 < int(headers["retry-after"]) <= 3600

    (alarm,) = [one for one in lab.command("status")["conditions"] if one["type"] == "Alarm"]
    assert (alarm["status"], alarm["reason"]) == ("True", "DecoyRequested")
    assert alarm["message"].startswith(f"127.0.0.1 asked for the decoy {DECOY} at ")
    text = lab.run("status", "--state", str(lab.server.state))
    assert text.returncode == 0 and f"asked for the decoy {DECOY}".encode() in text.stdout
    metrics = curl(f"{url.partition('/p/')[0]}/metrics", "--insecure")[2].decode()
    assert 'gitops_profile_document_misses_total{reason="decoy"} 1.0' in metrics
    assert 'gitops_profile_document_misses_total{reason="unknown"} 1.0' in metrics


def test_each_device_that_was_asked_for_in_vain_is_one_line_for_fail2ban(
    lab: Lab, serve: Serve, tmp_path: Path
) -> None:
    url = serve(authenticate=["link"], misses=2)
    asked = [status(f"{url}0004132a99{number:02x}.cfg") for number in (0, 0, 1, 1, 2, 3)]
    assert asked == [404, 404, 404, 404, 404, 429]
    lines = [line for line in lab.server.stderr().splitlines() if "document refused" in line]
    assert [re.sub(r".*document refused", "", line) for line in lines] == [
        f" source=127.0.0.1 reason=unknown banned={banned} device=0004132a99{number:02x}"
        for number, banned in ((0, "no"), (1, "no"), (2, "yes"))
    ]
    found = re.search(r"```ini\n(\[Definition\]\n.*?)```", (DOCS / "access.md").read_text(), re.DOTALL)
    assert found is not None
    filter_file, log = tmp_path / "gitops-profile.conf", tmp_path / "log"
    filter_file.write_text(found[1])
    log.write_text("\n".join(lines) + "\n")
    done = subprocess.run(
        [need("fail2ban-regex"), str(log), str(filter_file)], capture_output=True, text=True, timeout=60, check=False
    )
    assert re.search(r"^Lines: 3 lines, 0 ignored, 3 matched, 0 missed", done.stdout, re.MULTILINE), done.stdout


def test_what_is_open_to_the_world_by_its_url_wants_proof_without_a_word_in_the_settings(
    lab: Lab, serve: Serve
) -> None:
    """A reverse proxy in front of a listener on loopback."""
    url = serve()
    assert lab.command("status")["documents"]["authenticate"] == []
    assert status(f"{url}{LOBBY}.xml") == 200
    lab.server.end()
    file = lab.folder / "gitops-profile.yaml"
    settings = json.loads(file.read_text())
    settings["http"]["public_url"] = "https://prov.example.com/"
    file.write_text(json.dumps(settings))
    lab.server.start("--config", str(file))
    assert lab.command("status")["documents"]["authenticate"] == ["link"]
    assert status(f"{url}{LOBBY}.xml") == 404
    given = lab.command("link", LOBBY)["url"]
    assert given.startswith("https://prov.example.com/p/example.com/~")
    here = url.replace("/p/example.com/", given.removeprefix("https://prov.example.com"))
    assert curl(f"{here}{LOBBY}.xml", "--insecure")[2] == body(LOBBY)


def test_a_stranger_moves_no_phone_and_a_guesser_fills_no_list(lab: Lab, serve: Serve) -> None:
    passwd(lab, given="desk")
    url = serve(authenticate=["basic", "link"], credentials=str(lab.folder / "devices.htdigest"), misses=1)
    agent = ("--user-agent", "Mozilla/4.0 (compatible; snomD785-SIP 10.1.33.33 2010.12 0004132A1122)")
    assert status(f"{url}{DESK}.xml", *agent, "--user", f"{DESK}:desk") == 200
    (before,) = lab.ask("devices")
    assert before["model"] == "D785" and before["proven"]
    other = ("--user-agent", "Yealink SIP-T77U 185.87.0.10 00:04:13:2a:11:22")
    assert status(f"{url}{DESK}.xml", *other) == 401
    assert status(f"{url}{DECOY}.xml", *other) == 401
    assert {status(f"{url}0004132a99{number:02x}.xml", *other) for number in range(5)} == {429}
    after = lab.ask("devices")
    assert [(row["device"], row["model"], row["proven"]) for row in after] == [(DESK, "D785", True)]
