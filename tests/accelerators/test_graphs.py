"""CUDA graphs: captures work under a count, replays are counted, and nothing is silently zero."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn

from ipyflops import FlopCounter, Report
from ipyflops.counting.graphs import GRAPHS

pytestmark = [
    pytest.mark.usefixtures("cuda"),
    # PyTorch's own, of warming up on another stream.
    pytest.mark.filterwarnings("ignore:The AccumulateGrad node's stream:UserWarning"),
]

#: A product of a 16×64 by a 64×64 matrix.
PRODUCT = 2 * 16 * 64 * 64


@pytest.fixture(autouse=True)
def no_graphs() -> Iterator[None]:
    yield
    GRAPHS.clear()


def warm(run: Callable[[], object]) -> None:
    """Run something on a stream of its own, as PyTorch asks before a capture."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        run()
    torch.cuda.current_stream().wait_stream(side)


def capture(run: Callable[[], object]) -> torch.cuda.CUDAGraph:
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(64, 64, bias=False), nn.Linear(64, 64, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x).relu())  # type: ignore[no-any-return]


@pytest.fixture
def model(cuda: torch.device) -> Model:
    return Model().to(cuda)


@pytest.fixture
def x(cuda: torch.device) -> torch.Tensor:
    return torch.randn(16, 64, device=cuda)


# --- replays -------------------------------------------------------------------------------------


def seconds(report: Report) -> float:
    """Without `fill_`: PyTorch 2.11 sets the state of random numbers before it captures."""
    return sum(one.seconds for name, one in report.by_operator.items() if name != "aten::fill_")


def test_a_capture_runs_nothing_and_says_so(model: Model, x: torch.Tensor) -> None:
    warm(lambda: model(x))
    with FlopCounter("contractions") as counter, torch.no_grad():
        capture(lambda: model(x))
    assert counter.report.flops == seconds(counter.report) == 0
    (note,) = counter.report.notes
    assert note.startswith("3 operators captured in a CUDA graph: that runs nothing")


def test_ten_replays_count_where_their_operators_were_captured(
    model: Model, x: torch.Tensor
) -> None:
    warm(lambda: model(x))
    with FlopCounter("contractions") as counter, torch.no_grad():
        graph = capture(lambda: model(x))
        for _ in range(10):
            graph.replay()
    report = counter.report
    assert report.flops == 10 * 2 * PRODUCT
    assert report.find("model.first").flops == report.find("model.second").flops == 10 * PRODUCT
    assert report.by_operator["aten::mm"].calls == 20
    assert report.by_operator["cuda_graph::replay"].calls == 10
    assert report.by_operator["cuda_graph::replay"].seconds == seconds(report) > 0
    assert report.by_phase["forward"].flops == report.flops
    assert report.device == "cuda:0"
    assert not report.unknown
    assert report.notes[0].startswith("10 replays of CUDA graphs")


def test_ten_replays_in_a_later_cell_count_where_they_run(model: Model, x: torch.Tensor) -> None:
    warm(lambda: model(x))
    with FlopCounter(), torch.no_grad():
        graph = capture(lambda: model(x))
    with FlopCounter("contractions") as counter:
        for _ in range(10):
            graph.replay()
    assert counter.report.flops == 10 * 2 * PRODUCT
    assert not counter.report.unknown


def test_a_step_in_one_graph_keeps_its_phases(model: Model, x: torch.Tensor) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        model(x).sum().backward()
        optimizer.step()

    warm(step)
    with FlopCounter() as plain:
        step()
    with FlopCounter() as counter:
        graph = capture(step)
        graph.replay()
    with FlopCounter() as later:
        graph.replay()
    for report in (counter.report, later.report):
        found = {name: totals.flops for name, totals in report.by_phase.items()}
        assert found == {name: one.flops for name, one in plain.report.by_phase.items()}
    assert plain.report.under("contractions").by_phase["backward"].flops == 3 * PRODUCT


def test_replays_without_times_count_as_well(model: Model, x: torch.Tensor) -> None:
    warm(lambda: model(x))
    with FlopCounter("contractions", device_time=False) as counter, torch.no_grad():
        graph = capture(lambda: model(x))
        graph.replay()
    assert counter.report.flops == 2 * PRODUCT
    assert counter.report.seconds == 0


def test_nested_counters_both_count_a_replay(model: Model, x: torch.Tensor) -> None:
    warm(lambda: model(x))
    with FlopCounter("contractions") as outer, torch.no_grad():
        with FlopCounter("contractions") as inner:
            graph = capture(lambda: model(x))
            graph.replay()
        graph.replay()
    with FlopCounter("contractions") as later:
        graph.replay()
    flops = [counter.report.flops for counter in (outer, inner, later)]
    assert flops == [4 * PRODUCT, 2 * PRODUCT, 2 * PRODUCT]


def test_a_graph_that_is_captured_again_forgets_what_it_held(model: Model, x: torch.Tensor) -> None:
    warm(lambda: model(x))
    graph = torch.cuda.CUDAGraph()
    with FlopCounter("contractions") as counter, torch.no_grad():
        with torch.cuda.graph(graph):
            model(x)
        graph.reset()
        with torch.cuda.graph(graph):
            model.first(x)
        graph.replay()
    assert counter.report.flops == PRODUCT


