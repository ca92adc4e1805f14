"""What the repository in force says of file names and decoys, ready for use: made again only when it says otherwise."""

import logging

from gitops_profile.devices import FileRoutes, InvalidFileRule
from gitops_profile.presentity import NO_RULES, PresentityTable

logger = logging.getLogger(__name__)


class RulesInForce:
    """Follows the table."""

    def __init__(self, table: PresentityTable) -> None:
        self._table = table
        self._rules = NO_RULES
        self._routes = FileRoutes()
        self._decoys: frozenset[str] = frozenset()

    def routes(self) -> FileRoutes:
        """Which profile a file name is about."""
        self._follow()
        return self._routes

    def decoys(self) -> frozenset[str]:
        """MACs that nobody has a reason to ask for."""
        self._follow()
        return self._decoys

    def _follow(self) -> None:
        rules = self._table.rules
        if rules is self._rules:
            return
        self._rules, self._decoys = rules, frozenset(rules.decoys)
        try:
            self._routes = FileRoutes(rules.files)
        except InvalidFileRule as error:  # of a log that another version wrote
            logger.warning("files of profiles.yaml are left out: %s", error)
            self._routes = FileRoutes()
