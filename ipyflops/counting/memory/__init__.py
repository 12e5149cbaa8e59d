"""What holds memory, and when does it hold the most?

`MemoryTracker` follows the storages that the operators of a count make and touch, by weak
references alone. The words:

storage
    The memory behind tensors; views share one.
record (`StorageRecord`)
    What is kept of a storage as long as it lives, or if it was live at the peak.
spot (`Spot`)
    What one location did to the memory of one device.
live
    The bytes of all storages that have not been freed.
"""

from __future__ import annotations

from ipyflops.counting.memory.results import NOTE as MEMORY_NOTE
from ipyflops.counting.memory.results import MemoryResult
from ipyflops.counting.memory.tracker import MemoryTracker

__all__ = ["MEMORY_NOTE", "MemoryResult", "MemoryTracker"]
