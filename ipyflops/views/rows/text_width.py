"""How wide a text is, and texts that are cut in their middle to fit: no font is read.

Which font a page writes with is not known here, so widths are those of a wide one, and a text that
fits here fits there.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

#: Widths in em, as DejaVu Sans has them, which is wider than what most pages use.
_NARROW, _USUAL, _BROAD = 0.41, 0.64, 0.99
_OF_ASCII = {
    **dict.fromkeys("ijl'|!.,:;I ", 0.36),
    **dict.fromkeys('()[]frt"/\\-', _NARROW),
    **dict.fromkeys("ABCDGHKNOQRUVXY&", 0.79),
    **dict.fromkeys("mMW@%w+=<>~^#", _BROAD),
}
#: What East Asian fonts draw in a full square, and pictures, which may be larger.
_FULL, _PICTURE = 1.02, 1.4
_FIRST_PICTURE = 0x1F000


@lru_cache(4096)
def _of_character(character: str) -> float:
    if character.isascii():
        return _OF_ASCII.get(character, _USUAL)
    if ord(character) >= _FIRST_PICTURE and unicodedata.category(character) == "So":
        return _PICTURE
    if unicodedata.east_asian_width(character) in "WF":
        return _FULL
    return 0.0 if _goes_with_the_last(character) else 0.8


def _goes_with_the_last(character: str) -> bool:
    """Whether it changes the character before: an accent, a joiner, a choice of form."""
    return unicodedata.category(character) in ("Mn", "Me", "Cf")


def width_of(text: str) -> float:
    """Give the width of a text in em, at least what a page gives it.

    Examples
    --------
    >>> width_of("il") < width_of("mw") < width_of("層層")
    True
    """
    return sum(map(_of_character, text))


def fitted(text: str, room: float) -> str:
    """Cut the middle out of a text that is wider than `room` em.

    Of the end as much is kept as of the start: names of layers and operators differ there.

    Examples
    --------
    >>> fitted("aten::convolution_backward", 9), fitted("relu", 9)
    ('aten::c…ckward', 'relu')
    """
    if width_of(text) <= room:
        return text
    left = room - _of_character("…")
    start, end = 0, len(text)
    while start < end:
        from_start = start <= len(text) - end
        step = _next(text, start) if from_start else _last(text, end)
        part = text[start:step] if from_start else text[step:end]
        left -= width_of(part)
        if left < 0:
            break
        start, end = (step, end) if from_start else (start, step)
    return f"{text[:start]}…{text[end:]}"


def _next(text: str, start: int) -> int:
    """Where the character that begins at `start` ends, with what goes with it."""
    end = start + 1
    while end < len(text) and _goes_with_the_last(text[end]):
        end += 1
    return end


def _last(text: str, end: int) -> int:
    """Where the character that ends at `end` begins."""
    start = end - 1
    while start > 0 and _goes_with_the_last(text[start]):
        start -= 1
    return start
