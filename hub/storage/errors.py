"""What can go wrong with the database; each message names the next step."""

from __future__ import annotations


class StorageError(Exception):
    """Base of all storage errors."""


class DatabaseRefused(StorageError):
    """The database can't be used; the hub doesn't start."""


class NewerDatabase(DatabaseRefused):
    """It was written by a newer version."""


class DamagedDatabase(DatabaseRefused):
    """It fails its integrity check or its schema isn't the expected one."""


class DiskFails(DatabaseRefused):
    """The disk failed while it was opened; nothing says that the database is damaged."""


class ForeignDatabase(DatabaseRefused):
    """The file is a database, but not a Store Hub's."""


class QueueFull(StorageError):
    """The writer's queue is at its bound; nothing was taken in."""


class NotStored(StorageError):
    """The batch failed as a whole and nothing of it is stored; a repeat is safe."""


class StorageFull(NotStored):
    """The disk is full; nothing of it is stored."""


class ReadFailed(StorageError):
    """The disk failed at a read; ask again."""


class OutcomeUnknown(StorageError):
    """COMMIT reported an I/O error: it may be stored or not. Repeat with the same key later."""


class WriterStopped(StorageError):
    """The writer has ended; nothing is taken in any more."""
