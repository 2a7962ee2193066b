"""What central IT may have a hub do by commands of the cloud, and how support bundles travel up.

A command's ``data`` is one of the models in ``REMOTE_COMMANDS``.  Unknown fields are refused.  What
became of it goes up as the event ``com.storehub.command.ended.v1``; a drill's outcome as
``com.storehub.drill.ended.v1``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from pydantic import Field, JsonValue

from hub.contract.base import Incoming, Outgoing

MAX_PIECE_BYTES = 64 * 1024
MAX_PIECES = 64
MAX_BUNDLE_BYTES = MAX_PIECE_BYTES * MAX_PIECES
"""4 MiB: a bundle beyond that isn't sent."""
DRILL_MIN_MINUTES = 1
DRILL_MAX_MINUTES = 60
FOR_MIN_S = 60
FOR_MAX_S = 7 * 86_400

AskedBy = Annotated[
    str,
    Field(
        max_length=64,
        pattern=r"^[A-Za-z0-9._@:/ -]*$",
        description="Who in the cloud asked: an account or a ticket. It is written into the hub's"
        " audit log.",
    ),
]


class RemoteCommand(Incoming):
    """Base of the data of commands for remote management."""

    asked_by: AskedBy = ""


class ConfigChanged(RemoteCommand):
    """``config.changed``: ``key`` has this value from now on; ``null``: the box's own again.

    ``for_s``: only for so long.  The keys that may be changed and their values are listed in
    ``docs/remote-management.md``; any other fails.  What the box's own file, environment or command
    line sets isn't changed: the command fails and says where it is set.  Of two commands for a key
    the one that was issued later is in force, in whichever order they come.
    """

    key: Annotated[str, Field(min_length=1, max_length=64)]
    value: JsonValue = None
    for_s: Annotated[int, Field(strict=True, ge=FOR_MIN_S, le=FOR_MAX_S)] | None = None


class SupportRequested(RemoteCommand):
    """``support.requested``: make a support bundle and post it in pieces (``SupportPiece``).

    At most a week old.  20 may wait; another one fails.
    """

    reason: Annotated[str, Field(max_length=200)] = ""


class DrillRequested(RemoteCommand):
    """``drill.requested``: cut the link to the cloud for so long, now.

    At most 15 minutes old.  Fails while a drill runs or within 10 minutes of the last one.
    """

    minutes: Annotated[int, Field(strict=True, ge=DRILL_MIN_MINUTES, le=DRILL_MAX_MINUTES)] = 10


REMOTE_COMMANDS: Mapping[str, type[RemoteCommand]] = MappingProxyType(
    {
        "config.changed": ConfigChanged,
        "support.requested": SupportRequested,
        "drill.requested": DrillRequested,
    }
)


class SupportPiece(Incoming):
    """``POST /support-bundles``: one piece of a bundle (a .zip), from ``index`` 0 on, in order.

    ``command_id`` is that of ``support.requested``; ``sha256`` and ``total_bytes`` are the whole
    bundle's.  ``content`` is base64 of at most 64 KiB.  A repeat of a piece changes nothing.  A
    piece 0 with another ``sha256`` begins anew: the hub was started again and made another bundle.
    A piece that isn't the next one → 409 ``conflict``: begin at 0.
    """

    command_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:\-]{0,63}$")]
    file_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    total_bytes: Annotated[int, Field(strict=True, ge=1, le=MAX_BUNDLE_BYTES)]
    index: Annotated[int, Field(strict=True, ge=0, lt=MAX_PIECES)]
    pieces: Annotated[int, Field(strict=True, ge=1, le=MAX_PIECES)]
    content: Annotated[
        str,
        Field(
            max_length=(MAX_PIECE_BYTES + 2) // 3 * 4,
            pattern=r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)$",
        ),
    ]


class SupportPieceReply(Outgoing):
    """``complete``: the whole bundle is there and kept, this one or an earlier one for the same
    command; nothing more is needed.  Else ``next_index`` is awaited."""

    complete: bool
    next_index: int = 0
    oms_incarnation: str = ""
