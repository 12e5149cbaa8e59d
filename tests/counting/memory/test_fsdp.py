"""FSDP2, whose whole parameters come and go: by hand, and against every storage's own size.

The process group is PyTorch's fake one: it moves nothing, and all that FSDP allocates is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from ipyflops import FlopCounter
from ipyflops.report import DeviceMemory
from tests.counting.memory.brute_force import BruteForce
from tests.missing import RELEASE

fsdp = pytest.importorskip("torch.distributed.fsdp")
fake_pg = pytest.importorskip("torch.testing._internal.distributed.fake_pg")
pytestmark = pytest.mark.skipif(
    not hasattr(fsdp, "fully_shard"), reason="this PyTorch has no FSDP2"
)

#: Two processes; layers of WIDTH × WIDTH numbers in float32; ROWS rows.
PROCESSES, LAYERS, WIDTH, ROWS = 2, 4, 64, 2
WHOLE, VALUES = 4 * WIDTH * WIDTH, 4 * ROWS * WIDTH


#: Beside what is whole: a layer's buffer and that of the layer before, its input and its output.
#: PyTorch 2.15 lets the buffer of the layer before go; then the first input is there as well.
BUFFERS = 2 * WHOLE + 2 * VALUES if RELEASE < (2, 15) else WHOLE + 3 * VALUES


@pytest.fixture
def processes() -> Iterator[None]:
    dist.init_process_group("fake", store=fake_pg.FakeStore(), rank=0, world_size=PROCESSES)
    yield
    dist.destroy_process_group()


def sharded(reshard: bool) -> tuple[nn.Module, Tensor, list[Tensor]]:
    """A chain of layers, each sharded by itself; its input; and all that is there."""
    model = nn.Sequential(*(nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(LAYERS)))
    mesh = dist.device_mesh.init_device_mesh("cpu", (PROCESSES,))
    for layer in model:
        fsdp.fully_shard(layer, mesh=mesh, reshard_after_forward=reshard)
    fsdp.fully_shard(model, mesh=mesh, reshard_after_forward=reshard)
    x = torch.randn(ROWS, WIDTH)
    shards = [parameter.to_local() for parameter in model.parameters()]  # type: ignore[operator]
    return model, x, [x, *shards]


def counted(run: Callable[[], object]) -> DeviceMemory:
    with FlopCounter(memory=True, device_time=False) as counter:
        run()
    memory = counter.report.memory
    assert memory is not None
    return memory.device


def forward(model: nn.Module, x: Tensor) -> Callable[[], None]:
    def run() -> None:
        with torch.no_grad():
            model(x)

    return run


@pytest.mark.parametrize("again", [False, True])
def test_a_forward_gathers_one_layer_at_a_time(processes: None, again: bool) -> None:
    """A shard of each, one layer whole, and buffers."""
    model, x, _ = sharded(reshard=True)
    if again:
        forward(model, x)()
    device = counted(forward(model, x))
    shards = LAYERS * WHOLE // PROCESSES
    assert device.peak == shards + WHOLE + BUFFERS
    assert device.at_peak["parameters"] == shards + WHOLE
    # Afterwards each is a shard again.
    assert device.curve[-1].bytes == shards + VALUES


def test_without_reshard_all_stay_whole(processes: None) -> None:
    model, x, _ = sharded(reshard=False)
    device = counted(forward(model, x))
    shards = LAYERS * WHOLE // PROCESSES
    assert device.peak == shards + LAYERS * WHOLE + BUFFERS
    assert device.curve[-1].bytes == shards + LAYERS * WHOLE + VALUES


@pytest.mark.parametrize("reshard", [False, True])
def test_a_step_peaks_as_every_storage_says(processes: None, reshard: bool) -> None:
    def steps() -> tuple[Callable[[], None], list[Tensor]]:
        model, x, existing = sharded(reshard)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)

        def run() -> None:
            for _ in range(2):
                model(x).sum().backward()
                optimizer.step()
                optimizer.zero_grad()

        return run, existing

    run, existing = steps()
    with BruteForce(existing) as oracle:
        run()
    run, _ = steps()
    assert counted(run).peak == oracle.peaks["cpu"]
