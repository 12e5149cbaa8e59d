"""Several processes: each counts what it computes itself."""

import socket
from collections.abc import Callable

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.multiprocessing.spawn import spawn

from ipyflops.counting import FlopCounter
from ipyflops.report import Report

RANKS = 2
Program = Callable[[int], Report]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8))


def data_parallel(rank: int) -> Report:
    from torch.nn.parallel import DistributedDataParallel

    net = DistributedDataParallel(model())
    with FlopCounter("contractions") as counter:
        net(torch.ones(4 + rank, 8)).sum().backward()
    return counter.report


def fully_sharded(rank: int) -> Report:
    from torch.distributed.fsdp import fully_shard

    net = model()
    fully_shard(net[0])  # type: ignore[index]
    fully_shard(net)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    with FlopCounter("contractions") as counter:
        for _ in range(2):
            net(torch.ones(4, 8)).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
    return counter.report


def sharded_product(rank: int) -> Report:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Replicate, Shard, distribute_tensor

    mesh = init_device_mesh("cpu", (RANKS,))
    rows = distribute_tensor(torch.ones(6, 8), mesh, [Shard(0)])
    whole = distribute_tensor(torch.ones(8, 4), mesh, [Replicate()])
    with FlopCounter("contractions") as counter:
        result = rows @ whole
    assert torch.equal(result.full_tensor(), torch.full((6, 4), 8.0))
    return counter.report


PROGRAMS = {one.__name__: one for one in (data_parallel, fully_sharded, sharded_product)}


def work(rank: int, port: int, folder: str) -> None:
    torch.set_num_threads(1)
    store = dist.TCPStore("127.0.0.1", port, RANKS, is_master=rank == 0)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=RANKS)
    try:
        for name, program in PROGRAMS.items():
            program(rank).save(f"{folder}/{name}-{rank}.json")
    finally:
        dist.destroy_process_group()


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Report]]:
    folder = tmp_path_factory.mktemp("ranks")
    spawn(work, args=(free_port(), str(folder)), nprocs=RANKS)
    return {
        name: [Report.load(folder / f"{name}-{rank}.json") for rank in range(RANKS)]
        for name in PROGRAMS
    }


def layer(rows: int) -> int:
    return 2 * rows * 8 * 16


def test_data_parallel_counts_each_ranks_own_batch(reports: dict[str, list[Report]]) -> None:
    for rank, report in enumerate(reports["data_parallel"]):
        assert report.unknown == {}
        assert report.flops == (2 + 3) * layer(4 + rank)
        assert report.find("net.module.0").flops == 2 * layer(4 + rank)
        assert report.find("net.module.2").phases["backward"].flops == 2 * layer(4 + rank)


def test_fully_sharded_layers_count_as_the_layers_they_are(
    reports: dict[str, list[Report]],
) -> None:
    for report in reports["fully_sharded"]:
        assert report.unknown == {}
        assert report.flops == 2 * 5 * layer(4)
        assert report.find("net.0").flops == 2 * 2 * layer(4)
        assert report.find("net.2").flops == 2 * 3 * layer(4)
        standard = report.under("standard")
        # Each rank updates its half of the parameters: twice a product and a sum, and for the
        # momentum, which begins as a copy, once.
        half = (8 * 16 + 16 + 16 * 8 + 8) // 2
        assert standard.by_phase["optimizer"].flops == (2 * 2 + 2) * half


def test_a_distributed_tensor_counts_the_rows_of_this_rank(
    reports: dict[str, list[Report]],
) -> None:
    for report in reports["sharded_product"]:
        assert report.unknown == {}
        assert report.flops == 2 * 3 * 8 * 4
