"""Dry runs for a CUDA device that is not there: what they count, what they say, what they leave."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from ipyflops import DryRunError, FlopCounter, Report, dry_run, sweep
from ipyflops.dry_runs.calls import count_call
from ipyflops.dry_runs.cuda import attention, autocast
from ipyflops.dry_runs.cuda.patches import PATCHES, default_device
from ipyflops.torch_private import FakeTensor
from tests.dry_runs import cuda_programs
from tests.dry_runs.cuda_attention import CALLS, chosen
from tests.pictures import Picture
from tests.thoroughness import ALL_SAMPLES

HAS_CUDA = torch.cuda.is_available()
#: The release whose kernels and choices the file has.
of_this_release = pytest.mark.skipif(
    not torch.__version__.startswith("2.13"), reason="other releases choose otherwise"
)
without_cuda = pytest.mark.skipif(HAS_CUDA, reason="the device is there")
KNOWN: dict[str, Any] = json.loads(cuda_programs.FILE.read_text())
#: Programs that run by default: one of each kind, and every twelfth of the others.
OFTEN = {
    *("step of AdamW", "step under autocast", "step of SGD, fused", "step, clipped"),
    *("functions, autocast float16", "functions, autocast bfloat16", "vision, autocast float16"),
    *("vision, training", "encoder, inference mode", "multi-head attention, evaluation"),
    *("cells, training", "cells, autocast float16", "LSTM of two, training", "rms norm, training"),
    *("LSTM of one layer, autocast float16", "GRU without bias, inference mode"),
    *("attention by flash, head of 20, causal", "attention torch.float32 odd mask"),
    *("grid sampling, training", "grid sampling, float16"),
    *("resnet, step", "vit, step", "llama, step", "seq2seq, step", "swin, forward"),
}
PROGRAMS = [
    name
    for index, name in enumerate(cuda_programs.PROGRAMS)
    if ALL_SAMPLES or name in OFTEN or index % 12 == 0
]


def count(program: Callable[[], object]) -> Report:
    """A dry run as `dry_run` does it, without looking for what stays alive, which takes longer."""
    frame = sys._getframe()
    return count_call(program, (), {}, frame, device="cuda", look_for_leaks=False)


# --- what they count -----------------------------------------------------------------------------

#: Their records hold no step of the optimizer. The reason was not recorded; most likely gradients
#: overflowed float16 at the first scale, which leaves steps out. A dry run takes gradients to be
#: finite. The missing steps are derived by hand (`STEPS_BY_HAND`), so no new record is needed.
LEFT_OUT = {"step with a scaler", "step with a scaler, clipped"}
#: Two steps of AdamW. For each parameter 14 operations: the mean by lerp 3, the decay of the weight
#: and of the square's mean 2, addcmul 3, the root 1, its division 1, epsilon 1, addcdiv 3. And each
#: of the 5 tensors counts its steps. An embedding of 11 × 8, layers of 24 to 16 and of 16 to 5.
STEPS_BY_HAND = 2 * (14 * (11 * 8 + (24 + 1) * 16 + (16 + 1) * 5) + 5)


def known(name: str) -> dict[str, Any]:
    """What the device counted, with the steps that a scaler left out: those of the same AdamW."""
    counted: dict[str, Any] = json.loads(json.dumps(KNOWN["programs"][name]))
    if name not in LEFT_OUT:
        return counted
    whole = KNOWN["programs"]["step of AdamW"]
    work, row = whole["phases"]["optimizer"], whole["tree"]["optimizer"]
    standard, contractions, article = counted["flops"]
    counted["flops"] = [standard + work, contractions, article + work]
    counted["dtypes"]["float32"] += work
    counted["phases"]["optimizer"] += work
    counted["tree"].update({"": [counted["tree"][""][0] + work, 0], "optimizer": row})
    for operator, (calls, flops) in whole["operators"].items():
        if operator.startswith("aten::_foreach_"):
            before = counted["operators"].get(operator, (0, 0))
            counted["operators"][operator] = [before[0] + calls, before[1] + flops]
    return counted


def test_the_steps_that_a_scaler_left_out_are_those_derived_by_hand() -> None:
    assert KNOWN["programs"]["step of AdamW"]["phases"]["optimizer"] == STEPS_BY_HAND
    for name in LEFT_OUT:
        assert not any("addcdiv" in one for one in KNOWN["programs"][name]["operators"])
        alone = KNOWN["programs"][name]["phases"]["optimizer"]
        assert known(name)["phases"]["optimizer"] == alone + STEPS_BY_HAND


@without_cuda
@of_this_release
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_dry_run_counts_what_a_cuda_build_of_pytorch_did(name: str) -> None:
    found = cuda_programs.summary(count(cuda_programs.PROGRAMS[name]))
    assert json.loads(json.dumps(found)) == known(name)


@pytest.mark.skipif(not HAS_CUDA, reason="needs a CUDA device")
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_real_run_counts_what_is_in_the_file(name: str) -> None:
    with FlopCounter(device_time=False) as counter:
        cuda_programs.PROGRAMS[name]()
    found = cuda_programs.summary(counter.report)
    if torch.cuda.get_device_capability() == (9, 0) and torch.__version__.startswith("2.13"):
        assert json.loads(json.dumps(found)) == KNOWN["programs"][name]


def test_the_file_has_every_program() -> None:
    assert list(KNOWN["programs"]) == list(cuda_programs.PROGRAMS)
    assert len(KNOWN["attention"]) == len(CALLS)
    assert set(KNOWN["attention"]) == {"0", "1", "2", "3"}


@of_this_release
def test_attention_has_the_kernel_that_a_cuda_build_of_pytorch_chose() -> None:
    wrong = []
    for (name, call), known in zip(CALLS.items(), KNOWN["attention"], strict=True):
        found = attention.chosen_kernel(attention.Call(*call("meta")))
        if int(found.value) != int(known):
            wrong.append((name, found, known))
    assert wrong == []


@pytest.mark.skipif(not HAS_CUDA, reason="needs a CUDA device")
def test_a_real_device_chooses_the_kernels_in_the_file() -> None:
    if torch.cuda.get_device_capability() == (9, 0) and torch.__version__.startswith("2.13"):
        assert "".join(str(chosen(call, "cuda")) for call in CALLS.values()) == KNOWN["attention"]


@of_this_release
def test_the_kernels_of_attention_that_the_user_wants() -> None:
    call = attention.Call(*CALLS["torch.float16 (16, 16, 64, 64) False 0.0"]("meta"))
    assert attention.chosen_kernel(call) is SDPBackend.CUDNN_ATTENTION
    for one in (SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH):
        with sdpa_kernel(one):
            assert attention.chosen_kernel(call) is one
    order = [SDPBackend.EFFICIENT_ATTENTION, SDPBackend.CUDNN_ATTENTION]
    with sdpa_kernel(order, set_priority=True):
        assert attention.chosen_kernel(call) is SDPBackend.EFFICIENT_ATTENTION
    double = attention.Call(*CALLS["torch.float64 (16, 16, 64, 64) False 0.0"]("meta"))
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        assert attention.chosen_kernel(double) is SDPBackend.ERROR


@of_this_release
def test_autocast_knows_every_operator_that_pytorch_casts() -> None:
    names = torch._C._dispatch_get_all_op_names()
    has = torch._C._dispatch_has_kernel_for_dispatch_key
    known = {f"aten::{name}" for name, _ in autocast.kernels()} | {"aten::_cudnn_rnn"}
    known |= {f"aten::{name}" for name in autocast.REFUSED}
    assert {name for name in names if has(name, "AutocastCUDA")} <= known


def test_a_step_by_hand() -> None:
    """A linear layer in bfloat16: three products of 2·8·16·4 FLOPs, as nothing needs dx: two."""
    layer = nn.Linear(16, 4, bias=False)
    x = torch.randn(8, 16)

    def step() -> None:
        with torch.autocast("cuda", torch.bfloat16):
            layer.to("cuda")(x.to("cuda")).sum().backward()

    report = dry_run(step, device="cuda")
    product = 2 * 8 * 16 * 4
    assert report.under("contractions").flops == 2 * product
    assert report.by_dtype["bfloat16"].flops >= 2 * product
    assert report.by_phase["backward"].flops == product


# --- what the code is told -----------------------------------------------------------------------


def answers() -> dict[str, Any]:
    x = torch.ones(2, 3).to("cuda", non_blocking=True)
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    with torch.cuda.stream(torch.cuda.Stream()), torch.cuda.device(0):
        y = x + 1
        y.record_stream(torch.cuda.current_stream())
    end.record()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    torch.cuda.empty_cache()
    torch.cuda.manual_seed(0)
    generator = torch.Generator(device="cuda").manual_seed(1)
    return {
        "available": torch.cuda.is_available() and torch.accelerator.is_available(),
        "count": (torch.cuda.device_count(), torch.accelerator.device_count()),
        "current": (torch.cuda.current_device(), str(torch.accelerator.current_accelerator())),
        "capability": torch.cuda.get_device_capability("cuda:0"),
        "name": torch.cuda.get_device_properties(0).name == torch.cuda.get_device_name(),
        "bf16": torch.cuda.is_bf16_supported(),
        "memory": (torch.cuda.memory_allocated(), torch.cuda.max_memory_allocated("cuda")),
        "elapsed": start.elapsed_time(end),
        "event": isinstance(start, torch.cuda.Event),
        "generator": isinstance(generator, torch.Generator),
        "cudnn": torch.backends.cudnn.is_available(),
        "devices": [
            str(one.device)
            for one in (
                *(x, x.cuda(), torch.ones(1).cuda(0), torch.ones(1).to(0), x.to("cuda:0"), y),
                *(torch.zeros(1, device="cuda"), torch.tensor([1.0], device="cuda")),
                *(torch.zeros_like(x), x.new_zeros(2), x[[0, 1]], x.half(), x.to(x), x * 2.0),
                *(torch.ones(3).to(x), torch.ones(3).type("torch.cuda.DoubleTensor")),
                torch.randn(2, generator=generator, device="cuda"),
                torch.ones(1).pin_memory().cuda(non_blocking=True),
            )
        ],
        "back": [str(one.device) for one in (x.cpu(), x.to("cpu"), x.type("torch.FloatTensor"))],
        "kinds": (x.is_cuda, x.is_cpu, x.is_meta, x.get_device(), x.type()),
        "kinds on the CPU": (x.cpu().is_cuda, x.cpu().is_cpu, x.cpu().get_device()),
        "same": x.to("cuda") is x and x.cuda() is x and x.to("cuda:0", torch.float32) is x,
        "autocast": torch.amp.is_autocast_available("cuda"),
    }


EXPECTED = {
    "available": True,
    "count": (1, 1),
    "current": (0, "cuda"),
    "capability": (9, 0),
    "name": True,
    "bf16": True,
    "memory": (0, 0),
    "elapsed": 0.0,
    "event": True,
    "generator": True,
    "cudnn": True,
    "devices": ["cuda:0"] * 18,
    "back": ["cpu"] * 3,
    "kinds": (True, False, False, 0, "torch.cuda.FloatTensor"),
    "kinds on the CPU": (False, True, -1),
    "same": True,
    "autocast": True,
}


@without_cuda
def test_what_torch_says_of_the_device() -> None:
    said: list[str] = []

    def ask() -> None:
        said.append(json.dumps(answers()))

    dry_run(ask, device="cuda")
    # The list that the function reaches is a copy, so what it says comes by an error.
    assert said == []

    def tell() -> None:
        raise ValueError(json.dumps(answers()))

    with pytest.raises(ValueError, match="available") as caught:
        dry_run(tell, device="cuda")
    assert json.loads(str(caught.value)) == json.loads(json.dumps(EXPECTED))


@without_cuda
def test_a_tensor_on_the_cpu_does_not_mix_with_one_on_the_device() -> None:
    with pytest.raises(RuntimeError, match=r"same device|two different devices"):
        dry_run(lambda: torch.ones(3, device="cuda") + torch.ones(3), device="cuda")
    report = dry_run(lambda: torch.ones(3, device="cuda") + torch.tensor(2.0), device="cuda")
    assert report.flops == 3  # one number on the CPU does, as on a real device


@without_cuda
@pytest.mark.parametrize(
    ("code", "message"),
    [
        (lambda: torch.ones(1).to("cuda:1"), "one CUDA device, cuda:0, and the code names cuda:1"),
        (lambda: torch.ones(1, device="cuda:1"), "there is no such device here"),
        (lambda: torch.cuda.get_device_name(3), "the code names cuda:3"),
        (lambda: torch.cuda.CUDAGraph(), "without the graph"),
        (lambda: torch.ones(1, device="cuda").item(), "needs its value"),
    ],
)
def test_what_such_a_run_cannot_do(code: Callable[[], Any], message: str) -> None:
    with pytest.raises(DryRunError, match=message):
        dry_run(lambda: bool(code()), device="cuda")


@without_cuda
def test_meta_tensors_are_on_the_device() -> None:
    with torch.device("meta"):
        model = nn.LSTM(3, 4)
    report = dry_run(lambda: model(torch.randn(5, 2, 3, device="cuda")), device="cuda")
    assert "aten::_cudnn_rnn" in report.by_operator
    assert "tensors of the meta device were counted as tensors of the CUDA device" in report.notes


# --- the report, and how the device is named -----------------------------------------------------


@without_cuda
def test_the_report_says_for_which_device_it_is() -> None:
    def attend() -> None:
        q = torch.randn(1, 2, 8, 16, dtype=torch.float16, device="cuda")
        nn.functional.scaled_dot_product_attention(q, q, q)

    report = dry_run(attend, device="cuda")
    assert report.device == "cuda"
    assert report.notes[0].startswith("a dry run for a CUDA device that is not there")
    assert "for a cuda device that is not there" in str(report)
    kernels = {f"aten::_scaled_dot_product_{name}_attention" for name in ("cudnn", "flash")}
    assert kernels & report.by_operator.keys()
    here = dry_run(lambda: nn.functional.relu(torch.ones(3)))
    assert here.device == "cpu"
    assert "not there" not in str(here)


@without_cuda
def test_a_sweep_on_the_device() -> None:
    def run(batch: int) -> None:
        nn.LSTM(4, 4, device="cuda")(torch.randn(3, batch, 4, device="cuda"))

    counted = sweep(run, device="cuda", batch=[1, 2, 4])
    assert counted.growth().name == "linear in batch"
    assert {point.report.device for point in counted.points} == {"cuda"}
    assert "aten::_cudnn_rnn" in counted.points[0].report.by_operator


@pytest.mark.parametrize("device", ["mps", "cuda:1", "quantum", "xpu"])
def test_another_device_is_refused(device: str) -> None:
    with pytest.raises(ValueError, match=f"cuda device alone, not for '{device}'"):
        dry_run(lambda: None, device=device)
    with pytest.raises(ValueError, match=f"cuda device alone, not for '{device}'"):
        sweep(lambda batch: None, device=device, batch=[1, 2])


def test_a_function_with_a_parameter_of_that_name_gets_it() -> None:
    def build(device: str) -> None:
        torch.ones(3, device=device) + 1

    assert dry_run(build, device="cuda").flops == 3
    assert dry_run(build, device="cpu").flops == 3
    assert dry_run(build, device="meta").flops == 3  # as before: no dry run's device
    assert dry_run(lambda: torch.ones(2) + 1, device="cpu").flops == 2


# --- what they leave -----------------------------------------------------------------------------


def everything() -> dict[str, Any]:
    """All that such a run replaces, and all else in the same places."""
    owners = (torch, torch.cuda, torch.accelerator, torch.backends.cudnn, FakeTensor, torch._C)
    found = {
        f"{owner.__name__}.{name}": value for owner in owners for name, value in vars(owner).items()
    }
    found["rnn"] = vars(nn.RNNBase)["flatten_parameters"]
    found["foreach"] = [list(types) for types in foreach_types()]
    found["default device"] = default_device()
    found["kernels"] = [
        name
        for name in torch._C._dispatch_get_all_op_names()
        if torch._C._dispatch_has_kernel_for_dispatch_key(name, "AutogradCUDA")
    ]
    return found


def foreach_types() -> list[list[type]]:
    from torch.optim import optimizer
    from torch.utils import _foreach_utils

    return [optimizer._foreach_supported_types, _foreach_utils._foreach_supported_types]


@contextmanager
def nothing_left() -> Iterator[None]:
    before = everything()
    yield
    after = everything()
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] is not after[name] != before[name]] == []


def fail() -> None:
    torch.set_default_device("cuda")
    torch.cuda.synchronize()
    raise LookupError


def interrupt() -> None:
    torch.ones(3, device="cuda")
    raise KeyboardInterrupt


@without_cuda
@pytest.mark.parametrize(("code", "error"), [(fail, LookupError), (interrupt, KeyboardInterrupt)])
def test_all_is_put_back_after(code: Callable[[], None], error: type[BaseException]) -> None:
    dry_run(lambda: torch.ones(1, device="cuda"), device="cuda")  # what PyTorch imports late
    with nothing_left(), pytest.raises(error):
        dry_run(code, device="cuda")
    assert not torch.cuda.is_available()


@without_cuda
def test_an_error_while_all_is_put_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise MemoryError

    monkeypatch.setattr("ipyflops.dry_runs.cuda.patches.kernel_set", broken)
    with nothing_left(), pytest.raises(MemoryError):
        dry_run(lambda: None, device="cuda")


@without_cuda
def test_the_users_objects_stay_on_the_cpu() -> None:
    model = nn.Sequential(nn.LSTM(3, 4), nn.Identity())
    optimizer = torch.optim.AdamW(model.parameters())

    def step() -> None:
        model.to("cuda")
        model(torch.randn(5, 2, 3, device="cuda"))[0].sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    before = Picture(model, optimizer)
    with nothing_left():
        assert dry_run(step, device="cuda").device == "cuda"
    before.assert_same(Picture(model, optimizer))


@without_cuda
def test_other_threads_are_told_what_is_so() -> None:
    inside, asked = threading.Event(), threading.Event()
    told: list[Any] = []

    def ask() -> None:
        inside.wait(20)
        told.append(torch.cuda.is_available())
        told.append(torch.cuda.device_count())
        told.append(torch.dropout(torch.ones(2), 0.0, True).sum().item())
        asked.set()

    class Wait:
        """Waits for the other thread; a dry run copies no event."""

        def __call__(self) -> None:
            assert torch.cuda.is_available()
            inside.set()
            asked.wait(20)

    thread = threading.Thread(target=ask)
    thread.start()
    dry_run(Wait(), device="cuda")
    thread.join()
    assert told == [False, 0, 2.0]


@without_cuda
def test_two_such_runs_at_once() -> None:
    reports: list[int] = []
    # A thread that begins while another one counts would be counted there as well.
    all_began = threading.Barrier(3)

    def run() -> None:
        all_began.wait(30)
        report = dry_run(lambda: nn.Linear(4, 4).cuda()(torch.ones(2, 4).cuda()), device="cuda")
        reports.append(report.flops)

    dry_run(lambda: torch.ones(1, device="cuda"), device="cuda")
    with nothing_left(), PATCHES.active(reports):
        threads = [threading.Thread(target=run) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert reports == [2 * 2 * 4 * 4] * 3
