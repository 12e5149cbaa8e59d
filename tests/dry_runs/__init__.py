"""Dry runs. PyTorch's optimizers import its compiler, which is a million objects.

Here it comes before the tests begin: `tests/conftest.py` spares the garbage collector what is there
by then, and each dry run collects garbage.
"""

import torch._dynamo  # noqa: F401
