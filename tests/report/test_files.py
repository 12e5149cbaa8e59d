"""Files that appear only once they are whole, and who may read them."""

import os
import socket
import stat
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipyflops.costs import Cost
from ipyflops.report import MAX_FILE_BYTES, Report, ReportFormatError, written_whole
from ipyflops.report.serialization.reports import MAX_LISTS, MAX_VALUES
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


# --- what is no plain file -----------------------------------------------------------------------


def kind(path: Path) -> int:
    return stat.S_IFMT(path.lstat().st_mode)


@pytest.fixture(params=["pipe", "socket", "device", "link to a device"])
def special(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Something that is no regular file."""
    path = tmp_path / "special"
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "socket":
        with socket.socket(socket.AF_UNIX) as bound:
            here = os.open(tmp_path, os.O_RDONLY)
            try:
                # The name of a socket is short, and that of this folder may not be.
                bound.bind(
                    f"/proc/self/fd/{here}/special" if os.path.exists("/proc") else str(path)
                )
            finally:
                os.close(here)
    elif request.param == "device":
        try:
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))  # as /dev/zero, which never ends
        except PermissionError:
            path = Path("/dev/zero")
    else:
        path.symlink_to("/dev/zero")
    return path


def test_nothing_but_a_regular_file_is_replaced(report: Report, special: Path) -> None:
    before = kind(special)
    others = set(special.parent.iterdir()) if special.parent != Path("/dev") else None
    with pytest.raises(OSError, match="not a regular file"):
        report.save(special)
    assert kind(special) == before
    assert others is None or set(special.parent.iterdir()) == others


def test_nothing_but_a_regular_file_is_read(special: Path) -> None:
    """A pipe that nobody writes into would wait, and a device has no end."""
    with pytest.raises(OSError, match="not a regular file"):
        Report.load(special)


def test_a_folder_is_no_file(report: Report, tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        report.save(tmp_path)
    with pytest.raises(IsADirectoryError):
        Report.load(tmp_path)


@pytest.mark.parametrize("exists", [True, False])
def test_where_a_link_leads_is_written(report: Report, tmp_path: Path, exists: bool) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    target, link, further = folder / "report.json", tmp_path / "link", tmp_path / "further"
    if exists:
        target.touch()
        target.chmod(0o600)
    link.symlink_to("elsewhere/report.json")
    further.symlink_to(link)
    report.save(further)
    assert further.is_symlink()
    assert link.is_symlink()
    assert not target.is_symlink()
    assert Report.load(target) == Report.load(further) == report
    if exists:
        assert oct(rights(target)) == oct(0o600)
    assert list(folder.iterdir()) == [target]


def test_links_in_a_circle_are_an_error(report: Report, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.symlink_to(other)
    other.symlink_to(one)
    with pytest.raises(OSError, match=r"symbolic links|Too many"):
        report.save(one)
    assert one.is_symlink()
    with pytest.raises(OSError, match=r"symbolic links|Too many"):
        Report.load(one)


@pytest.mark.parametrize("name", ["x" * 250 + ".json", "名" * 85], ids=["letters", "characters"])
def test_the_longest_names_that_a_folder_takes_do(
    report: Report, tmp_path: Path, name: str
) -> None:
    assert len(os.fsencode(name)) == 255
    report.save(tmp_path / name)
    assert Report.load(tmp_path / name) == report
    assert [one.name for one in tmp_path.iterdir()] == [name]


def test_saving_leaves_the_mask_of_the_process(report: Report, tmp_path: Path) -> None:
    os.umask(before := os.umask(0o027))
    asked: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        # Other threads would see it: not even for a moment.
        patch.setattr(os, "umask", asked.append)
        report.save(tmp_path / "report.json")
    assert not asked
    assert os.umask(before) == before


def test_an_error_names_the_file_that_was_asked_for(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "none" / "report.json"
    with pytest.raises(FileNotFoundError) as caught:
        report.save(path)
    assert caught.value.filename == str(path)


# --- how much is read ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "piece", [b"[],", b"{},", b"[[]],", b'"",', b"1e5,", b"257,", b'"ab",', b"[" * 50], ids=str
)
def test_a_file_of_very_many_values_takes_little_memory(tmp_path: Path, piece: bytes) -> None:
    """Of 80 MB. Parsed, such a file takes up to 25 times its size."""
    path = tmp_path / "many.json"
    with path.open("wb") as file:
        file.write(b'{"format":"ipyflops report","version":1,"scopes":[')
        block = piece * (1_000_000 // len(piece))
        for _ in range(80):
            file.write(block)
        file.write(b"0]}")
    tracemalloc.start()
    try:
        with pytest.raises(ReportFormatError, match="more lists or values"):
            Report.load(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 300e6


def test_a_report_of_a_very_large_model_is_below_the_limits(tmp_path: Path) -> None:
    """One of 100,000 modules, each with an operator of its own shapes, takes half of them."""
    builder = reports.Builder()
    model = builder.scope(0, "model", "Model")
    modules = 1_000
    for index in range(modules):
        layer = builder.scope(model, f"layer{index}", "Linear", calls=1, parameters=index)
        cost = Cost.of(contraction="2·m·n·k", other="m·n", m=8, n=10**6 + index, k=768)
        shapes = f"8×{index}, {index}×768"
        builder.run(layer, "aten::mm", cost, moved=index, microseconds=index, shapes=shapes)
    large = builder.report()
    path = tmp_path / "large.json"
    large.save(path)
    assert Report.load(path) == large
    content = path.read_bytes()
    times = 100_000 // modules * 2
    assert times * len(content) < MAX_FILE_BYTES
    assert times * content.count(b"[") < MAX_LISTS
    assert times * (content.count(b",") + content.count(b"[")) < MAX_VALUES
