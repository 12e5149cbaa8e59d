"""What a dry run cannot do, said so that its reader knows what to do instead."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType

from ipyflops.cells.code_files import PYTORCH_FOLDER, is_the_users, readable_name
from ipyflops.torch_private import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    UnsupportedFakeTensorException,
    UnsupportedOperatorException,
)

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
    ("NestedTensorImpl doesn't support sizes", f"a nested tensor {_VALUE}"),
)
NO_DEVICE = (
    "there is no such device here, and a dry run needs PyTorch's part for it. Leave the device out "
    "to count as on the CPU"
)
#: What torch says of what has no fake form, and what to do then.
_UNSUPPORTED = (
    ("PyTorch is not linked with support for", NO_DEVICE),
    (
        "There was no fake impl registered for",
        "PyTorch cannot tell what this custom operator gives without running it. Give it a "
        "function that can, by register_fake",
    ),
    (
        "Creating a new Tensor subclass UninitializedParameter",
        "a lazy module cannot be built in a dry run. Give it its sizes (nn.Linear(64, 8), not "
        "nn.LazyLinear(8)), or build it and call it once before",
    ),
)
_DATA = os.path.join(PYTORCH_FOLDER, "utils", "data", "")
_LOADER = (
    "a DataLoader picks and collates real values, and a dry run has none. Take a batch before, "
    "as in batch = next(iter(loader)), and give that to the code"
)


class DryRunError(RuntimeError):
    """Code that cannot run on fake tensors; the message says where, and what to do."""


@dataclass(frozen=True)
class Labels:
    """What the user calls the files of their code.

    Attributes
    ----------
    filename, name : str
        Of the code that is run, as ``In[5]``.
    others : callable
        Gives what another file is called.
    """

    filename: str
    name: str
    others: Callable[[str], str] = readable_name

    def line(self, frame: TracebackType) -> str:
        """A line, as ``In[5]:3``."""
        filename = frame.tb_frame.f_code.co_filename
        label = self.name if filename == self.filename else self.others(filename)
        return f"{label}:{frame.tb_lineno}"


@contextmanager
def explained(labels: Labels) -> Iterator[None]:
    """Raise what torch says of fake tensors as a `DryRunError` that a user can act upon."""
    try:
        yield
    except Exception as error:
        reason = _reason(error)
        if reason is None:
            raise
        frames = list(_frames(error.__traceback__))
        where = _where(frames, labels)
        for frame in frames[-1:]:
            frame.tb_next = None  # what torch and we do below the user's line tells nobody anything
        raise DryRunError(f"{where}: {reason}").with_traceback(error.__traceback__) from None


def _all_frames(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _frames(trace: TracebackType | None) -> Iterator[TracebackType]:
    """The frames of a traceback that are neither torch's nor ours."""
    for one in _all_frames(trace):
        if is_the_users(one.tb_frame.f_code.co_filename):
            yield one


def _reason(error: Exception) -> str | None:
    """Why an error is one of the dry run; None if it would come of a real run too."""
    if isinstance(error, DryRunError):
        return str(error)
    reason = _torch_reason(error)
    if reason is None:
        return None
    files = (one.tb_frame.f_code.co_filename for one in _all_frames(error.__traceback__))
    return _LOADER if any(file.startswith(_DATA) for file in files) else reason


def _torch_reason(error: Exception) -> str | None:
    """What an error says that torch raised of a fake tensor; None if it says something else."""
    if isinstance(error, DataDependentOutputException):
        asked = {"_local_scalar_dense": ".item(), float(), bool() or an if"}
        name = _operator(error)
        return f"{asked.get(name, name)} {_VALUE}. {_INSTEAD}"
    if isinstance(error, DynamicOutputShapeException):
        return (
            f"the values of a tensor say how large the result of {_operator(error)} is, and a dry "
            f"run computes none. {_INSTEAD}"
        )
    if isinstance(error, UnsupportedOperatorException):
        return (
            f"PyTorch cannot tell what {error.func} gives without running it. A custom operator "
            "gets that by torch.library.register_fake"
        )
    if isinstance(error, UnsupportedFakeTensorException):
        return f"PyTorch has no fake tensors for this ({error}). Count it without --fake"
    text = str(error)
    known = [f"{reason}. {_INSTEAD}" for sign, reason in _ASKED if sign in text]
    known += [reason for sign, reason in _UNSUPPORTED if sign in text]
    return known[0] if known else None


def _operator(error: BaseException) -> str:
    func = getattr(error, "func", None)
    return str(func).removeprefix("aten.").partition(".")[0]


def _where(frames: list[TracebackType], labels: Labels) -> str:
    """The user's line that an error comes from, and the line of a file of theirs that it is in."""
    known = [one for one in frames if one.tb_frame.f_code.co_filename == labels.filename]
    if not known:
        return labels.line(frames[-1]) if frames else labels.name
    line = labels.line(known[-1])
    return line if frames[-1] is known[-1] else f"{line} ({labels.line(frames[-1])})"
