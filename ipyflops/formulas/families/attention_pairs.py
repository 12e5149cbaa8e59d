"""Which pairs of a query and a key an attention kernel works on.

Without a mask that the kernel knows, it is every pair. A causal kernel leaves out most of the pairs
above the diagonal. Which ones exactly differs from kernel to kernel.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Pairs:
    """The pairs of one head, and the queries that have a key at all.

    Attributes
    ----------
    count, rows : str
        Expressions for how many pairs and how many such queries there are.
    symbols : mapping of str to int
        The values of the symbols in the two.
    note : str
        What a reader has to know of them.
    """

    count: str
    rows: str
    symbols: Mapping[str, int] = field(default_factory=dict)
    note: str = ""


def all_pairs(queries: int, keys: int) -> Pairs:
    """Every query with every key.

    Examples
    --------
    >>> all_pairs(3, 4).count
    's_q·s_k'
    """
    return Pairs("s_q·s_k", "s_q" if keys else "0", {"s_q": queries, "s_k": keys})


def causal(queries: int, keys: int, *, bottom_right: bool) -> Pairs:
    """Pairs on or below the diagonal, which starts at the first query and key or ends at the last.

    The kernels skip the upper triangle block by block, so that along the diagonal up to a block
    more is computed and masked; how large a block is depends on the device. That is not counted.

    Parameters
    ----------
    queries, keys : int
        How many there are.
    bottom_right : bool
        Whether the last query sees all keys (else: the first query sees the first key).
    """
    symbols = {"s_q": queries, "s_k": keys}
    corner = "bottom right" if bottom_right else "top left"
    note = f"causal: the pairs on or below the diagonal (aligned {corner}) are counted"
    triangle_q, triangle_k = "s_q·(s_q + 1)/2", "s_k·(s_k + 1)/2"
    if queries == keys:
        return Pairs(triangle_q, "s_q", symbols, note)
    if bottom_right and queries > keys:
        return Pairs(triangle_k, "s_k", symbols, note)
    if bottom_right:
        return Pairs(f"({triangle_q} + s_q·(s_k − s_q))", "s_q", symbols, note)
    if queries > keys:
        rows = "s_q" if keys else "0"
        return Pairs(f"({triangle_k} + s_k·(s_q − s_k))", rows, symbols, note)
    return Pairs(triangle_q, "s_q", symbols, note)


@dataclass(frozen=True, slots=True)
class Band:
    """A limit on the keys that a query sees, around the key that it stands at.

    Attributes
    ----------
    left, right : int or None
        How many keys before and behind; None for no limit. A causal kernel has a `right` of 0.
    bottom_right : bool
        Whether the last query stands at the last key (else: the first query at the first key).
    """

    left: int | None = None
    right: int | None = None
    bottom_right: bool = True

    @property
    def limits(self) -> bool:
        """Whether there is a limit at all."""
        return self.left is not None or self.right is not None


def sequences(lengths: Iterable[tuple[int, int]], band: Band) -> Pairs:
    """The pairs of sequences of different lengths, queries and keys, each with itself."""
    pairs = rows = count = 0
    for queries, keys in lengths:
        more_pairs, more_rows = _in_band(queries, keys, band)
        pairs, rows, count = pairs + more_pairs, rows + more_rows, count + 1
    limits = ", inside the causal triangle or window" if band.limits else ""
    note = f"pairs and rows (queries with a key): summed over {count:,} sequences{limits}"
    return Pairs("pairs", "rows", {"pairs": pairs, "rows": rows}, note)


def _in_band(queries: int, keys: int, band: Band) -> tuple[int, int]:
    """How many pairs there are in a band, and how many queries have a key in it.

    Query i stands at the key i + shift. It sees the keys before i + shift + right + 1, less those
    before i + shift − left.
    """
    shift = keys - queries if band.bottom_right else 0
    left, right = band.left, band.right
    before = queries * keys if right is None else _clamped_sum(queries, shift + right + 1, keys)
    missed = 0 if left is None else _clamped_sum(queries, shift - left, keys)
    first = 0 if right is None else max(0, -shift - right)
    last = queries - 1 if left is None else min(queries - 1, keys - 1 - shift + left)
    return max(before - missed, 0), max(last - first + 1, 0) if keys else 0


def _clamped_sum(count: int, start: int, limit: int) -> int:
    """The sum of start, start + 1, … (`count` terms), each kept between 0 and `limit`.

    Examples
    --------
    >>> _clamped_sum(5, -1, 2)  # 0 + 0 + 1 + 2 + 2
    5
    """

    def below(terms: int) -> int:
        return terms * (terms - 1) // 2

    low = min(max(-start, 0), count)  # terms that are 0
    high = min(max(limit - start, low), count)  # terms before `limit` is reached
    return below(start + high) - below(start + low) + (count - high) * limit


def cpu_blocks(queries: int, keys: int) -> Pairs:
    """What the causal CPU kernel computes: whole blocks of 512 keys, up to the diagonal's.

    ATen (native/cpu/FlashAttentionKernel.cpp) takes the queries in blocks of 32, 64 or 256 and for
    each walks over blocks of 512 keys, from the first until the one with the block's last query; a
    block on the diagonal is computed whole and masked. 512 is a multiple of all three, so that the
    queries 512·g … 512·g + 511 have 512·(g + 1) keys each, or all of them if there are no more.
    """
    block = 512
    n = min(queries, keys) // block
    last = min(block * (n + 1), keys)
    if n == 0:
        note = "causal: all pairs are computed, since the kernel skips blocks of 512 keys only"
        if last == keys:
            return Pairs("s_q·s_k", "s_q" if keys else "0", {"s_q": queries, "s_k": keys}, note)
        note = "causal: the kernel computes the first block of 512 keys and skips the others"
        return Pairs("s_q·512", "s_q", {"s_q": queries, "s_k": keys}, note)
    return Pairs(
        "(512·512·n·(n + 1)/2 + (s_q − 512·n)·last)",
        "s_q",
        {"s_q": queries, "s_k": keys, "n": n, "last": last},
        "causal: the kernel skips blocks of 512 keys, not single pairs; each of the first n blocks "
        "of 512 queries has 512 keys more than the one before, the queries left have `last` keys",
    )
