"""oms-check: does an OMS behave as the contract says?

``run_checks`` says HELLO to a scratch store ``oms-check-<random>`` and tries what the contract
promises, the refusals too.  ``python -m cloud_link.check URL --token …`` prints a table.
"""

from .runner import CheckResult, run_checks

__all__ = ["CheckResult", "run_checks"]
