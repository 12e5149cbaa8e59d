"""What a program may leave behind in the process, so that a test can compare before and after."""

from __future__ import annotations

import sys
import threading
import warnings
from typing import Any

import torch
from torch.nn.modules import module as modules
from torch.overrides import _get_current_function_mode_stack
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack


def process_state() -> dict[str, Any]:
    """Modes, hooks, profile and trace functions, the compiler's stance, filters and settings."""
    dynamo = sys.modules.get("torch._dynamo.eval_frame")
    hooks = {
        name: list(value)
        for name, value in vars(modules).items()
        if name.startswith("_global_") and hasattr(value, "__len__")
    }
    frame = sys._getframe(1)
    marks = []
    while frame is not None:
        if frame.f_trace is not None:
            marks.append(f"{frame.f_code.co_qualname}:{frame.f_lineno} {frame.f_trace}")
        frame = frame.f_back  # type: ignore[assignment]
    return {
        "dispatch modes": _get_current_dispatch_mode_stack(),
        "function modes": _get_current_function_mode_stack(),
        "profile": sys.getprofile(),
        "trace": sys.gettrace(),
        "profile of threads": threading._profile_hook,  # type: ignore[attr-defined]
        "trace of threads": threading._trace_hook,  # type: ignore[attr-defined]
        "start of threads": (threading.Thread.start, threading.Thread.run),
        "importers": list(sys.meta_path),
        "stance": dynamo and dynamo._stance,
        "filters": list(warnings.filters),
        "showing of warnings": warnings.showwarning,
        "hooks": hooks,
        "marks": marks,
        "gradients": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "settings": (torch.get_default_dtype(), torch.get_num_threads()),
        "excepthooks": (sys.excepthook, threading.excepthook, sys.unraisablehook),
    }


def left_behind(before: dict[str, Any]) -> list[str]:
    """Name what is not as it was."""
    after = process_state()
    return [f"{name}: {after[name]}" for name in before if before[name] != after[name]]
