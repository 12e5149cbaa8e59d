"""Fourier transforms against a counted radix-2 algorithm, and all of `torch.fft` on top of them."""

import math
from collections.abc import Callable

import pytest
import torch

from tests.formulas.counted import Complex, Number, numbers, plain, root_of_unity, tally
from tests.formulas.dispatch import costs, total


def radix_2(x: list[Complex]) -> list[Complex]:
    """The textbook algorithm of Cooley and Tukey, multiplying by every twiddle factor."""
    n = len(x)
    if n == 1:
        return x
    even, odd = radix_2(x[::2]), radix_2(x[1::2])
    turned = [odd[k] * root_of_unity(k, n) for k in range(n // 2)]
    return [even[k] + turned[k] for k in range(n // 2)] + [
        even[k] - turned[k] for k in range(n // 2)
    ]


def real_radix_2(x: list[Number]) -> list[complex]:
    """N real points as N/2 complex ones, whose spectrum is taken apart at a cost of order N."""
    half = len(x) // 2
    packed = [Complex(x[2 * i], x[2 * i + 1]) for i in range(half)]
    z = radix_2(packed)
    spectrum = []
    for k in range(half + 1):
        a = z[k % half].value
        b = z[-k % half].value.conjugate()
        # Plain numbers: this part is of order N and not counted.
        spectrum.append((a + b) / 2 + root_of_unity(k, len(x)) * (a - b) / 2j)
    return spectrum


@pytest.mark.parametrize("n", [2, 8, 64])
def test_a_transform_is_what_radix_2_takes(n: int) -> None:
    signal = torch.randn(n, dtype=torch.complex128)
    with tally() as count:
        spectrum = radix_2(numbers(signal))
    torch.testing.assert_close(
        torch.tensor(plain(spectrum), dtype=torch.complex128), torch.fft.fft(signal)
    )
    assert total(lambda: torch.fft.fft(signal)) == count.flops
    # The inverse divides by n: a real factor for each complex element.
    assert total(lambda: torch.fft.ifft(signal)) == count.flops + 2 * n
    batch = signal.expand(3, 2, n)
    assert total(lambda: torch.fft.fft(batch)) == 6 * count.flops


@pytest.mark.parametrize("n", [8, 64])
def test_a_real_transform_is_half_of_a_complex_one(n: int) -> None:
    signal = torch.randn(n, dtype=torch.float64)
    with tally() as count:
        spectrum = real_radix_2(numbers(signal))
    torch.testing.assert_close(
        torch.tensor(plain(spectrum), dtype=torch.complex128), torch.fft.rfft(signal)
    )
    counted = total(lambda: torch.fft.rfft(signal))
    full = signal + 0j
    assert counted == total(lambda: torch.fft.fft(full)) / 2
    assert count.flops <= counted <= count.flops + 5 * n
    half_spectrum = torch.fft.rfft(signal)
    # The inverse has one real factor for each real element.
    assert total(lambda: torch.fft.irfft(half_spectrum)) == counted + n


def transforms_of(function: Callable[[], object]) -> list[tuple[str, int]]:
    return [(name, cost.other.value) for name, cost in costs(function) if "fft" in name]


REAL = torch.randn(3, 8, 16)
COMPLEX = torch.randn(3, 8, 16, dtype=torch.complex64)
ROW, PLANE = 5 * 16 * 4, 5 * 128 * 7  # 16 points; 8 × 16 points
BLOCK = round(5 * 384 * math.log2(384))  # all of it
HERMITIAN = 5 * 30 * math.log2(30) / 2  # 16 complex values are one side of 30 real ones

TORCH_FFT: dict[str, tuple[Callable[[], object], list[tuple[str, int]]]] = {
    "fft": (lambda: torch.fft.fft(COMPLEX), [("aten::_fft_c2c", 24 * ROW)]),
    "fft of real": (lambda: torch.fft.fft(REAL), [("aten::_fft_r2c", 24 * ROW // 2)]),
    "ifft": (lambda: torch.fft.ifft(COMPLEX), [("aten::_fft_c2c", 24 * ROW + 2 * 384)]),
    "ifft of real": (lambda: torch.fft.ifft(REAL), [("aten::_fft_r2c", 24 * ROW // 2 + 384)]),
    "fft along dim 1": (
        lambda: torch.fft.fft(COMPLEX, dim=1),
        [("aten::_fft_c2c", 48 * 5 * 8 * 3)],
    ),
    "fft, ortho": (
        lambda: torch.fft.fft(COMPLEX, norm="ortho"),
        [("aten::_fft_c2c", 24 * ROW + 2 * 384)],
    ),
    "ifft, forward": (
        lambda: torch.fft.ifft(COMPLEX, norm="forward"),
        [("aten::_fft_c2c", 24 * ROW)],
    ),
    "fft, cut to 4": (lambda: torch.fft.fft(COMPLEX, n=4), [("aten::_fft_c2c", 24 * 40)]),
    "fft, filled to 32": (
        lambda: torch.fft.fft(COMPLEX, n=32),
        [("aten::_fft_c2c", 24 * 5 * 32 * 5)],
    ),
    "fft2": (lambda: torch.fft.fft2(COMPLEX), [("aten::_fft_c2c", 3 * PLANE)]),
    "fft2 of real": (lambda: torch.fft.fft2(REAL), [("aten::_fft_c2c", 3 * PLANE)]),
    "ifft2": (lambda: torch.fft.ifft2(COMPLEX), [("aten::_fft_c2c", 3 * PLANE + 2 * 384)]),
    "fftn": (lambda: torch.fft.fftn(COMPLEX), [("aten::_fft_c2c", BLOCK)]),
    "ifftn": (lambda: torch.fft.ifftn(COMPLEX), [("aten::_fft_c2c", BLOCK + 2 * 384)]),
    "rfft": (lambda: torch.fft.rfft(REAL), [("aten::_fft_r2c", 24 * ROW // 2)]),
    "rfft, ortho": (
        lambda: torch.fft.rfft(REAL, norm="ortho"),
        [("aten::_fft_r2c", 24 * ROW // 2 + 2 * 24 * 9)],
    ),
    "irfft": (
        lambda: torch.fft.irfft(COMPLEX),
        [("aten::_fft_c2r", 24 * round(HERMITIAN) + 24 * 30)],
    ),
    "rfft2": (lambda: torch.fft.rfft2(REAL), [("aten::_fft_r2c", 3 * PLANE // 2)]),
    "irfft2": (
        lambda: torch.fft.irfft2(COMPLEX[..., :9]),
        [("aten::_fft_c2r", 3 * PLANE // 2 + 384)],
    ),
    "rfftn": (lambda: torch.fft.rfftn(REAL), [("aten::_fft_r2c", round(BLOCK / 2))]),
    "irfftn": (
        lambda: torch.fft.irfftn(COMPLEX[..., :9]),
        [("aten::_fft_c2r", round(BLOCK / 2) + 384)],
    ),
    "hfft": (lambda: torch.fft.hfft(COMPLEX), [("aten::_fft_c2r", 24 * round(HERMITIAN))]),
    "ihfft": (
        lambda: torch.fft.ihfft(REAL),
        [("aten::_fft_r2c", 24 * ROW // 2 + 2 * 24 * 9)],
    ),
    "hfft2": (  # along the columns first, then half of the rows
        lambda: torch.fft.hfft2(COMPLEX[..., :9]),
        [("aten::_fft_c2c", 27 * 5 * 8 * 3), ("aten::_fft_c2r", 24 * ROW // 2)],
    ),
    "fftfreq": (lambda: torch.fft.fftfreq(10, 0.1), [("aten::fft_fftfreq", 10)]),
    "rfftfreq": (lambda: torch.fft.rfftfreq(10, 0.1), [("aten::fft_rfftfreq", 6)]),
    "stft": (  # 16 + 1 frames of 32 points
        lambda: torch.stft(torch.randn(3, 128), 32, 8, window=None, return_complex=True),
        [("aten::_fft_r2c", 3 * 17 * 5 * 32 * 5 // 2)],
    ),
    "nothing": (
        lambda: torch.fft.fft(torch.zeros(0, 8, device="meta")),
        [("aten::_fft_r2c", 0)],
    ),
}


@pytest.mark.parametrize("name", TORCH_FFT)
@pytest.mark.filterwarnings("ignore:A window was not provided")
def test_all_of_torch_fft(name: str) -> None:
    function, expected = TORCH_FFT[name]
    assert transforms_of(function) == expected


def test_several_dims_cost_as_much_one_after_the_other() -> None:
    """Row by row and then column by column: 5·N·log2(N) adds up over the dims."""
    plane = torch.randn(8, 16, dtype=torch.complex64)
    at_once = total(lambda: torch.fft.fft2(plane))
    rows = total(lambda: torch.fft.fft(plane, dim=1))
    columns = total(lambda: torch.fft.fft(plane, dim=0))
    assert at_once == rows + columns


def test_the_inverse_short_time_transform_is_its_parts() -> None:
    window = torch.hann_window(32)
    frames = torch.stft(torch.randn(1, 128), 32, 8, window=window, return_complex=True)
    names = [
        name for name, _ in costs(lambda: torch.istft(frames, 32, 8, window=window, length=128))
    ]
    assert names.count("aten::_fft_c2r") == 1
    assert "aten::mul" in names  # by the window
