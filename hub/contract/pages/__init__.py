"""What the technician's pages read: the hub's HTTP API behind them, all of it for whoever is signed
in.  Lists come in pages: ``limit`` bounds one, ``next_cursor`` of a reply is the ``cursor`` of the
next request, and is absent at the end."""
