"""``store-hub``: one module per command group, loaded only when that group is used.

Importing this package costs click and nothing else; rich, pydantic and the hub itself are
imported inside commands.  A group's module ``hub/cli/<module>.py`` defines ``command``, a
``click.Command`` or ``click.Group``.
"""

from __future__ import annotations

from hub.cli.program import COMMANDS, Entry, main, root

__all__ = ["COMMANDS", "Entry", "main", "root"]
