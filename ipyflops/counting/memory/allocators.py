"""What PyTorch's own allocators say of their peak, to set beside that of the tensors.

CUDA's allocator keeps the largest number of bytes it has given out. That may have been before the
block, and setting it back would change what the user's own code reads. So it tells something only
where the number has grown in the block.
"""

from __future__ import annotations

import torch


class Allocators:
    """The peaks of the allocators of CUDA devices.

    Asking would make CUDA begin, which takes memory itself, so that nothing is asked before it has.
    """

    def __init__(self) -> None:
        self._before: dict[str, int] = {}
        self._after: dict[str, int] = {}

    def begin(self) -> None:
        """Note the peaks that were there before the block."""
        self._before = _peaks()
        self._after = {}

    def end(self) -> None:
        """Note the peaks at the end of the block; may be called twice."""
        if not self._after:
            self._after = _peaks()

    def peak(self, device: str) -> int | None:
        """Return the peak of a device's allocator, if it was in the block."""
        after = (self._after or _peaks()).get(device)
        return after if after is not None and after > self._before.get(device, 0) else None


def _peaks() -> dict[str, int]:
    if not torch.cuda.is_initialized():
        return {}
    return {
        f"cuda:{index}": torch.cuda.max_memory_allocated(index)
        for index in range(torch.cuda.device_count())
    }
