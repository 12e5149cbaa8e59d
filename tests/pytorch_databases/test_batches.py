"""A batch of B costs B times one: no operator that works on a batch has a hidden constant."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.pytorch_databases.counting import count
from tests.pytorch_databases.running import WARNINGS, one_thread

pytestmark = pytest.mark.filterwarnings(*WARNINGS)

Function = Callable[[Tensor], object]


def weight(*shape: int) -> Tensor:
    """Filling costs nothing, and there are no random numbers to draw."""
    return torch.ones(shape)


def positive(x: Tensor) -> Tensor:
    """Symmetric positive definite matrices."""
    return x @ x.mT + torch.full(x.shape[-1:], 5.0).diag()


#: Shape of one item, and a function of a batch of them.
CASES: dict[str, tuple[tuple[int, ...], Function]] = {
    # Products
    "linear": ((5,), lambda x: F.linear(x, weight(3, 5), weight(3))),
    "linear without bias": ((4, 5), lambda x: F.linear(x, weight(3, 5))),
    "matmul": ((4, 5), lambda x: x @ weight(5, 3)),
    "bmm": ((4, 5), lambda x: torch.bmm(x, x.mT)),
    "bilinear": ((5,), lambda x: F.bilinear(x, x, weight(3, 5, 5))),
    "einsum": ((4, 5), lambda x: torch.einsum("bij,bkj->bik", x, x)),
    "cdist": ((4, 5), lambda x: torch.cdist(x, x)),
    # Convolutions
    "conv1d": ((4, 9), lambda x: F.conv1d(x, weight(6, 4, 3), weight(6))),
    "conv2d": ((4, 9, 9), lambda x: F.conv2d(x, weight(6, 4, 3, 3), stride=2, padding=1)),
    "conv2d in groups": ((4, 9, 9), lambda x: F.conv2d(x, weight(8, 1, 3, 3), groups=4)),
    "conv3d": ((2, 5, 5, 5), lambda x: F.conv3d(x, weight(3, 2, 3, 3, 3))),
    "conv_transpose2d": ((4, 5, 5), lambda x: F.conv_transpose2d(x, weight(4, 3, 3, 3), stride=2)),
    # Pooling and resizing
    "max_pool2d": ((3, 8, 8), lambda x: F.max_pool2d(x, 2)),
    "avg_pool2d": ((3, 8, 8), lambda x: F.avg_pool2d(x, 3, padding=1)),
    "adaptive_avg_pool2d": ((3, 8, 8), lambda x: F.adaptive_avg_pool2d(x, 3)),
    "adaptive_max_pool2d": ((3, 8, 8), lambda x: F.adaptive_max_pool2d(x, 3)),
    "lp_pool2d": ((3, 8, 8), lambda x: F.lp_pool2d(x, 2, 2)),
    "bilinear resizing": ((3, 8, 8), lambda x: F.interpolate(x, scale_factor=2, mode="bilinear")),
    "bicubic resizing": ((3, 8, 8), lambda x: F.interpolate(x, scale_factor=2, mode="bicubic")),
    "fold": ((12, 16), lambda x: F.fold(x, (8, 8), 2, stride=2)),
    "grid_sample": (
        (3, 8, 8),
        lambda x: F.grid_sample(x, torch.zeros(len(x), 4, 4, 2), align_corners=False),
    ),
    # Norms over features
    "layer_norm": ((4, 6), lambda x: F.layer_norm(x, (6,), weight(6), weight(6))),
    "rms_norm": ((4, 6), lambda x: F.rms_norm(x, (6,), weight(6))),
    "group_norm": ((4, 6), lambda x: F.group_norm(x, 2, weight(4), weight(4))),
    "instance_norm": ((4, 6), lambda x: F.instance_norm(x)),
    "batch_norm in evaluation": ((4, 6), lambda x: F.batch_norm(x, weight(4), weight(4))),
    "normalize": ((6,), lambda x: F.normalize(x)),
    "vector_norm": ((4, 6), lambda x: torch.linalg.vector_norm(x, dim=-1)),
    # Softmax and losses item by item
    "softmax": ((4, 6), lambda x: x.softmax(-1)),
    "log_softmax": ((4, 6), lambda x: x.log_softmax(1)),
    "logsumexp": ((4, 6), lambda x: x.logsumexp(-1)),
    "cross_entropy": (
        (6,),
        lambda x: F.cross_entropy(x, torch.zeros(len(x), dtype=torch.long), reduction="none"),
    ),
    "mse_loss": ((6,), lambda x: F.mse_loss(x, torch.zeros_like(x), reduction="none")),
    # Attention
    "attention": ((2, 4, 8), lambda x: F.scaled_dot_product_attention(x, x, x)),
    "causal attention": (
        (2, 4, 8),
        lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True),
    ),
    # Fourier transforms
    "fft": ((8,), lambda x: torch.fft.fft(x)),
    "rfft2": ((8, 6), lambda x: torch.fft.rfft2(x)),
    "irfft": ((8,), lambda x: torch.fft.irfft(x)),
    "stft": (
        (64,),
        lambda x: torch.stft(x, 16, window=torch.ones(16), return_complex=True),
    ),
    # Linear algebra
    "inv": ((4, 4), lambda x: torch.linalg.inv(positive(x))),
    "det": ((4, 4), lambda x: torch.linalg.det(positive(x))),
    "solve": ((4, 4), lambda x: torch.linalg.solve(positive(x), x)),
    "cholesky": ((4, 4), lambda x: torch.linalg.cholesky(positive(x))),
    "qr": ((5, 4), lambda x: torch.linalg.qr(x)),
    "svd": ((5, 4), lambda x: torch.linalg.svd(x, full_matrices=False)),
    "eigh": ((4, 4), lambda x: torch.linalg.eigh(positive(x))),
    "eig": ((4, 4), lambda x: torch.linalg.eig(x)),
    "lstsq": ((5, 4), lambda x: torch.linalg.lstsq(x, x)),
    "triangular solve": ((4, 4), lambda x: torch.linalg.solve_triangular(x, x, upper=True)),
    "matrix_exp": ((4, 4), lambda x: torch.linalg.matrix_exp(x)),
    # Element by element, along rows
    "gelu": ((4, 6), lambda x: F.gelu(x)),
    "cumsum": ((4, 6), lambda x: x.cumsum(-1)),
    "sort": ((4, 6), lambda x: x.sort(-1)),
    "topk": ((4, 6), lambda x: x.topk(2)),
    "var": ((4, 6), lambda x: x.var((1, 2))),
    "sum": ((4, 6), lambda x: x.sum((1, 2))),
    "argmax": ((4, 6), lambda x: x.argmax(-1)),
    "embedding_bag": (
        (6,),
        lambda x: F.embedding_bag(torch.zeros(x.shape, dtype=torch.long), weight(10, 3)),
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("batch", [2, 5])
def test_a_batch_costs_that_many_times_one(name: str, batch: int) -> None:
    shape, function = CASES[name]
    with one_thread():
        torch.manual_seed(0)
        one = torch.rand(1, *shape)
        many = one.repeat(batch, *(1 for _ in shape))
        single = count(lambda: function(one))
        whole = count(lambda: function(many))
    assert whole == single * batch
    assert single.flops > 0
