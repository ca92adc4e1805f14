"""What is wrong with a setting, said in one line for whoever set it."""


class ConfigError(ValueError):
    """One line: `where: key: what is wrong (hint)`. Where is the file, the variable or the flag."""

    def __init__(self, where: str, key: str, what: str, hint: str | None = None) -> None:
        line = ": ".join(part for part in (where, key, what) if part) + (f" ({hint})" if hint else "")
        super().__init__(" ".join(line.split()))
        self.where = where
        self.key = key
        """Dotted; empty when the whole file is meant."""
