"""Errors of dry runs: what cannot run on fake tensors, on which line, and what to do instead."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import TypeVar

from ipyflops.cells import PYTORCH_FOLDER, is_the_users, readable_name
from ipyflops.torch_private import (
    FAKE_TENSOR_FILES,
    DataDependentOutputException,
    DynamicOutputShapeException,
    UnsupportedFakeTensorException,
    UnsupportedOperatorException,
)

INSTEAD = (
    "Take this out of the code, give the value as a plain number, or count without --fake "
    "(ipyflops.FlopCounter in a script)"
)
KEEPABLE = "Where it is only kept or printed, tensor.item() will do. "
NEEDS_VALUE = "needs the value of a tensor, and a dry run computes none"
#: Parts of torch's messages where Python asks a fake tensor for values, and what needs them.
_VALUE_ERRORS = (
    (".numpy() is not supported for tensor subclasses", f"a NumPy array {NEEDS_VALUE}"),
    ("Cannot access data pointer of Tensor", f"a pointer to the data {NEEDS_VALUE}"),
    ("to FakeTensor.__format__", f"a number written with a format {NEEDS_VALUE}"),
    *(
        (f"Object of type {kind} is not JSON", f"a number written as JSON {NEEDS_VALUE}")
        for kind in ("float", "int", "bool")
    ),
    ("StandIn", f"what is done here with a number read from a tensor {NEEDS_VALUE}"),
    ("NestedTensorImpl doesn't support sizes", f"a nested tensor {NEEDS_VALUE}"),
)
NO_DEVICE = (
    "there is no such device here, and a dry run needs PyTorch's part for it. Leave the device out "
    "to count as on the CPU"
)
#: Parts of torch's messages about what has no fake form, and what to do then.
_UNSUPPORTED = (
    ("PyTorch is not linked with support for", NO_DEVICE),
    # Builds with CUDA, on a machine without a GPU: PyTorch 2.6 and 2.8 ask the driver.
    ("CUDA driver version is insufficient", NO_DEVICE),
    ("Found no NVIDIA driver", NO_DEVICE),
    (
        "_share_fd_: only available on CPU",
        "memory is shared with other processes here, and fake tensors have none. Share it before",
    ),
    (
        "There was no fake impl registered for",
        (
            "PyTorch cannot tell what this custom operator gives without running it. Give it a "
            "function that can, by register_fake"
        ),
    ),
    (
        "Creating a new Tensor subclass UninitializedParameter",
        (
            "a lazy module cannot be built in a dry run. Give it its sizes (nn.Linear(64, 8), not "
            "nn.LazyLinear(8)), or build it and call it once before"
        ),
    ),
)
#: Names of PyTorch's code for fake tensors, and of ours: no program asked for an error about them.
_OWN_NAMES = re.compile(
    r"Fake ?Tensor|fake tensor|fake mode|DryRunMode|shape_env|HigherOrderOperator"
)
_TORCH_DATA = os.path.join(PYTORCH_FOLDER, "utils", "data", "")
_DATA_LOADER = (
    "a DataLoader picks and collates real values, and a dry run has none. Take a batch before, "
    "as in batch = next(iter(loader)), and give that to the code"
)


class DryRunError(RuntimeError):
    """Code that cannot run on fake tensors; the message says where, and what to do."""


@dataclass(frozen=True)
class FileLabels:
    """What the user calls the files of their code.

    Attributes
    ----------
    filename, name : str
        Of the code that is run, such as ``In[5]``.
    others : callable
        Gives what the user calls another file.
    """

    filename: str
    name: str
    others: Callable[[str], str] = readable_name

    def line(self, frame: TracebackType) -> str:
        """What the user calls the line of a frame, such as ``In[5]:3``."""
        filename = frame.tb_frame.f_code.co_filename
        label = self.name if filename == self.filename else self.others(filename)
        return f"{label}:{frame.tb_lineno}"


@contextmanager
def errors_explained(labels: FileLabels) -> Iterator[None]:
    """Raise torch's errors about fake tensors as a `DryRunError` that says what to do."""
    try:
        yield
    except Exception as error:
        reason = _reason(error)
        if reason is None:
            raise
        frames = list(_frames(error.__traceback__))
        place = _user_line(frames, labels)
        for frame in frames[-1:]:
            frame.tb_next = (
                None  # frames of torch and of ipyflops below the user's line say nothing
            )
        raise DryRunError(f"{place}: {reason}").with_traceback(error.__traceback__) from None


