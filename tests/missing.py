"""What a release of PyTorch lacks is no failure: a test that asks for it is skipped, and says so.

Example: a test calls ``torch.ops.aten._grouped_mm``, which PyTorch 2.6 does not have. PyTorch
raises an `AttributeError`, and the test is skipped with its name. It is skipped only if the test
itself asked: where the package asks, the package is at fault. With the release that the repository
is developed with nothing is skipped.
"""

from __future__ import annotations

import re
from pathlib import Path
from types import TracebackType

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

TESTS = Path(__file__).parent
_MAKEFILE = (TESTS.parent / "Makefile").read_text(encoding="utf-8")
#: Whether this is another PyTorch than that of development.
IS_OTHER = torch.__version__.partition("+")[0] not in re.findall(
    r"^TORCH := (.*)$", _MAKEFILE, re.M
)
#: This release, as (2, 13).
RELEASE = tuple(int(part) for part in torch.__version__.split(".")[:2])
#: How PyTorch and Python say that something is not there.
_SAID = re.compile(
    r"'_OpNamespace' '(?P<namespace>\w+)' object has no attribute '(?P<operator>\w+)'"
    r"|The underlying op of '(?P<packet>[\w.]+)' has no overload name '(?P<overload>\w+)'"
    r"|module '(?P<module>torch[\w.]*)' has no attribute '(?P<name>\w+)'"
)


def lacks(error: BaseException) -> str:
    """Give the name of what PyTorch lacks, if a test has asked for it; else nothing."""
    said = _SAID.match(str(error)) if isinstance(error, AttributeError) else None
    if said is None or not IS_OTHER or not _asked_by_a_test(error.__traceback__):
        return ""
    return ".".join(filter(None, said.groups())).replace("::", ".")


def needs(there: object, what: str) -> None:
    """Skip a test where another PyTorch lacks something; with that of development it must be."""
    if not there:
        assert IS_OTHER, f"PyTorch lacks {what}"
        pytest.skip(f"PyTorch {torch.__version__} lacks {what}")


def _asked_by_a_test(traceback: TracebackType | None) -> bool:
    """Whether the innermost frame that is not PyTorch's is one of the tests."""
    folder = Path(torch.__file__).parent
    files = []
    while traceback is not None:
        files.append(Path(traceback.tb_frame.f_code.co_filename))
        traceback = traceback.tb_next
    others = [file for file in files if folder not in file.parents]
    return bool(others) and TESTS in others[-1].parents


#: Before PyTorch 2.11 the compiler makes the gradients of these operators, and not under a mode.
functions_have_gradients = pytest.mark.skipif(
    not hasattr(TorchDispatchMode, "supports_higher_order_operators"),
    reason="this PyTorch has no gradients of operators that take functions under a mode",
)
#: In PyTorch 2.6 ``map`` and ``associative_scan`` are prototypes, which run their functions more
#: often than once for an item.
once_for_an_item = pytest.mark.skipif(
    "map" not in torch._higher_order_ops.__all__, reason="a prototype in this PyTorch"
)


#: PyTorch 2.11 crashes where other threads compile what random programs do, uncounted as well.
compiles_in_threads = pytest.mark.skipif(
    RELEASE == (2, 11), reason="PyTorch 2.11 crashes where threads compile, without a counter too"
)


def needs_float8() -> None:
    """Skip a test where PyTorch multiplies float8 matrices on GPUs only, as PyTorch 2.6 does."""
    kernel = torch._C._dispatch_has_kernel_for_dispatch_key("aten::_scaled_mm", "CPU")
    needs(kernel, "float8 products on the CPU")
