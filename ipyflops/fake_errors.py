"""What a dry run cannot do, said so that its reader knows what to do instead."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch._subclasses import fake_tensor

_TORCH = os.path.dirname(torch.__file__) + os.sep
_OURS = os.path.dirname(__file__) + os.sep

_INSTEAD = (
    "Take this out of the code, give the value as a plain number, or count without --fake "
    "(ipyflops.FlopCounter in a script)"
)
_VALUE = "needs the value of a tensor, and a dry run computes none"
#: What torch says itself where Python asks a fake tensor for values.
_ASKED = (
    (".numpy() is not supported for tensor subclasses", f"a NumPy array {_VALUE}"),
    ("Cannot access data pointer of Tensor", f"a pointer to the data {_VALUE}"),
    ("to FakeTensor.__format__", f"a number written with a format {_VALUE}"),
)


class DryRunError(RuntimeError):
    """Code that cannot run on fake tensors; the message says where, and what to do."""


@contextmanager
def explained(filename: str, name: str) -> Iterator[None]:
    """Raise what torch says of fake tensors as a `DryRunError` that a user can act upon.

    Parameters
    ----------
    filename, name : str
        Of the code that the user knows by another name, as ``In[5]``.
    """
    try:
        yield
    except DryRunError:
        raise
    except Exception as error:
        reason = _reason(error)
        if reason is None:
            raise
        where = _where(error, filename, name)
        raise DryRunError(f"{where}: {reason}").with_traceback(error.__traceback__) from None


def _reason(error: Exception) -> str | None:
    """Why an error is one of the dry run; None if it would come of a real run too."""
    if isinstance(error, fake_tensor.DataDependentOutputException):
        asked = {"_local_scalar_dense": ".item(), float(), bool() or an if"}
        name = _operator(error)
        return f"{asked.get(name, name)} {_VALUE}. {_INSTEAD}"
    if isinstance(error, fake_tensor.DynamicOutputShapeException):
        return (
            f"the values of a tensor say how large the result of {_operator(error)} is, and a dry "
            f"run computes none. {_INSTEAD}"
        )
    if isinstance(error, fake_tensor.UnsupportedOperatorException):
        return (
            f"PyTorch cannot tell what {error.func} gives without running it. A custom operator "
            "gets that by torch.library.register_fake"
        )
    if isinstance(error, fake_tensor.UnsupportedFakeTensorException):
        return f"PyTorch has no fake tensors for this ({error}). Count it without --fake"
    text = str(error)
    return next((f"{reason}. {_INSTEAD}" for sign, reason in _ASKED if sign in text), None)


def _operator(error: BaseException) -> str:
    func = getattr(error, "func", None)
    return str(func).removeprefix("aten.").partition(".")[0]


def _where(error: BaseException, filename: str, name: str) -> str:
    """The user's line that an error comes from, and the line of a file of theirs that it is in."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((_TORCH, _OURS))
    ]
    lines = [
        f"{name if frame.filename == filename else os.path.basename(frame.filename)}:{frame.lineno}"
        for frame in frames
    ]
    known = [line for line, frame in zip(lines, frames, strict=True) if frame.filename == filename]
    if not known:
        return lines[-1] if lines else name
    return known[-1] if frames[-1].filename == filename else f"{known[-1]} ({lines[-1]})"
