"""What `torch.cuda` and `torch.accelerator` say in a dry run with a CUDA device that is not there.

Example: ``torch.cuda.is_available()`` is True, and ``torch.cuda.memory_allocated()`` is 0. Each
name stands in a table with the function that answers. Other threads, which do no dry run, get
PyTorch's own answer (see `patches`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch

from ipyflops.dry_runs.cuda.mode import CUDA
from ipyflops.dry_runs.errors import DryRunError
from ipyflops.torch_private import PRIVATE_ANSWERS

#: The device, after NVIDIA's data sheet of the H100 with 80 GB.
NAME = "NVIDIA H100 80GB HBM3"
CAPABILITY = (9, 0)
TOTAL_MEMORY = 85_017_624_576
MULTIPROCESSORS = 132
WARP = 32
#: A release of cuDNN 9, as `torch.backends.cudnn.version` gives it.
CUDNN_VERSION = 92000
_PROPERTIES = SimpleNamespace(
    name=NAME,
    major=CAPABILITY[0],
    minor=CAPABILITY[1],
    total_memory=TOTAL_MEMORY,
    multi_processor_count=MULTIPROCESSORS,
    warp_size=WARP,
    max_threads_per_multi_processor=2048,
    regs_per_multiprocessor=65536,
    shared_memory_per_block=49152,
    shared_memory_per_block_optin=232448,
    shared_memory_per_multiprocessor=233472,
    L2_cache_size=52_428_800,
    is_integrated=0,
    is_multi_gpu_board=0,
    gcnArchName="",
    uuid="",
)


def index_of(device: Any) -> int:
    """The number of a CUDA device, which there is one of.

    Raises
    ------
    DryRunError
        If it is another one.
    """
    if isinstance(device, str):
        device = torch.device(device)
    index = device.index if isinstance(device, torch.device) else getattr(device, "idx", device)
    if index not in (None, 0, -1):
        raise DryRunError(f"a dry run has one CUDA device, cuda:0, and the code names cuda:{index}")
    return 0


def _constant(value: Any) -> Callable[..., Any]:
    return lambda *args, **kwargs: value


def _of_device(value: Any) -> Callable[..., Any]:
    """Return an answer about a device, which is checked."""

    def answer(device: Any = None, *args: Any, **kwargs: Any) -> Any:
        index_of(device)
        return value

    return answer


def _made(kind: Callable[[], Any]) -> Callable[..., Any]:
    return lambda *args, **kwargs: kind()


def _refused(*args: Any, **kwargs: Any) -> Any:
    raise DryRunError(
        "a CUDA graph records what a device runs, and in this dry run there is none. Count the "
        "code without the graph"
    )


@contextmanager
def _nothing(*args: Any, **kwargs: Any) -> Iterator[None]:
    """Stand for a block that has a device or a stream set."""
    yield


def _seed(seed: int) -> None:
    """Seed a device's random numbers, which nothing draws from."""


class Stream:
    """Stands for a stream. All work is done at once, so there is nothing to wait for."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.device = CUDA
        self.device_index = 0
        self.cuda_stream = self.stream_id = 0
        self.priority = kwargs.get("priority", 0)

    def _done(self, *args: Any, **kwargs: Any) -> None:
        """Have nothing to do."""

    wait_event = wait_stream = synchronize = _done

    def query(self) -> bool:
        """Whether all work is done."""
        return True

    def is_capturing(self) -> bool:
        """Whether a CUDA graph is made of it."""
        return False

    def record_event(self, event: Any = None) -> Any:
        """Return an event that has happened."""
        return Event() if event is None else event

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *args: object) -> None:
        pass

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream)

    def __hash__(self) -> int:
        return 0


class Event:
    """Stands for an event: it has happened, and no time has passed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.device = CUDA
        self.cuda_event = self.event_id = 0

    def _done(self, *args: Any, **kwargs: Any) -> None:
        """Have nothing to do."""

    record = wait = synchronize = _done

    def query(self) -> bool:
        """Whether it has happened."""
        return True

    def elapsed_time(self, end_event: Event) -> float:
        """Milliseconds up to another event. Nothing is computed, so none pass."""
        return 0.0


