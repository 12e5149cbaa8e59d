"""Runs all checks on a device: ``python -m tests.accelerators.device --device cuda``."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import tempfile

import torch

# What is measured here is not to be found by others, nor what others have measured by this.
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="ipyflops-device-")
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

from tests.accelerators.device import checks

for _part in ("counts", "times", "peaks", "memory", "safety", "operators"):
    importlib.import_module(f"tests.accelerators.device.{_part}")


def main() -> int:
    """Run the checks; the exit code is 1 if one failed."""
    parser = argparse.ArgumentParser(prog="make test-device", description=__doc__)
    parser.add_argument("--device", default="cuda", help="cuda, mps, xpu or cpu")
    parser.add_argument("--budget", type=float, default=430.0, help="seconds for everything")
    parser.add_argument("--only", default="", help="the checks whose names begin so")
    parser.add_argument("--simulated", action="store_true", help="no values, no times")
    options = parser.parse_args()
    machine = checks.Machine(
        torch.device(options.device), simulated=options.simulated, budget=options.budget
    )
    try:
        torch.ones(1, device=machine.device)
    except (RuntimeError, AssertionError) as error:
        print(f"there is no {options.device} here: {error!s:.300}", file=sys.stderr)
        return 2
    print(f"{machine.name}, PyTorch {torch.__version__}, Python {sys.version.split()[0]}")
    results = list(checks.run_all(machine, options.only))
    tally = {s: sum(one["status"] == s for one in results) for s in ("PASS", "FAIL", "SKIP")}
    summary = {
        "device": options.device,
        "name": machine.name,
        "torch": torch.__version__,
        "simulated": machine.simulated,
        "seconds": round(machine.budget - machine.left(), 1),
        **tally,
        "results": results,
    }
    print(json.dumps(summary, default=str), flush=True)
    return 1 if tally["FAIL"] else 0


if __name__ == "__main__":
    sys.stdout.flush()
    code = main()
    sys.stdout.flush()
    # Threads of the autograd engine would still be there when C++ takes down what they need.
    os._exit(code)
