"""A text takes no more room than worked out, and one that is too long is cut to fit."""

from __future__ import annotations

import pytest
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from ipyflops.views.rows.text_width import fitted, width_of

TEXTS = [
    "conv1 Conv2d", "model.layer1.0.downsample", "aten::convolution_backward", "1.85 G  33.3 %",
    "transformer.h.11.attn.c_proj Linear", "(own work)", "In[12]:3", "MMMMMWWWWW", "iiiiilllll",
    "encoder.layers.*.norm ×12", "<img src=x onerror=alert(1)>", "23.2 GFLOPs · [standard]",
    "αβγδε", "модель",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_takes_no_more_than_that(text: str) -> None:
    size = 100.0
    ends = TextPath((0, 0), text, size, prop=FontProperties(family="DejaVu Sans")).get_extents()
    assert ends.width / size <= width_of(text) * 1.02
    assert width_of(text) < 1.5 * ends.width / size + 0.5


@pytest.mark.parametrize("text", [*TEXTS, "層" * 40, "🙂層" * 20, "e\u0301" * 30, "x" * 500])
@pytest.mark.parametrize("room", [3, 8, 15])
def test_what_is_cut_fits_and_keeps_both_ends(text: str, room: float) -> None:
    cut = fitted(text, room)
    assert width_of(cut) <= room
    if cut != text:
        start, end = cut.split("…")
        assert text.startswith(start)
        assert text.endswith(end)
        # An accent stays with its letter.
        assert not end.startswith("\u0301")
        assert abs(width_of(start) - width_of(end)) < 3
        assert width_of(cut) > room - 3


def test_the_end_of_an_operator_is_seen() -> None:
    assert fitted("aten::native_batch_norm_backward", 14).endswith("_backward")
    assert fitted("relu", 14) == "relu"
    assert fitted("relu", 0.1) == "…"
