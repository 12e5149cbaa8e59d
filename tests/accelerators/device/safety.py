"""What must not be disturbed on a device: forked processes, random numbers, graphs, errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from ipyflops import FlopCounter
from ipyflops.measuring import random_states
from tests.accelerators.device.checks import Fail, Machine, Skip, check, count

ROOT = Path(__file__).parents[3]


def in_process(code: str, timeout: float = 120, **environment: str) -> Any:
    """Run code in another Python; what its last line says, which is JSON."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        check=False,
    )
    if done.returncode:
        raise Fail(f"it ended with {done.returncode}: {done.stderr.strip()[-400:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


FORKED = """
    import json, os, torch
    from ipyflops import FlopCounter, dry_run, peak
    if os.environ["COUNTED"]:
        x = torch.ones(4, 4)
        with FlopCounter():
            x @ x
        dry_run(lambda: x @ x)
        peak("cpu")
    read, write = os.pipe()
    if os.fork() == 0:
        try:
            torch.ones(2, device=os.environ["DEVICE"])
            said = "ok"
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(write, said.encode()[:300])
        os._exit(0)
    os.wait()
    print(json.dumps(os.read(read, 400).decode()))
"""


@check("safety/forked_processes_may_use_the_device", 60)
def forked(machine: Machine) -> None:
    """After code on the CPU was counted, run dry and measured."""
    if not hasattr(os, "fork") or machine.device.type == "mps":
        raise Skip("no process is forked with such a device")
    for counted in ("", "1"):
        said = in_process(FORKED, COUNTED=counted, DEVICE=machine.device.type)
        if said != "ok" and not counted:
            raise Skip(f"not without counting either: {said}")
        if said != "ok":
            raise Fail(said)


@check("safety/random_numbers", 5)
def random_numbers(machine: Machine) -> None:
    """The same numbers with and without counting; and they are put back."""
    if machine.simulated:
        raise Skip("its kernels compute nothing")

    def draw() -> list[torch.Tensor]:
        made = torch.randn(64, device=machine.device)
        return [made, F.dropout(made, 0.3), torch.rand(3, device=machine.device)]

    torch.manual_seed(7)
    plain = draw()
    torch.manual_seed(7)
    kept = random_states()
    _, counted = count(draw)
    for set_state, state in kept:
        set_state(state)
    again = draw()
    if not all(map(torch.equal, plain, counted)):
        raise Fail("random numbers differ under counting")
    if not all(map(torch.equal, plain, again)):
        raise Fail("random numbers are not put back")


@check("safety/out_of_memory_in_the_block", 5)
def out_of_memory(machine: Machine) -> dict[str, Any]:
    """The user's error arrives, and the report stays."""
    if not machine.is_cuda:
        raise Skip("the device does not refuse like this")
    counter = FlopCounter()
    x = torch.randn(64, 64, device=machine.device)
    try:
        with counter:
            x @ x
            torch.empty(10**15, device=machine.device)
    except torch.OutOfMemoryError:
        pass
    report = counter.report
    if report.complete or report.under("contractions").flops != 2 * 64**3:
        raise Fail("the report does not hold what ran")
    return {"error": report.error[:100]}


@check("safety/the_report_is_of_the_device", 5)
def of_the_device(machine: Machine) -> dict[str, Any]:
    """With and without a clock."""
    x = torch.randn(64, 64, device=machine.device)
    devices = [count(lambda: x @ x, device_time=timed)[0].device for timed in (True, False)]
    if any(not one.startswith(machine.device.type) for one in devices):
        raise Fail(f"the reports' devices are {devices}")
    return {"devices": devices}


@check("safety/tests_of_accelerators", 60)
def tests_of_accelerators(machine: Machine) -> dict[str, Any]:
    """The folder's pytest files, as many as there is time for."""
    if not machine.is_cuda:
        raise Skip("they are of CUDA")
    folder = ROOT / "tests" / "accelerators"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", ROOT, folder],
        capture_output=True,
        text=True,
        timeout=max(machine.left() - 15, 20),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        check=False,
    )
    last = done.stdout.strip().splitlines()[-1:] or [done.stderr[-300:]]
    if done.returncode:
        raise Fail(f"{last[0]}: {done.stdout[-900:]}")
    return {"pytest": last[0]}
