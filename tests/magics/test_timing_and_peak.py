"""`-t` and `--peak` in a shell: clean repeats and ceilings of cells, with no measuring at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from ipyflops.costs import ZERO_COST
from ipyflops.magics import timing_and_peak
from ipyflops.measuring import peaks
from ipyflops.measuring.ceiling_cache import CACHE
from ipyflops.measuring.measurements import Measured
from ipyflops.report import LAST_REPORT, Report, Row, Scope, Signature, Timing
from tests.counted import FLOPS, last, model_shell
from tests.shells import run

TRAINING = "loss = model(x).sum()\nloss.backward()\noptimizer.step()\nruns.append(1)"


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    with model_shell(monkeypatch) as shell:
        run(shell, "runs = []\noptimizer = torch.optim.SGD(model.parameters(), lr=0.1)")
        yield shell


@pytest.fixture
def ceilings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device whose products have a known rate; float64 has none."""

    def products(device: torch.device, dtype: torch.dtype) -> Measured:
        if dtype is torch.float64:
            raise RuntimeError("no such kernel")
        return Measured(1e9)

    monkeypatch.setattr(peaks, "product_rate", products)
    monkeypatch.setattr(peaks, "bandwidth", lambda device: Measured(1e8))
    monkeypatch.setattr(CACHE, "recall", lambda key: None)
    monkeypatch.setattr(CACHE, "remember", lambda key, value: None)


def runs(shell: InteractiveShell) -> int:
    return len(shell.user_ns["runs"])


# --- clean repeats -------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["%flops -t -n2 -r3 {}", "%%flops -t -n2 -r3\n{}"])
def test_a_cell_is_repeated(shell: InteractiveShell, cell: str) -> None:
    done = run(shell, cell.format("runs.append(1); model(x)"))
    assert done.error is None
    timing = last().timing
    assert timing is not None
    assert (timing.loops, timing.repeats) == (2, 3)
    assert timing.runs == runs(shell) == 1 + 2 + 6
    assert timing.refusal == ""
    assert last().flops == FLOPS
    assert "clean" in done.out
    assert "the code ran 9 times in all" in " ".join(done.out.split())


def test_without_it_the_cell_runs_once(shell: InteractiveShell) -> None:
    run(shell, f"%%flops\n{TRAINING}")
    assert runs(shell) == 1
    assert last().timing is None


def test_the_result_and_what_is_printed_are_of_the_counted_run(shell: InteractiveShell) -> None:
    done = run(shell, "%%flops -tn1 -r2\nprint('once')\nruns.append(1)\nlen(runs)")
    assert done.result == 1
    assert done.out.count("once\n") == 1


def test_the_user_is_told_that_training_went_on(shell: InteractiveShell) -> None:
    done = run(shell, f"%%flops -tn1 -r2\n{TRAINING}")
    timing = last().timing
    assert timing is not None
    assert "model" in timing.moved
    assert "the repeats moved" in done.out


def test_what_training_changed_is_put_back(shell: InteractiveShell) -> None:
    torch.manual_seed(3)
    run(shell, "before = {k: v.clone() for k, v in model.state_dict().items()}")
    run(shell, f"%%flops -t -n3 -r2 --restore\n{TRAINING}")
    timing = last().timing
    assert timing is not None
    assert timing.restored
    assert timing.runs == runs(shell) == 9
    model, before = shell.user_ns["model"], shell.user_ns["before"]
    after = {name: value.clone() for name, value in model.state_dict().items()}
    # Once is what the counted run did.
    model.load_state_dict(before)
    model.zero_grad()
    run(shell, TRAINING)
    for name, value in model.state_dict().items():
        assert torch.equal(value, after[name])


def test_a_cell_that_runs_only_once_keeps_its_report(shell: InteractiveShell) -> None:
    run(shell, "loss = model(x).tanh().sum()")
    done = run(shell, "%%flops -t\nloss.backward()")
    assert done.error is None
    timing = last().timing
    assert timing is not None
    assert "Trying to backward" in timing.refusal
    assert "no clean FLOPS" in done.out
    assert last().complete


def test_a_cell_that_fails_is_not_repeated(shell: InteractiveShell) -> None:
    done = run(shell, "%%flops -t\nruns.append(1)\n1 / 0")
    assert type(done.error) is ZeroDivisionError
    assert runs(shell) == 1
    assert last().timing is None


def test_an_interrupt_of_the_repeats_leaves_the_report(shell: InteractiveShell) -> None:
    cell = "%%flops -t\nmodel(x)\nruns.append(1)\nif len(runs) == 3: raise KeyboardInterrupt"
    done = run(shell, cell)
    assert type(done.error) is KeyboardInterrupt
    assert last().flops == FLOPS
    assert f"{FLOPS} FLOPs" in done.out


def test_there_has_to_be_code(shell: InteractiveShell) -> None:
    run(shell, "%flops -q model(x)")
    done = run(shell, "%flops -t")
    assert type(done.error) is UsageError
    assert "-t times code, and there is none" in str(done.error)


