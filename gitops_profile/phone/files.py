"""A desk phone's HTTP side: its files one after the other, with whatever shows who it is, and its log."""

import base64
import secrets
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from urllib.parse import urljoin, urlsplit

from .credentials import Password
from .http_client import ask_http
from .line import PhoneError
from .makes import Make

MAX_FILES = 32
"""Of one run: a file that names others may name itself."""
MACROS = (("$mac", "{mac}"), ("$MAU", "{MAC}"), ("$MA", "{mac}"), ("$PN", "{model}"))
"""What Planet and Fanvil, and Cisco, write in a URL for what others write with braces."""


@dataclass(frozen=True, slots=True)
class File:
    """One answer."""

    url: str
    status: int
    etag: str | None
    body: bytes


class Files:
    """Fetches what phones of a make fetch."""

    def __init__(
        self,
        make: Make,
        mac: str,
        *,
        address: str | None = None,
        context: ssl.SSLContext | None = None,
        password: Password | None = None,
    ) -> None:
        """`address` is its own; `context` is for https, and has its certificate when it has one; `password` is for a
        challenge.
        """
        self._make = make
        self._mac = mac
        self._address = address
        self._context = context
        self._password = password
        self.held: dict[str, str] = {}
        """Entity-tag by URL."""
        self._named: dict[str, list[str]] = {}

    async def run(self, url: str) -> AsyncIterator[File]:
        """Ask for its files in a folder, in its order, or for the one file that is named, and for what these name.

        Ends after MAX_FILES questions. Raises PhoneError when nobody answers.
        """
        ahead, asked = self._ahead(url), set[str]()
        while ahead and len(asked) < MAX_FILES:
            for name in ahead.pop(0):
                if name in asked:
                    break
                asked.add(name)
                answer = await self.get(name)
                yield answer
                if answer.status not in (200, 304):
                    continue
                if named := self._named_in(answer):
                    ahead = [*((one,) for one in named), *(() if self._make.is_led_by_includes else ahead)]
                break

    def _ahead(self, url: str) -> list[tuple[str, ...]]:
        for macro, place in MACROS:
            url = url.replace(macro, place)
        filled = self._make.fill(url, self._mac)
        if not filled.endswith("/"):
            return [(filled,)]
        fill = self._make.fill
        try:
            return [tuple(urljoin(filled, fill(name, self._mac)) for name in names) for names in self._make.files]
        except ValueError as error:
            raise PhoneError(f"{filled} is no URL: {error}") from error

    def _named_in(self, answer: File) -> list[str]:
        """The URLs of the files that a file names, on the same server: its credentials are for no other."""
        if self._make.includes is None or answer.status == 304:
            return self._named.get(answer.url, [])
        groups = self._make.includes.findall(answer.body.decode("utf-8", "replace"))
        names = [name.strip() for group in groups for name in group.split(",") if name.strip()]
        near = [one for name in names if (one := _near(answer.url, name)) is not None]
        self._named[answer.url] = near
        return near

    async def get(self, url: str) -> File:
        """Fetch one; raises PhoneError when nobody answers."""
        headers = self._headers()
        if self._make.is_conditional and url in self.held:
            headers["If-None-Match"] = self.held[url]
        answer = await self._send("GET", url, headers)
        if answer.status == 200 and answer.etag is not None:
            self.held[url] = answer.etag
        return answer

    async def put_log(self, url: str, text: str) -> File | None:
        """Send its log to the folder of `url`, as phones of some makes do after a boot."""
        if self._make.log is None:
            return None
        return await self._send("PUT", urljoin(url, self._make.fill(self._make.log, self._mac)), self._headers(), text)

    def _headers(self) -> dict[str, str]:
        return {"User-Agent": self._make.fill(self._make.user_agent, self._mac), **dict(self._make.headers)}

    async def _send(self, method: str, url: str, headers: dict[str, str], text: str | None = None) -> File:
        answer = await ask_http(
            method, url, authorize=partial(self._authorize, method, url), headers=headers, text=text,
            context=self._context, address=self._address,
        )  # fmt: skip
        return File(url, answer.status, answer.headers.get("ETag"), answer.body)

    def _authorize(self, method: str, url: str, challenges: list[str], target: str) -> str | None:
        if self._password is None:
            return None
        given = self._password.answer(challenges, method=method, uri=target, nc=1, cnonce=secrets.token_hex(8))
        if given is not None:
            return given
        offers_basic = any(value[:5].lower() == "basic" for value in challenges)
        if offers_basic and urlsplit(url).scheme == "https":
            shown = f"{self._password.user}:{self._password.password}".encode()
            return f"Basic {base64.b64encode(shown).decode()}"
        return None


def _near(url: str, name: str) -> str | None:
    """The URL of `name` beside `url`; None when it is no name, or one on another server."""
    try:
        found = urljoin(url, name)
        return found if urlsplit(found)[:2] == urlsplit(url)[:2] else None
    except ValueError:
        return None
