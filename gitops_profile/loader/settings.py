"""profiles.yaml: what holds for the whole profile repository."""

from pydantic import BaseModel, ConfigDict, Field

CONTENT_TYPES = {
    ".xml": "text/xml",
    ".cfg": "text/plain",
    ".conf": "text/plain",
    ".txt": "text/plain",
    ".json": "application/json",
    ".url": "application/url",
    ".html": "text/html",
    ".ini": "text/plain",
}
OTHER = "application/octet-stream"


class RepositorySettings(BaseModel):
    """All keys are optional."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    content_types: dict[str, str] = Field(default_factory=dict)
    """Content type of a plain document by its extension, such as `.xml: application/xml`."""
    max_removals: int | str | None = None
    """How many profiles one revision may remove: a number, or a percentage such as "20%"."""

    def content_type(self, path: str) -> str:
        """The content type of a file by its extension."""
        name = path.rpartition("/")[2].removesuffix(".j2")
        dot = name.rfind(".")
        extension = name[dot:].lower() if dot >= 0 else ""
        return self.content_types.get(extension) or CONTENT_TYPES.get(extension, OTHER)

    def removals_allowed(self, documents: int) -> int:
        """How many of `documents` profiles one revision may remove. By default ten, or half of them if that is more."""
        limit = self.max_removals
        if limit is None:
            return max(10, documents // 2)
        if isinstance(limit, int):
            return limit
        return int(documents * float(limit.removesuffix("%")) / 100)
