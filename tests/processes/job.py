"""What torchrun starts in the tests: programs of several ranks, each counted and gathered.

Called as ``job.py FOLDER PROGRAM…``; rank 0 writes ``FOLDER/PROGRAM.json``, what all ranks did
together.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from ipyflops.counting.counter import FlopCounter
from ipyflops.report import Report

#: Rows of the whole batch and widths of the network.
ROWS, WIDTH, INNER = 8, 8, 16
#: Far more than any rank needs: no test is about how fast they are.
LONG = 600.0


class Network(nn.Module):
    """A norm and two linear layers, the pattern that tensor parallelism is made for."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.norm = nn.LayerNorm(WIDTH)
        self.up = nn.Linear(WIDTH, INNER)
        self.down = nn.Linear(INNER, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.down(torch.relu(self.up(self.norm(x))))
        return result


def batch() -> tuple[Tensor, Tensor]:
    """The whole batch: inputs and targets."""
    generator = torch.Generator().manual_seed(1)
    return (
        torch.rand(ROWS, WIDTH, generator=generator),
        torch.rand(ROWS, WIDTH, generator=generator),
    )


def step(net: nn.Module, x: Tensor, y: Tensor, optimizer: torch.optim.Optimizer) -> Report:
    with FlopCounter() as counter:
        mse_loss(net(x), y, reduction="sum").backward()
        optimizer.step()
    return counter.report


def sgd(net: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(net.parameters(), lr=0.1)


def single() -> Report:
    """The same step in one process."""
    net = Network()
    return step(net, *batch(), sgd(net))


def own_rows() -> slice:
    rank, ranks = dist.get_rank(), dist.get_world_size()
    return slice(rank * ROWS // ranks, (rank + 1) * ROWS // ranks)


# --- programs ------------------------------------------------------------------------------------


def data_parallel() -> Report:
    """DDP: each rank has a part of the batch, and makes the same step."""
    from torch.nn.parallel import DistributedDataParallel

    net = DistributedDataParallel(Network())
    x, y = batch()
    return step(net, x[own_rows()], y[own_rows()], sgd(net))


def fully_sharded() -> Report:
    """FSDP2: each rank has a part of the batch and of the parameters."""
    from torch.distributed.fsdp import fully_shard

    net = Network()
    fully_shard(net.up)
    fully_shard(net)
    x, y = batch()
    return step(net, x[own_rows()], y[own_rows()], sgd(net))


def tensor_parallel() -> Report:
    """Each rank has the whole batch and a part of the linear layers; the norm is everywhere."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor.parallel import (
        ColwiseParallel,
        RowwiseParallel,
        parallelize_module,
    )

    net = Network()
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    parallelize_module(net, mesh, {"up": ColwiseParallel(), "down": RowwiseParallel()})
    x, y = batch()
    with FlopCounter() as counter:
        mse_loss(net(x), y, reduction="sum").backward()
    return counter.report


def two_dimensions() -> Report:
    """Two halves of the batch, each on two ranks that share the layers."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor.parallel import (
        ColwiseParallel,
        RowwiseParallel,
        parallelize_module,
    )

    net = Network()
    mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("data", "tensor"))
    parallelize_module(net, mesh["tensor"], {"up": ColwiseParallel(), "down": RowwiseParallel()})
    half = mesh["data"].get_local_rank() * ROWS // 2
    x, y = batch()
    with FlopCounter() as counter:
        rows = slice(half, half + ROWS // 2)
        mse_loss(net(x[rows]), y[rows], reduction="sum").backward()
    return counter.report


def pipeline() -> Report:
    """One layer on each rank, and as many micro-batches, which older releases insist on."""
    from torch.distributed.pipelining import PipelineStage, ScheduleGPipe

    rank, ranks = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(rank)
    layer = nn.Linear(WIDTH, WIDTH)
    stage = PipelineStage(layer, rank, ranks, torch.device("cpu"))
    schedule = ScheduleGPipe(
        stage, n_microbatches=ranks, loss_fn=lambda out, y: mse_loss(out, y, reduction="sum")
    )
    x, y = batch()

    def run() -> None:
        schedule.step(*([x] if rank == 0 else []), **({"target": y} if rank == ranks - 1 else {}))

    run()  # the first step also agrees on shapes
    with FlopCounter() as counter:
        run()
    return counter.report


def collectives() -> Report:
    """Each collective once, on six numbers of four bytes."""
    rank, ranks = dist.get_rank(), dist.get_world_size()
    mine, all_of_them = torch.ones(6), torch.ones(6 * ranks)
    parts = [torch.empty(6) for _ in range(ranks)]
    with FlopCounter() as counter:
        dist.all_reduce(mine)
        dist.all_gather(parts, mine)
        dist.all_gather_into_tensor(all_of_them, mine)
        dist.reduce_scatter_tensor(mine, all_of_them)
        dist.all_to_all_single(mine, torch.ones(6))
        dist.broadcast(mine, 0)
        dist.reduce(mine, 0)
        dist.gather(mine, parts if rank == 0 else None)
        dist.scatter(mine, parts if rank == 0 else None)
        if rank == 0:
            dist.send(mine, 1)
        elif rank == 1:
            dist.recv(mine, 0)
        dist.barrier()
    return counter.report


def failing() -> Report:
    """One rank's block raises, and the rank goes on."""
    with FlopCounter() as counter:
        torch.ones(2, 3) @ torch.ones(3, 4)
        if dist.get_rank() == 1:
            try:
                with counter:
                    raise ValueError("<no> such data")
            except ValueError:
                pass
    return counter.report


PROGRAMS: dict[str, Callable[[], Report]] = {
    one.__name__: one
    for one in (
        data_parallel,
        fully_sharded,
        tensor_parallel,
        two_dimensions,
        pipeline,
        collectives,
        failing,
    )
}


# --- ranks that give no report -------------------------------------------------------------------


def product() -> Report:
    with FlopCounter() as counter:
        torch.ones(2, 3) @ torch.ones(3, 4)
    return counter.report


def dies(folder: Path) -> None:
    """Rank 1 dies while the first waits for its report; torchrun then ends the first as well."""
    report = product()
    waiting = folder / "waiting"
    if dist.get_rank() == 1:
        while not waiting.exists():
            time.sleep(0.1)
        raise SystemExit("rank 1 has had enough")
    import ipyflops.processes.torchrun_gathering  # noqa: F401 - so that nothing but the waiting is left

    waiting.touch()
    gathered = report.gather(timeout=LONG)
    if gathered is not None:
        gathered.save(folder / "dies.json")


def hangs(folder: Path) -> None:
    """Rank 1 comes too late: only when the report of the others is there."""
    report = product()
    there = folder / "hangs.json"
    if dist.get_rank() == 1:
        while not there.exists():
            time.sleep(0.05)
    gathered = report.gather(timeout=0.5)
    if gathered is not None:
        gathered.save(there)
    dist.barrier()
    # The late report is not taken for one of the next.
    again = report.gather(timeout=LONG)
    if again is not None:
        again.save(folder / "again.json")


def subgroup(folder: Path) -> None:
    """The two ranks of a group gather by themselves."""
    group = dist.new_group([1, 3])
    report = product()
    if dist.get_rank() not in (1, 3):
        refused = ""
        try:
            report.gather(group)
        except RuntimeError as error:
            refused = str(error)
        assert "not of the group" in refused
        return
    gathered = report.gather(group, timeout=LONG)
    assert (gathered is not None) == (dist.get_rank() == 1)
    if gathered is not None:
        gathered.save(folder / "subgroup.json")


WITHOUT = {one.__name__: one for one in (dies, hangs, subgroup)}


def main(folder: Path, names: list[str]) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    for name in names:
        if name in WITHOUT:
            WITHOUT[name](folder)
            continue
        report = PROGRAMS[name]().gather(timeout=LONG)
        assert (report is not None) == (dist.get_rank() == 0)
        if report is not None:
            report.save(folder / f"{name}.json")
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
