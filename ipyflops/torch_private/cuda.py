"""What this package uses of PyTorch's CUDA, and that PyTorch keeps private, or is slow in public.

The rules are those of the folder's ``__init__``, which hands these names on. All of this is asked
for every operator on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

_cuda: Any = torch.cuda
_BaseEvent: Any = getattr(torch._C, "_CudaEventBase", None)


def _raw_stream_in_public(device: int) -> int:
    return int(_cuda.current_stream(device).cuda_stream)


#: The pointer of a device's current stream: it takes 0.1 µs where `torch.cuda.current_stream` takes
#: over 2. Without it: that function.
raw_stream: Callable[[int], int] = getattr(
    torch._C, "_cuda_getCurrentRawStream", _raw_stream_in_public
)
_asks_for_capture: Any = getattr(torch._C, "_cuda_isCurrentStreamCapturing", None)
#: Whether a graph is being captured on the current stream. Without it, and in builds without CUDA,
#: where something else has the name: the public function, which calls it.
is_capturing: Callable[[], bool] = (
    _asks_for_capture
    if _asks_for_capture is not None and torch.backends.cuda.is_built()
    else lambda: bool(_cuda.is_current_stream_capturing())
)
#: Record an event on a stream, and ask whether the device is past it, without a Python function in
#: between. Without them: the public methods.
record_event: Callable[[Any, Any], None] = getattr(
    _BaseEvent, "record", lambda event, stream: event.record(stream)
)
is_past: Callable[[Any], bool] = getattr(_BaseEvent, "query", lambda event: bool(event.query()))


def occupy(cycles: int) -> None:
    """Keep the current stream busy for so many cycles of the device's clock.

    Without it: nothing, so that the times of short kernels are upper bounds.
    """
    sleep = getattr(_cuda, "_sleep", None)
    if sleep is not None:
        sleep(cycles)
