"""A local stand-in for GitHub's REST API: pull requests, artifacts and comments of one repository.

It refuses what GitHub would refuse: no token, a path or method it does not document, a body that is no JSON object with
a string `body` of at most 65 536 characters.
"""

import io
import json
import re
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "ghs_token"
BOT = "github-actions[bot]"
MAX_BODY = 65_536


class GitHub:
    """The state of one repository."""

    def __init__(self) -> None:
        self.pulls: list[dict[str, Any]] = []
        self.comments: dict[int, list[dict[str, Any]]] = {}
        self.artifacts: dict[int, dict[str, bytes]] = {}
        """Files of the artifact profile-plan, by run."""
        self.requests: list[str] = []
        self.refused: list[str] = []
        self.url = ""

    def pull(self, number: int, owner: str, branch: str, sha: str) -> None:
        self.pulls.append({"number": number, "head": {"label": f"{owner}:{branch}", "sha": sha}})
        self.comments.setdefault(number, [])

    def comment(self, number: int, login: str, body: str) -> dict[str, Any]:
        made = {"id": 1000 + sum(map(len, self.comments.values())), "user": {"login": login}, "body": body}
        self.comments[number].append(made)
        return made

    # -- what is asked -------------------------------------------------------------------------------------------

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, bytes]:
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        for wanted, pattern, handler in (
            ("GET", r"/pulls", self._pulls),
            ("GET", r"/actions/runs/(\d+)/artifacts", self._artifacts),
            ("GET", r"/actions/artifacts/(\d+)/zip", self._zip),
            ("GET", r"/issues/(\d+)/comments", self._comments),
            ("POST", r"/issues/(\d+)/comments", self._create),
            ("PATCH", r"/issues/comments/(\d+)", self._update),
        ):
            found = re.fullmatch(f"/repos/owner/repo{pattern}", parts.path)
            if found is not None and method == wanted:
                status, data = handler(*map(int, found.groups()), query=query, body=body)
                return status, data if isinstance(data, bytes) else json.dumps(data).encode()
        self.refused.append(f"{method} {target}")
        return 404, b"{}"

    def _pulls(self, *, query: dict[str, str], body: bytes) -> tuple[int, Any]:
        return 200, [pull for pull in self.pulls if pull["head"]["label"] == query["head"] and query["state"] == "open"]

    def _artifacts(self, run: int, *, query: dict[str, str], body: bytes) -> tuple[int, Any]:
        there = run in self.artifacts and query["name"] == "profile-plan"
        return 200, {"total_count": int(there), "artifacts": [{"id": run, "expired": False}] if there else []}

    def _zip(self, run: int, *, query: dict[str, str], body: bytes) -> tuple[int, Any]:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name, data in self.artifacts[run].items():
                archive.writestr(name, data)
        return 200, packed.getvalue()

    def _comments(self, number: int, *, query: dict[str, str], body: bytes) -> tuple[int, Any]:
        size, page = int(query["per_page"]), int(query["page"])
        assert size <= 100
        return 200, self.comments[number][size * (page - 1) : size * page]

    def _create(self, number: int, *, query: dict[str, str], body: bytes) -> tuple[int, Any]:
        text = self._text(body)
        return (422, {}) if text is None else (201, self.comment(number, BOT, text))

    def _update(self, number: int, *, query: dict[str, str], body: bytes) -> tuple[int, Any]:
        text = self._text(body)
        found = next((c for comments in self.comments.values() for c in comments if c["id"] == number), None)
        if text is None or found is None:
            return 422, {}
        found["body"] = text
        return 200, found

    def _text(self, body: bytes) -> str | None:
        data = json.loads(body)
        well = set(data) == {"body"} and isinstance(data["body"], str) and 0 < len(data["body"]) <= MAX_BODY
        if not well:
            self.refused.append(f"a body of {len(body)} bytes")
        return data["body"] if well else None


@contextmanager
def serving(github: GitHub) -> Iterator[GitHub]:
    """On a port of the loopback interface, as `github.url`."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            github.requests.append(f"{self.command} {urlsplit(self.path).path}")
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                status, data = 401, b"{}"
            else:
                status, data = github.answer(self.command, self.path, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _answer

        def log_message(self, format: str, *arguments: Any) -> None:
            """Nothing: what was asked is in `requests`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    github.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield github
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
