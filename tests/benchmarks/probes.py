"""`make probes`: what each tool finds in two runs whose count a hand can check.

python -m tests.benchmarks.probes           all tools, each in a process of its own
python -m tests.benchmarks.probes TOOL      one, as JSON
"""

from __future__ import annotations

import io
import json
import platform
import subprocess
import sys
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

#: Four products of 64 × 64 weights, scores and values of attention, two products of the MLP.
ENCODER_MACS = 4 * 16 * 64**2 + 2 * 16**2 * 64 + 2 * 16 * 64 * 128
#: Each of 8 · 8 · 8 outputs is a sum of 9 products; so is each of two gradients.
CONVOLUTION_FORWARD = 2 * 8 * 8 * 8 * 9
CONVOLUTION_BACKWARD = 2 * CONVOLUTION_FORWARD
#: Seconds that a tool may take, its imports included.
PATIENCE = 300

Found = dict[str, str]


def encoder() -> tuple[nn.Module, Tensor]:
    layer = nn.TransformerEncoderLayer(64, 4, 128, batch_first=True).eval()
    return layer, torch.randn(1, 16, 64)


def convolution() -> tuple[nn.Module, Tensor]:
    return nn.Conv2d(8, 8, 3, groups=8, bias=False), torch.randn(1, 8, 10, 10, requires_grad=True)


# --- the tools -----------------------------------------------------------------------------------


def ipyflops() -> Found:
    from ipyflops import FlopCounter

    layer, x = encoder()
    with FlopCounter() as forward:
        layer(x)
    layer, x = convolution()
    with torch.enable_grad(), FlopCounter() as both:
        layer(x).sum().backward()
    phases = both.report.under("contractions").by_phase
    return _found(f"{forward.report.macs:,} MACs", f"{phases['backward'].flops:,} FLOPs")


def flop_counter() -> Found:
    from torch.utils.flop_counter import FlopCounterMode

    layer, x = encoder()
    with FlopCounterMode(display=False) as forward:
        layer(x)
    layer, x = convolution()
    with torch.enable_grad():
        out = layer(x).sum()
    with FlopCounterMode(display=False) as backward:
        out.backward()
    return _found(
        f"{forward.get_total_flops() // 2:,} MACs", f"{backward.get_total_flops():,} FLOPs"
    )


def fvcore() -> Found:
    from fvcore.nn import FlopCountAnalysis

    layer, x = encoder()
    return _found(f"{int(FlopCountAnalysis(layer, x).total()):,} MACs")


def ptflops() -> Found:
    from ptflops import get_model_complexity_info

    layer, _ = encoder()
    macs = [
        get_model_complexity_info(
            layer, (16, 64), as_strings=False, print_per_layer_stat=False, backend=backend
        )[0]
        for backend in ("pytorch", "aten")
    ]
    return _found(f"{macs[0]:,} MACs (its `aten` backend {macs[1]:,})")


def thop() -> Found:
    from thop import profile

    layer, x = encoder()
    return _found(f"{int(profile(layer, (x,), verbose=False)[0]):,} MACs")


def ultralytics_thop() -> Found:
    # It brings a module of the same name, so it is installed in a folder of its own.
    sys.path.insert(0, str(Path(sys.prefix) / "ultralytics"))
    return thop()


def torchinfo() -> Found:
    from torchinfo import summary

    layer, x = encoder()
    return _found(f"{summary(layer, input_data=x, verbose=0).total_mult_adds:,} MACs")


def calflops() -> Found:
    from calflops import calculate_flops

    layer, _ = encoder()
    options = {"output_as_string": False, "print_results": False}
    _, macs, _ = calculate_flops(layer, input_shape=(1, 16, 64), **options)
    layer, _ = convolution()
    backward = {"include_backPropagation": True, **options}
    both, _, _ = calculate_flops(layer, input_shape=(1, 8, 10, 10), **backward)
    forward, _, _ = calculate_flops(layer, input_shape=(1, 8, 10, 10), **options)
    return _found(f"{int(macs):,} MACs", f"{int(both - forward):,} FLOPs (twice forward)")


def deepspeed() -> Found:
    from deepspeed.profiling.flops_profiler import get_model_profile

    layer, _ = encoder()
    shape = {"input_shape": (1, 16, 64), "print_profile": False, "as_string": False}
    return _found(f"{int(get_model_profile(layer, **shape)[1]):,} MACs")


def torchprofile() -> Found:
    from torchprofile import profile_macs

    layer, x = encoder()
    return _found(f"{int(profile_macs(layer, x)):,} MACs")


def flopth() -> Found:
    from flopth import flopth as count

    layer, _ = encoder()
    flops, _ = count(layer, in_size=((16, 64),), show_detail=False, bare_number=True)
    return _found(f"{int(flops):,} FLOPs")


def torchlens() -> Found:
    from torchlens import trace

    layer, x = encoder()
    return _found(f"{int(trace(layer, x).total_flops_forward):,} FLOPs")


#: Each tool's function, and the distributions that it is from.
TOOLS: dict[Callable[[], Found], tuple[str, ...]] = {
    ipyflops: ("ipyflops",),
    flop_counter: ("torch",),
    fvcore: ("fvcore",),
    ptflops: ("ptflops",),
    thop: ("thop",),
    ultralytics_thop: ("ultralytics-thop",),
    torchinfo: ("torchinfo",),
    calflops: ("calflops",),
    deepspeed: ("deepspeed",),
    torchprofile: ("torchprofile",),
    flopth: ("flopth",),
    torchlens: ("torchlens",),
}


def _found(encoder_finds: str, backward_finds: str = "forward only") -> Found:
    return {"encoder": encoder_finds, "backward": backward_finds}


def _release(names: tuple[str, ...]) -> str:
    for name in names:
        with suppress(PackageNotFoundError):
            return f"{name} {version(name)}"
    return names[-1]


def _let_torchvision_load() -> None:
    """Its wheel for CUDA lacks its operators on a CPU build; ptflops and flopth import it."""
    try:
        import torchvision  # noqa: F401
    except ImportError:
        pass
    except RuntimeError:
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", "(Tensor a, Tensor b, float c) -> Tensor")


# --- asking them ---------------------------------------------------------------------------------


def ask(name: str) -> Found:
    """What a tool of this process finds; where it fails, the last line of its error."""
    tool = next(one for one in TOOLS if one.__name__ == name)
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    _let_torchvision_load()
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), torch.no_grad():
            found = tool()
    except Exception as error:  # tools fail in ways of their own
        first = str(error).partition("\n")[0][:80]
        found = _found(f"{type(error).__name__}: {first}", "—")
    return {"tool": _release(TOOLS[tool]), **found}


def ask_in_a_process(name: str) -> Found:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.probes", name],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        answer: Any = json.loads(done.stdout.splitlines()[-1])
        return {str(key): str(value) for key, value in answer.items()}
    except subprocess.TimeoutExpired:
        return {"tool": name, **_found(f"no answer in {PATIENCE} s", "—")}
    except (IndexError, ValueError):
        return {"tool": name, **_found(f"ended with {done.returncode}", "—")}


def main(names: list[str]) -> None:
    if names:
        print(json.dumps(ask(names[0])))
        return
    print(f"{date.today()}, torch {torch.__version__}, Python {platform.python_version()}\n")
    print(f"| | encoder layer: {ENCODER_MACS:,} MACs | backward: {CONVOLUTION_BACKWARD:,} FLOPs |")
    print("| --- | --- | --- |")
    for tool in TOOLS:
        one = ask_in_a_process(tool.__name__)
        print(f"| {one['tool']} | {one['encoder']} | {one['backward']} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
