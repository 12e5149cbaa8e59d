"""What the views write stays what somebody has looked at."""

import pytest

from tests.views import golden


@pytest.mark.parametrize("name", golden.CASES)
def test_it_is_as_it_was(name: str) -> None:
    assert golden.CASES[name]() + "\n" == golden.path(name).read_text(encoding="utf-8")


def test_no_file_is_left_over() -> None:
    assert {file.name for file in golden.FOLDER.iterdir()} == set(golden.CASES)
