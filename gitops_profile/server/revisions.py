"""The HTTP answers about revisions, when the settings name a token for whoever may ask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gitops_profile.config import Config
from gitops_profile.transport import ListenError

if TYPE_CHECKING:
    from gitops_profile.http import Handler, RevisionAnswers


def revision_answers(config: Config, handlers: Mapping[str, Handler]) -> RevisionAnswers | None:
    """What answers `/revisions/COMMIT` as the admin socket answers `wait`; None without a token file.

    Raises ListenError when the token cannot be read: a workflow that waits in vain is noticed too late.
    """
    file = config.http.token_file
    if file is None:
        return None
    from gitops_profile.http import RevisionAnswers, read_token  # with aiohttp

    try:
        read_token(file)
    except OSError as error:
        raise ListenError(f"http.token_file {file}: {error.strerror}; openssl rand -hex 32 makes a token") from error
    except ValueError as error:
        raise ListenError(f"http.token_file: {error}") from error
    return RevisionAnswers(file, handlers["wait"])
