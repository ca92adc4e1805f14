"""The sample profiles, and what a new repository takes of them."""

from importlib.resources import files
from pathlib import Path


def sample_folder() -> Path | None:
    """The sample repository: in the wheel, or beside the package in a checkout."""
    package = Path(str(files("gitops_profile")))
    for folder in (package / "_sample", package.parent / "profiles"):
        if (folder / "user").is_dir():
            return folder
    return None


def vendor_files(sample: Path) -> list[Path]:
    """The bases for each make of phone, and the template of each, inside the sample."""
    bases = sorted((sample / "bases").glob("*.yaml"))
    templates = [sample / "templates" / f"{base.stem}.{suffix}.j2" for base in bases for suffix in ("cfg", "xml")]
    return [path.relative_to(sample) for path in (*bases, *templates) if path.is_file()]
