"""A box that dies while it sells, replaced from its replica: what is lost, how long it takes."""