def test_a_line_in_a_function_is_repeated_with_its_variables(shell: InteractiveShell) -> None:
    run(shell, "def f(y):\n    get_ipython().run_line_magic('flops', '-t -n1 -r2 model(y)')")
    done = run(shell, "f(x)")
    assert done.error is None
    assert last().timing is not None


# --- the peak ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("ceilings")
def test_the_rate_is_set_against_the_peak(shell: InteractiveShell) -> None:
    done = run(shell, "%flops --peak model(x)")
    peak = last().peak
    assert peak is not None
    assert peak.flops_per_second == 1e9
    assert peak.bytes_per_second == 1e8
    assert "1.00 GFLOPS" in done.out
    assert done.err == ""  # no terminal and no notebook, so there is no progress line
    assert last().find("0").utilization > 0


@pytest.mark.usefixtures("ceilings")
def test_the_last_report_can_be_set_against_it_too(shell: InteractiveShell) -> None:
    run(shell, "%flops -q model(x)")
    assert last().peak is None
    done = run(shell, "%flops --peak -c article")
    assert last().peak is not None
    assert last().convention == "standard"
    assert "of this" in done.out


@pytest.mark.usefixtures("ceilings")
def test_quiet_is_quiet(shell: InteractiveShell) -> None:
    done = run(shell, "%flops -qo --peak model(x)")
    assert done.err == ""
    assert done.result.peak is not None


@pytest.mark.usefixtures("ceilings")
def test_a_dtype_without_a_peak_is_named(shell: InteractiveShell) -> None:
    run(shell, "%flops -q --peak (model(x), x.double() @ x.double().T, x.to(torch.cfloat) * 2)")
    report = last()
    assert report.peak is not None
    assert {rate.dtype for rate in report.peak.rates} == {"float32"}
    (note,) = report.notes
    assert note.startswith("no peak for float64, whose FLOPs are left out")


@pytest.mark.usefixtures("ceilings")
@pytest.mark.parametrize(
    ("error", "note"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "no memory free"),
        (RuntimeError("CUDA error: device-side assert triggered\nmore"), "CUDA error: device-side"),
    ],
)
def test_a_peak_that_cannot_be_measured_is_a_note_on_a_cell_that_ran(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch, error: Exception, note: str
) -> None:
    def fail(*_: object) -> Measured:
        raise error

    for name in ("product_rate", "bandwidth"):
        monkeypatch.setattr(peaks, name, fail)
    done = run(shell, "%%flops --peak\nruns.append(1)\nmodel(x)\n'the result'")
    assert done.error is None
    assert done.result == "the result"
    assert runs(shell) == 1
    assert last().peak is None
    assert last().flops == FLOPS
    (said,) = last().notes
    assert note in said
    assert "\n" not in said


@pytest.mark.usefixtures("ceilings")
def test_a_full_device_is_measured_with_less_and_the_report_says_so(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peaks, "bandwidth", lambda device: Measured(0.0, short_of_memory=True))
    remembered: list[str] = []
    monkeypatch.setattr(CACHE, "remember", lambda key, value: remembered.append(key))
    run(shell, "%flops -q --peak model(x)")
    peak = last().peak
    assert peak is not None
    assert peak.bytes_per_second == 0
    assert "little memory is free on cpu: the peak was measured with smaller" in last().notes[0]
    assert not any(key.endswith("bytes") for key in remembered)


@pytest.mark.usefixtures("ceilings")
def test_all_that_is_measured_is_saved(shell: InteractiveShell, tmp_path: Any) -> None:
    path = tmp_path / "run.json"
    run(shell, f"%flops -tn1 -r1 --peak --save {path} model(x)")
    assert LAST_REPORT.report == type(last()).load(path)


# --- kernel time beside a clean run ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("device", "kernels", "begins"),
    [
        # The clean runs below take 10 ms.
        ("cuda:0", 30_000_000, "kernel time (30.0 ms) is more than a whole clean run takes (10.0"),
        ("cuda:0", 1_000_000, None),
        ("cuda:0", 8_000_000, None),
        ("cpu", 30_000_000, None),
        ("cpu", 1_000_000, None),
    ],
)
def test_kernel_time_is_set_against_a_clean_run(
    device: str, kernels: int, begins: str | None
) -> None:
    signature = Signature("aten::mm", "float32", "", "formula", ZERO_COST, 0)
    report = Report(
        scopes=(Scope(-1, "", "", "root", 0, 0),),
        lines=(),
        signatures=(signature,),
        rows=(Row(0, -1, "forward", 0, 1, kernels),),
        convention="standard",
        complete=True,
        error="",
        notes=("another",),
        device=device,
    )
    timing = Timing(seconds=(0.01, 0.02), loops=1, threads=1, runs=3, refusal="", remark="")
    notes = timing_and_peak._with_clean_time(report, timing)
    if begins is None:
        assert notes == ("another",)
    else:
        assert notes[0].startswith(begins)
        assert notes[1:] == ("another",)
        assert notes[1:] == ("another",)
