"""Architectures, counted for real and in dry runs.

For those PyTorch's compiler comes before the tests begin: `tests/dry_runs/__init__.py` says why.
"""

import tests.dry_runs  # noqa: F401