def _all_frames(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _frames(trace: TracebackType | None) -> Iterator[TracebackType]:
    """The frames of a traceback that belong neither to torch nor to ipyflops."""
    for frame in _all_frames(trace):
        if is_the_users(frame.tb_frame.f_code.co_filename):
            yield frame


def _reason(error: Exception) -> str | None:
    """Why the dry run is the cause of an error; None if a real run would raise it too."""
    if isinstance(error, DryRunError):
        return str(error)
    reason = _torch_reason(error)
    if reason is None:
        return None
    files = (frame.tb_frame.f_code.co_filename for frame in _all_frames(error.__traceback__))
    return _DATA_LOADER if any(file.startswith(_TORCH_DATA) for file in files) else reason


def _torch_reason(error: Exception) -> str | None:
    """Explain an error that torch raises about a fake tensor; None for other errors."""
    if isinstance(error, DataDependentOutputException):
        python_names = {"_local_scalar_dense": "float(), int(), bool() or an if"}
        name = _operator(error)
        instead = KEEPABLE + INSTEAD if name in python_names else INSTEAD
        return f"{python_names.get(name, name)} {NEEDS_VALUE}. {instead}"
    if isinstance(error, DynamicOutputShapeException):
        return (
            f"the values of a tensor say how large the result of {_operator(error)} is, and a dry "
            f"run computes none. {INSTEAD}"
        )
    if isinstance(error, UnsupportedOperatorException):
        return (
            f"PyTorch cannot tell what {error.func} gives without running it. A custom operator "
            "gets that by torch.library.register_fake"
        )
    if isinstance(error, UnsupportedFakeTensorException):
        return f"PyTorch has no fake tensors for this ({error}). Count it without --fake"
    text = str(error)
    reasons = [f"{reason}. {INSTEAD}" for part, reason in _VALUE_ERRORS if part in text]
    reasons += [reason for part, reason in _UNSUPPORTED if part in text]
    if reasons:
        return reasons[0]
    if isinstance(error, Warning):
        return None
    if _OWN_NAMES.search(text) or _is_own_failure(error):
        said = next(iter(text.splitlines()), "")
        return (
            f"PyTorch fails on fake tensors here, where it may run on real ones "
            f"({type(error).__name__}: {said:.200}). {INSTEAD}"
        )
    return None


def _is_own_failure(error: Exception) -> bool:
    """Whether an error comes from PyTorch's code for fake tensors, and not of what it was given.

    What a program gets wrong, as a shape that does not fit, is a RuntimeError or one of the others
    that a real run raises too.
    """
    if isinstance(error, (RuntimeError, ValueError, IndexError, TypeError)):
        return False
    files = [frame.tb_frame.f_code.co_filename for frame in _all_frames(error.__traceback__)]
    return bool(files) and files[-1].startswith(FAKE_TENSOR_FILES)


def _operator(error: BaseException) -> str:
    func = getattr(error, "func", None)
    return str(func).removeprefix("aten.").partition(".")[0]


def _user_line(frames: list[TracebackType], labels: FileLabels) -> str:
    """The line of the user's code that an error comes from.

    If that line calls into another file of the user's, the line of that file follows in brackets.
    """
    own = [one for one in frames if one.tb_frame.f_code.co_filename == labels.filename]
    if not own:
        return labels.line(frames[-1]) if frames else labels.name
    line = labels.line(own[-1])
    return line if frames[-1] is own[-1] else f"{line} ({labels.line(frames[-1])})"


Result = TypeVar("Result")


def without_warning_as_error(function: Callable[..., Result], /, *args: object) -> Result:
    """Call a function that may warn, also where the user has made errors of warnings.

    The filters of warnings are those of all threads. So they are touched only for such an error.
    """
    try:
        return function(*args)
    except Warning:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*args)
