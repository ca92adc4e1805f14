"""The settings of what is heard from a forge and told to it: webhooks and commit statuses."""

import re
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from .section import Section
from .values import is_this_machine

_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_TAKEN = ("/healthz", "/metrics", "/profile", "/p")


class WebhookSettings(Section):
    """Being told by GitHub, GitLab, Gitea or anything else that the ref has moved; on the http listener."""

    path: str = Field(default="/hooks/git", description="where on the http listener")
    secret_file: Path | None = Field(
        default=None, description="file with one secret a line, read again when it changes; null: no webhook"
    )

    @field_validator("path")
    @classmethod
    def _is_a_free_path(cls, path: str) -> str:
        if not _PATH.fullmatch(path) or "/." in path:
            raise ValueError(f"{path!r} is no plain path such as /hooks/git")
        if any(path == taken or path.startswith(f"{taken}/") for taken in _TAKEN):
            raise ValueError(f"{path} is taken")
        return path


class CommitStatusSettings(Section):
    """Telling the forge what became of each commit."""

    provider: Literal["github", "gitlab", "gitea"] | None = Field(
        default=None, description="github, gitlab or gitea (Forgejo too); null: nobody is told"
    )
    token_file: Path | None = Field(default=None, description="file with the API token, read for each request")
    url: str | None = Field(
        default=None, description="the API, such as https://git.example.com/api/v4; null: made from repository.url"
    )
    repository: str | None = Field(
        default=None, description="owner/name, or GitLab's project number; null: read from repository.url"
    )
    context: str = Field(
        default="gitops-profile", min_length=1, max_length=100, description="the name under which it is shown"
    )
    target_url: str | None = Field(default=None, max_length=255, description="a page that the status links to")

    @field_validator("url")
    @classmethod
    def _is_https(cls, url: str | None) -> str | None:
        """The token travels there."""
        if url is None:
            return None
        parts = urlsplit(url)
        more = parts.query or parts.fragment or parts.username
        if parts.scheme not in ("http", "https") or not parts.hostname or more:
            raise ValueError("must be a plain URL such as https://git.example.com/api/v4")
        if parts.scheme == "http" and not is_this_machine(parts.hostname):
            raise ValueError("must begin with https: the token goes there (http only to this machine)")
        return url.rstrip("/")

    @field_validator("repository")
    @classmethod
    def _is_a_name(cls, repository: str | None) -> str | None:
        if repository is not None and not re.fullmatch(r"[0-9]+|[\w.~-]+(/[\w.~-]+)+", repository):
            raise ValueError(f"{repository!r} is not owner/name")
        return repository

    @field_validator("target_url")
    @classmethod
    def _is_a_link(cls, url: str | None) -> str | None:
        if url is not None and not re.fullmatch(r"https?://[!-~]+", url):
            raise ValueError(f"{url!r} is no URL")
        return url

    @model_validator(mode="after")
    def _has_a_token(self) -> Self:
        if self.provider is not None and self.token_file is None:
            raise ValueError("provider needs token_file: the file with the token of the forge's API")
        return self