def test_a_replay_of_a_graph_that_nobody_counted_is_named(model: Model, x: torch.Tensor) -> None:
    warm(lambda: model(x))
    with torch.no_grad():
        graph = capture(lambda: model(x))
    with FlopCounter() as counter:
        for _ in range(10):
            graph.replay()
    report = counter.report
    assert report.unknown == {"cuda_graph::replay": 10}
    assert report.notes[0] == (
        "not counted: 10 replays of a CUDA graph that was captured while nothing was counted"
    )


def test_graphed_callables_count(cuda: torch.device) -> None:
    product = 2 * 64 * 256 * 256
    layer = nn.Linear(256, 256).to(cuda)
    x = torch.randn(64, 256, device=cuda)
    with FlopCounter():
        graphed = torch.cuda.make_graphed_callables(layer, (x,))
    with FlopCounter("contractions") as counter:
        graphed(x).sum().backward()
    # Forward, and the gradient of the weight.
    assert counter.report.flops == 2 * product == 16_777_216
    phases = counter.report.by_phase
    assert phases["forward"].flops == phases["backward"].flops == product


def test_graphed_callables_of_before_are_named(cuda: torch.device) -> None:
    layer = nn.Linear(256, 256).to(cuda)
    x = torch.randn(64, 256, device=cuda)
    graphed = torch.cuda.make_graphed_callables(layer, (x,))
    with FlopCounter("contractions") as counter:
        graphed(x).sum().backward()
    assert counter.report.unknown == {"cuda_graph::replay": 2}


def test_a_capture_that_began_before_the_block_is_named(model: Model, x: torch.Tensor) -> None:
    warm(lambda: model(x))
    with torch.no_grad(), torch.cuda.graph(torch.cuda.CUDAGraph()), FlopCounter() as counter:
        model(x)
    assert counter.report.flops == 0
    assert "not counted: 3 operators captured in a CUDA graph" in counter.report.notes[0]


def test_a_report_is_read_and_a_gate_is_left_out_while_a_graph_is_captured(
    model: Model, x: torch.Tensor
) -> None:
    warm(lambda: model(x))
    counter = FlopCounter("contractions")
    with counter, torch.no_grad():
        model(x)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            model(x)
            assert counter.report.flops == 2 * PRODUCT
        graph.replay()
    assert counter.report.flops == 4 * PRODUCT


def test_the_methods_of_graphs_are_pytorchs_own_again(cuda: torch.device) -> None:
    kind: Any = torch.cuda.CUDAGraph
    names = ("capture_begin", "capture_end", "replay")
    before = [vars(kind)[name] for name in names]
    with FlopCounter():
        assert [vars(kind)[name] for name in names] != before
        with FlopCounter():
            pass
        assert [vars(kind)[name] for name in names] != before
    assert [vars(kind)[name] for name in names] == before


# --- captures ------------------------------------------------------------------------------------


def captures_alike(run: Callable[[], object]) -> None:
    """A capture goes as well under a count as without one."""
    warm(run)
    capture(run)
    with FlopCounter() as counter:
        capture(run)
    assert "captured in a CUDA graph" in counter.report.notes[-1]


def test_an_embedding_bag_is_captured(cuda: torch.device) -> None:
    bag = nn.EmbeddingBag(20, 8).to(cuda)
    index, offsets = torch.ones(6, dtype=torch.long, device=cuda), torch.tensor([0, 3], device=cuda)
    captures_alike(lambda: bag(index, offsets))


def test_the_backward_of_an_embedding_with_padding_is_captured(cuda: torch.device) -> None:
    embedding = nn.Embedding(20, 8, padding_idx=0).to(cuda)
    index = torch.ones(6, dtype=torch.long, device=cuda)

    def train() -> None:
        embedding.zero_grad(set_to_none=True)
        embedding(index).sum().backward()

    captures_alike(train)


def test_attention_over_packed_sequences_is_captured(cuda: torch.device) -> None:
    offsets = torch.tensor([0, 10, 30], dtype=torch.int32, device=cuda)
    q = torch.randn(30, 4, 64, device=cuda, dtype=torch.bfloat16)
    forward: Any = torch.ops.aten._flash_attention_forward
    captures_alike(lambda: forward(q, q, q, offsets, offsets, 20, 20, 0.0, False, False))


def test_no_operator_of_pytorchs_database_reads_a_value_while_it_is_captured(
    cuda: torch.device,
) -> None:
    """What is captured without a count is captured with one: a sample of all operators."""
    from torch.testing._internal.common_methods_invocations import op_db

    chosen = [op for op in op_db if op.supports_dtype(torch.float32, "cuda")]
    failed, tried = [], 0
    for op in random.Random(0).sample(chosen, 60):
        with contextlib.suppress(Exception):
            sample = next(iter(op.sample_inputs(cuda, torch.float32)))

            def run(op: Any = op, sample: Any = sample) -> None:
                op(sample.input, *sample.args, **sample.kwargs)

            try:
                warm(run)
                capture(run)
            except Exception:
                torch.cuda.synchronize()
                continue
            tried += 1
            try:
                with FlopCounter():
                    capture(run)
            except Exception as error:
                failed.append(f"{op.name}: {error}")
    # PyTorch 2.11 can capture fewer of them.
    assert tried >= (25 if torch.__version__.startswith("2.11") else 30)
    assert failed == []
