"""Files that appear only once they are whole, and who may read them."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipyflops.report import Report, written_whole
from tests.views import reports

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows knows no such rights")


@pytest.fixture(params=[0o022, 0o077, 0o002], ids=oct)
def mask(request: pytest.FixtureRequest) -> Iterator[None]:
    """The process's mask: the rights that a new file does not get."""
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.fixture(scope="module")
def report() -> Report:
    return reports.resnet()


def rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("mask")
def test_a_saved_report_has_the_rights_of_any_new_file(report: Report, tmp_path: Path) -> None:
    plain, saved = tmp_path / "plain", tmp_path / "saved"
    with open(plain, "w"):
        pass
    report.save(saved)
    assert oct(rights(saved)) == oct(rights(plain))


@pytest.mark.usefixtures("mask")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o666, 0o755], ids=oct)
def test_a_file_that_is_replaced_keeps_its_rights(
    report: Report, tmp_path: Path, mode: int
) -> None:
    path = tmp_path / "report.json"
    path.write_text("what was here before")
    path.chmod(mode)
    report.save(path)
    assert oct(rights(path)) == oct(mode)
    assert Report.load(path) == report


def test_the_rights_are_right_before_anything_is_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.touch(mode=0o600)
    with written_whole(path) as file:
        assert oct(rights(Path(file.name))) == oct(0o600)
        file.write("secret")
    assert path.read_text() == "secret"


def test_what_fails_halfway_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("before")
    with pytest.raises(TypeError), written_whole(path) as file:
        file.writelines(["half", None])  # type: ignore[list-item]
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
