"""What a counter may set for the process and this thread, and has to take back."""

from __future__ import annotations

import sys
import threading
from typing import Any

import torch
import torch._dynamo
from torch.utils._python_dispatch import (
    _get_current_dispatch_mode_stack,
    is_in_torch_dispatch_mode,
)

from ipyflops.counting.blocks import COUNTING
from ipyflops.counting.process import OPEN


def process_state() -> dict[str, Any]:
    """All of that, to be compared before and after."""
    return {
        "modes": list(_get_current_dispatch_mode_stack()),
        "flags": [is_in_torch_dispatch_mode(True), is_in_torch_dispatch_mode(False)],
        "profile of new threads": threading.getprofile(),
        "profile": sys.getprofile(),
        "stance": torch._dynamo.eval_frame._stance,
        "import hooks": list(sys.meta_path),
        "counters": list(OPEN.counters),
        "context": COUNTING.get(),
        "lock": "unlocked" not in repr(OPEN.lock),
        "handled error": sys.exc_info()[1],
        "included keys": str(torch._C._dispatch_tls_local_include_set()),
        "excluded keys": str(torch._C._dispatch_tls_local_exclude_set()),
    }