def _rng_state(*args: Any, **kwargs: Any) -> torch.Tensor:
    return torch.zeros(16, dtype=torch.uint8)


_MEMORY = (
    *("memory_allocated", "memory_reserved", "max_memory_allocated", "max_memory_reserved"),
    *("memory_cached", "max_memory_cached"),
)
_WITHOUT_EFFECT = (
    *("synchronize", "set_device", "set_stream", "empty_cache", "ipc_collect", "init"),
    *("reset_peak_memory_stats", "reset_accumulated_memory_stats"),
    *("reset_max_memory_allocated", "reset_max_memory_cached", "set_sync_debug_mode"),
    *("set_per_process_memory_fraction", "set_rng_state", "set_rng_state_all", "seed", "seed_all"),
    *("reset_peak_host_memory_stats", "reset_accumulated_host_memory_stats"),
)
#: What `torch.cuda` says.
OF_CUDA: dict[str, Any] = {
    **dict.fromkeys(_WITHOUT_EFFECT, _constant(None)),
    **dict.fromkeys(_MEMORY, _of_device(0)),
    **dict.fromkeys(("manual_seed", "manual_seed_all"), _seed),
    **dict.fromkeys(("memory_stats", "memory_stats_as_nested_dict"), _made(dict)),
    **dict.fromkeys(("host_memory_stats", "host_memory_stats_as_nested_dict"), _made(dict)),
    **dict.fromkeys(("graph", "make_graphed_callables", "graph_pool_handle"), _refused),
    **dict.fromkeys(("device", "device_of", "stream", "StreamContext"), _nothing),
    **dict.fromkeys(("current_stream", "default_stream", "Stream"), Stream),
    "CUDAGraph": _refused,
    "Event": Event,
    "is_available": _constant(True),
    "is_initialized": _constant(True),
    **{name: _constant(value) for name, value in PRIVATE_ANSWERS.items()},
    "is_bf16_supported": _constant(True),
    "is_tf32_supported": _constant(True),
    "is_current_stream_capturing": _constant(False),
    "device_count": _constant(1),
    "current_device": _constant(0),
    "get_device_name": _of_device(NAME),
    "get_device_capability": _of_device(CAPABILITY),
    "get_device_properties": _of_device(_PROPERTIES),
    "get_arch_list": _constant(["sm_80", "sm_90"]),
    "can_device_access_peer": _constant(False),
    "mem_get_info": _of_device((TOTAL_MEMORY, TOTAL_MEMORY)),
    "memory_snapshot": _made(list),
    "memory_summary": _constant("a dry run: no memory is in use"),
    "get_sync_debug_mode": _constant(0),
    "utilization": _of_device(0),
    "initial_seed": _constant(0),
    "get_rng_state": _rng_state,
    "get_rng_state_all": lambda: [_rng_state()],
}
#: What `torch.accelerator` says.
OF_ACCELERATOR: dict[str, Any] = {
    **dict.fromkeys(
        (
            *("synchronize", "set_device_index", "set_device_idx", "set_stream", "empty_cache"),
            *("reset_peak_memory_stats", "reset_accumulated_memory_stats", "empty_host_cache"),
        ),
        _constant(None),
    ),
    **dict.fromkeys(
        ("memory_allocated", "memory_reserved", "max_memory_allocated", "max_memory_reserved"),
        _of_device(0),
    ),
    "is_available": _constant(True),
    "current_accelerator": _constant(torch.device("cuda")),
    "device_count": _constant(1),
    "current_device_index": _constant(0),
    "current_device_idx": _constant(0),
    "current_stream": Stream,
    "device_index": _nothing,
    "memory_stats": _made(dict),
    "get_memory_info": _of_device((TOTAL_MEMORY, TOTAL_MEMORY)),
}
#: What `torch.backends.cudnn` says.
OF_CUDNN: dict[str, Any] = {
    "is_available": _constant(True),
    "version": _constant(CUDNN_VERSION),
}
