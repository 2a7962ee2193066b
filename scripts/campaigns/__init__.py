"""Every kind of proof, for as long as somebody has time: ``./scripts/campaign --help``."""
