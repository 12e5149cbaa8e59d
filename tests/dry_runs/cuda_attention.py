"""Calls of attention on both sides of each rule by which CUDA chooses a kernel."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import torch


def chosen(call: Callable[[str], tuple[Any, ...]], device: str) -> int:
    """The kernel that PyTorch chooses for a call of attention."""
    *given, grouped = call(device)
    return int(torch._fused_sdp_choice(*given, enable_gqa=grouped))


def call_of(
    dtype: torch.dtype,
    sizes: tuple[int, int, int, int] = (16, 16, 64, 64),
    heads: tuple[int, int, int, bool] = (4, 4, 4, False),
    mask: str = "none",
    options: tuple[float, bool] = (0.0, False),
    learns: bool = False,
) -> Callable[[str], tuple[Any, ...]]:
    """What a call of attention is given, on a device."""

    def make(device: str) -> tuple[Any, ...]:
        rows, keys, head, value_head = sizes
        empty = partial(torch.empty, device=device, dtype=dtype)
        masks = {
            "none": lambda: None,
            "bool": lambda: torch.empty(rows, keys, dtype=torch.bool, device=device),
            "bool of four": lambda: torch.empty(2, 1, rows, keys, dtype=torch.bool, device=device),
            "of four": lambda: empty(1, 4, rows, keys),
            "of three": lambda: empty(4, rows, keys),
            "learnt": lambda: empty(rows, keys, requires_grad=True),
            "of a row": lambda: empty(1, keys),
            "by columns": lambda: empty(keys, rows).t(),
        }
        return (
            empty(2, heads[0], rows, head, requires_grad=learns),
            empty(2, heads[1], keys, head),
            empty(2, heads[2], keys, value_head),
            masks[mask](),
            *options,
            heads[3],
        )

    return make


def calls() -> dict[str, Callable[[str], tuple[Any, ...]]]:
    """Calls of attention that are on both sides of each rule."""
    dtypes = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
    heads = (1, 4, 7, 8, 20, 36, 64, 72, 96, 128, 136, 160, 192, 200, 224, 256, 264, 512)
    sizes = ((16, 16), (16, 8), (1, 16), (16, 1), (0, 16), (16, 0), (15, 13))
    groups = ((4, 4, 4, False), (4, 2, 2, True), (4, 2, 1, True), (4, 4, 2, True))
    groups += ((4, 2, 2, False), (4, 1, 1, False))
    masks = ("bool", "bool of four", "of four", "of three", "learnt", "of a row", "by columns")
    chances = (0.0, 0.1, 0.125)
    found: dict[str, Callable[[str], tuple[Any, ...]]] = {}
    for dtype, head, value, learns, chance in itertools.product(
        dtypes, heads, (0, 64, 128), (False, True), chances
    ):
        shape = (16, 16, head, value or head)
        found[f"{dtype} {shape} {learns} {chance}"] = call_of(
            dtype, shape, options=(chance, False), learns=learns
        )
    for dtype, size, group, causal, chance in itertools.product(
        dtypes, sizes, groups, (False, True), chances
    ):
        found[f"{dtype} {size} {group} {causal} {chance}"] = call_of(
            dtype, (*size, 64, 64), group, options=(chance, causal)
        )
    for dtype, size, mask, chance in itertools.product(dtypes, sizes, masks, chances):
        found[f"{dtype} {size} {mask} {chance}"] = call_of(
            dtype, (*size, 64, 64), mask=mask, options=(chance, False)
        )
    return found


CALLS = calls()
