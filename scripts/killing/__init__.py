"""kill -9 of a whole shop under load: the hub, its broker and the cloud, hundreds of times each.

``plan`` says who dies when, ``floor`` and ``till`` keep the shop selling, ``books`` is what the
tills were told, ``killer`` strikes and starts again what systemd would, ``verdict`` compares the
books with both databases, ``control`` shows that the verdict can see a fault.  ``thingsboard``
does the same to another gateway's storage.
"""
