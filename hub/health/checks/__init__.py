"""One file a check: each defines ``CHECK``, a pure look at the facts (see ``hub.health.check``)."""
