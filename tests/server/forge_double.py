"""A forge on a real socket that takes commit statuses as GitHub, GitLab or Gitea document it, and refuses all else.

The facts are those of GitHub's OpenAPI description ("repos/create-commit-status") with its validation errors, of
GitLab's lib/api/commit_statuses.rb and documentation, and of Gitea's swagger (CreateStatusOption).
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import jsonschema
from aiohttp import web

TOKEN = "glpat-0123456789abcdefghij"
_TEXT = {"type": "string"}
SCHEMAS: dict[str, dict[str, Any]] = {
    "github": {
        "type": "object",
        "properties": {
            "state": {"enum": ["error", "failure", "pending", "success"]},
            "target_url": {"type": ["string", "null"], "format": "uri"},
            "description": {"type": ["string", "null"], "maxLength": 140},
            "context": {"type": "string", "maxLength": 255},
        },
        "required": ["state"],
        "additionalProperties": False,
    },
    "gitlab": {
        "type": "object",
        "properties": {
            "state": {"enum": ["pending", "running", "success", "failed", "canceled", "skipped"]},
            "ref": {"type": "string", "maxLength": 255},
            "target_url": {"type": "string", "maxLength": 255, "format": "uri"},
            "description": {"type": "string", "maxLength": 255},
            "name": {"type": "string", "maxLength": 255},
            "context": {"type": "string", "maxLength": 255},
            "coverage": {"type": "number"},
            "pipeline_id": {"type": "integer"},
        },
        "required": ["state"],
        "additionalProperties": False,
    },
    "gitea": {
        "type": "object",
        "properties": {
            # Of all versions: later ones have more.
            "state": {"enum": ["pending", "success", "error", "failure"]},
            "target_url": _TEXT, "description": _TEXT, "context": {"type": "string", "maxLength": 255},
        },
        "additionalProperties": False,
    },
}  # fmt: skip
PATHS = {
    "github": r"/repos/(?P<owner>[\w.-]+/[\w.-]+)/statuses/(?P<sha>[0-9a-f]{40})",
    "gitlab": r"/api/v4/projects/(?P<owner>[\w.-]+(?:%2F[\w.-]+)*)/statuses/(?P<sha>[0-9a-f]{40})",
    "gitea": r"/api/v1/repos/(?P<owner>[\w.-]+/[\w.-]+)/statuses/(?P<sha>[0-9a-f]{40})",
}
API = {"github": "", "gitlab": "/api/v4", "gitea": "/api/v1"}
AUTHORIZATION = {
    "github": ("Authorization", f"Bearer {TOKEN}"),
    "gitlab": ("PRIVATE-TOKEN", TOKEN),
    "gitea": ("Authorization", f"token {TOKEN}"),
}
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class ForgeDouble:
    """One forge; `problems` must be empty at the end of a test."""

    provider: str
    answers: list[Answer] = field(default_factory=list)
    """Given first, one for each request, before it behaves."""
    statuses: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    """Owner and name, commit, fields: what it took."""
    requests: int = 0
    problems: list[str] = field(default_factory=list)
    url: str = ""
    port: int = 0

    async def start(self, port: int = 0) -> None:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._receive)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self.port}{API[self.provider]}"

    async def close(self) -> None:
        await self._runner.cleanup()

    def states(self) -> list[tuple[str, str]]:
        """Commit and state, in order."""
        return [(sha, fields["state"]) for _, sha, fields in self.statuses]

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        if self.answers:
            return await self.answers.pop(0)(request)
        try:
            return self._take(request, await request.json())
        except (ValueError, jsonschema.ValidationError) as error:
            self.problems.append(str(error))
            return web.json_response({"message": "Validation Failed"}, status=422)

    def _take(self, request: web.Request, fields: dict[str, Any]) -> web.Response:
        path = re.fullmatch(PATHS[self.provider], request.raw_path)
        name, value = AUTHORIZATION[self.provider]
        if path is None or request.method != "POST" or request.content_type != "application/json":
            raise ValueError(f"{request.method} {request.raw_path} {request.content_type}")
        if request.headers.get(name) != value:
            return web.json_response({"message": "Bad credentials"}, status=401)
        if not request.headers.get("User-Agent"):
            raise ValueError("GitHub refuses a request without User-Agent")
        if self.provider == "github" and request.headers.get("Accept") != "application/vnd.github+json":
            raise ValueError(f"Accept: {request.headers.get('Accept')}")
        jsonschema.validate(fields, SCHEMAS[self.provider], format_checker=jsonschema.FormatChecker())
        told = (unquote(path["owner"]), path["sha"])
        if self.provider == "gitlab":
            # Its state machine refuses to go where it is already.
            before = [f["state"] for owner, sha, f in self.statuses if (owner, sha) == told]
            if before and before[-1] == fields["state"]:
                text = f"Cannot transition status via :enqueue from :{before[-1]}"
                return web.json_response({"message": text}, status=400)
        self.statuses.append((*told, fields))
        return web.json_response({"id": len(self.statuses), "state": fields["state"]}, status=201)


def answering(status: int, body: str = "", **headers: str) -> Answer:
    """One answer; `Retry_After="1"` is a header."""

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=status, text=body, headers={k.replace("_", "-"): v for k, v in headers.items()})

    return answer


def slow(seconds: float) -> Answer:
    """One that comes too late."""

    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(seconds)
        return web.json_response(json.loads("{}"), status=201)

    return answer
