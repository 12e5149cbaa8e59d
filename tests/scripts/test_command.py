"""`python -m ipyflops`: scripts run as they would without, and a report follows."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from ipyflops import Report
from ipyflops.scripts import main

#: A product of 4×8 and 8×16: 2·4·8·16 = 1,024 FLOPs.
SCRIPT = """\
import sys
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(8, 16, bias=False)

    def forward(self, x):
        return self.linear(x)

if __name__ == "__main__":
    net = Net()
    y = net(torch.ones(4, 8))
    print("arguments", sys.argv, y.shape)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "train.py").write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_script_runs_as_main_with_its_own_arguments(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sys.modules["__main__"], sys.argv, list(sys.path)
    assert main(["train.py", "--by", "me", "-c", "x"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("arguments ['train.py', '--by', 'me', '-c', 'x'] torch.Size([4, 16])\n")
    assert "1.02 kFLOPs · 512 MACs" in out
    assert "net Net" in out
    assert (sys.modules["__main__"], sys.argv, sys.path) == before


def test_a_module_runs_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    package = folder / "counted_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(
        "import sys, torch\nfrom . import helper\nprint(__package__, sys.argv[1:])\nhelper.run()"
    )
    (package / "helper.py").write_text(
        "import torch\ndef run(): torch.ones(2, 2) @ torch.ones(2, 2)"
    )
    sys.path.insert(0, str(folder))
    try:
        assert main(["-c", "contractions", "-m", "counted_package", "-x"]) == 0
        assert main(["-q", "-m", "counted_package.helper"]) == 0
    finally:
        sys.path.remove(str(folder))
        for name in [one for one in sys.modules if one.startswith("counted_package")]:
            del sys.modules[name]
    out = capsys.readouterr().out
    assert out.startswith("counted_package ['-x']\n16 FLOPs · 8 MACs")


def test_its_lines_are_named_after_its_file(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--by", "lines", "train.py"]) == 0
    out = capsys.readouterr().out
    assert "y = net(torch.ones(4, 8))" in out
    assert "return self.linear(x)" in out


@pytest.mark.parametrize(
    ("last", "status", "err"),
    [
        ("sys.exit()", 0, ""),
        ("sys.exit(7)", 7, ""),
        ("sys.exit('no data')", 1, "no data\n"),
        ("raise KeyboardInterrupt", 130, "KeyboardInterrupt"),
    ],
)
def test_exit_codes_are_the_scripts(
    folder: Path, capsys: pytest.CaptureFixture[str], last: str, status: int, err: str
) -> None:
    (folder / "train.py").write_text(f"{SCRIPT}    {last}\n")
    assert main(["train.py"]) == status
    said = capsys.readouterr()
    assert err in said.err
    assert "1.02 kFLOPs" in said.out


def test_a_traceback_is_the_scripts_alone(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)  # torch.distributed has its own
    (folder / "train.py").write_text(f"{SCRIPT}    net(torch.ones(4, 9))\n")
    assert main(["train.py"]) == 1
    said = capsys.readouterr()
    lines = said.err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert f'File "{folder / "train.py"}", line 16, in <module>' in lines[1]
    assert "ipyflops" not in said.err
    assert lines[-1].startswith("RuntimeError: mat1 and mat2 shapes cannot be multiplied")
    assert "incomplete: RuntimeError" in said.out
    assert "1.02 kFLOPs" in said.out


def test_a_syntax_error_is_python_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "train.py").write_text("def (\n")
    assert main(["train.py"]) == 1
    err = capsys.readouterr().err
    assert f'File "{folder / "train.py"}", line 1' in err
    assert "SyntaxError" in err


def test_what_it_writes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "train.py").write_text(f"import os\n{SCRIPT}    os.chdir('/')\n")
    where = os.getcwd()
    try:
        options = ["-q", "--save", "a.json", "--html", "a.html", "--on", "H100", "--per", "4:token"]
        assert main([*options, "train.py"]) == 0
    finally:
        os.chdir(where)
    assert "FLOPs" not in capsys.readouterr().out
    assert Report.load(folder / "a.json").flops == 1024
    page = (folder / "a.html").read_text()
    assert page.startswith("<!doctype html>")
    assert page.count("<html") == page.count("</html>") == 1
    for text in ("1.02 kFLOPs", "H100 SXM", "256 FLOPs per token", "net"):
        assert text in page
    assert "src=" not in page
    assert "<script" not in page


def test_show_and_diff(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["-q", "--save", "a.json", "train.py"])
    (folder / "train.py").write_text(SCRIPT.replace("8, 16", "8, 32"))
    main(["-q", "--save", "b.json", "train.py"])
    capsys.readouterr()
    assert main(["show", "a.json", "-c", "article", "--by", "operators"]) == 0
    out = capsys.readouterr().out
    assert "[article]" in out
    assert "aten::mm" in out
    assert main(["--html", "d.html", "diff", "a.json", "b.json"]) == 0
    assert "×2.00" in capsys.readouterr().out
    assert "×2.00" in (folder / "d.html").read_text()


def test_a_dry_run_with_memory(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    huge = SCRIPT.replace("8, 16", "100_000, 1_000_000").replace("4, 8", "4, 100_000")
    (folder / "train.py").write_text(huge)
    assert main(["--fake", "--memory", "--on", "H100", "train.py"]) == 0
    out = capsys.readouterr().out
    # 2·4·10⁵·10⁶ FLOPs; the weight alone has 4·10¹¹ bytes.
    assert "800 GFLOPs" in out
    assert "does not fit in 80.0 GB: 400 GB" in " ".join(out.split())
    (folder / "train.py").write_text(f"{SCRIPT}    if y.sum() > 0: pass\n")
    assert main(["--fake", "train.py"]) == 1
    said = capsys.readouterr()
    assert "train.py" in said.err
    # The product, and the sum of its 4·16 elements.
    assert "1.09 kFLOPs" in said.out
    assert main(["--fake=cuda", "-q", "train.py"]) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone.py"], "ipyflops: there is no script gone.py: No such file or directory"),
        (["-m", "gone_module"], "ipyflops: there is no module gone_module"),
        (["-m", "gone_module.part"], "ipyflops: there is no module gone_module.part"),
        (["-m"], "-m needs the name of a module"),
        (["show"], "show takes one file"),
        (["show", "gone.json"], "ipyflops: gone.json cannot be read: No such file or directory"),
        (["show", "."], "ipyflops: . cannot be read: Is a directory"),
        (["diff", "gone.json", "gone.json"], "ipyflops: gone.json cannot be read: No such file"),
        (["show", "train.py"], "ipyflops: "),
        (["diff", "a.json"], "diff takes two files"),
        (["--on", "H10", "train.py"], "there is no data sheet of 'H10'; did you mean H100"),
        (["--on", "H100@2", "train.py"], "more than 0 and at most 1"),
        (["--on", "H100@fast", "train.py"], "not fast"),
        (["--per", "many", "train.py"], "as 128:token, not 'many'"),
        (["--depth", "-1", "train.py"], "--depth"),
        (["--fake=tpu", "train.py"], "cuda device alone, not for 'tpu'"),
        (["--conv", "article", "train.py"], "--conv"),
        (["--save", ".", "train.py"], "--save takes a file, and . is a folder"),
        (["--html", "gone/a.html", "train.py"], "there is no folder"),
        (["show", "--bad", "a.json"], "show has no option --bad"),
        ([], "usage: python -m ipyflops"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence_with_exit_code_2(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert "Traceback" not in said.err
    assert "[Errno" not in said.err
    assert "arguments" not in said.out


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "--memory" in capsys.readouterr().out


def test_in_a_process_of_its_own(folder: Path) -> None:
    """What a script can only find there: itself for pickle, atexit, and its exit status."""
    (folder / "own.py").write_text(
        "import atexit, pickle, sys, torch\n"
        "class Point: pass\n"
        "open('point', 'wb').write(pickle.dumps(Point()))\n"
        "torch.ones(2, 2) @ torch.ones(2, 2)\n"
        "atexit.register(print, 'the end')\n"
        "sys.exit(5)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "ipyflops", "-c", "contractions", "own.py"],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.returncode == 5, done.stderr
    assert "16 FLOPs · 8 MACs" in done.stdout
    assert done.stdout.rstrip().endswith("the end")
    assert b"__main__" in (folder / "point").read_bytes()
    with pytest.raises(AttributeError):
        pickle.loads((folder / "point").read_bytes())
    assert json.dumps(done.stderr) == '""'
