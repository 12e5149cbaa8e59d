"""Fresh virtual environments for rehearsals: each has what it installs itself, and PyTorch.

PyTorch is installed once, into a folder of its own, and linked into every environment: it is large,
and what is rehearsed is everything else.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


def pytorch() -> str:
    """The requirement of the PyTorch that the repository is developed with."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (found,) = re.findall(r"^TORCH := (\S+)$", makefile, re.M)
    return f"torch=={found}"


@dataclass(frozen=True)
class Environment:
    """A virtual environment."""

    folder: Path

    @property
    def bin(self) -> Path:
        return self.folder / "bin"

    @property
    def python(self) -> str:
        return str(self.bin / "python")

    @property
    def variables(self) -> dict[str, str]:
        """As after ``activate``, in a home of its own and with nothing of these tests."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "PYTEST", "IPYTHON", "JUPYTER", "VIRTUAL_ENV"))
        }
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        return {
            **kept,
            "VIRTUAL_ENV": str(self.folder),
            "PATH": f"{self.bin}{os.pathsep}{kept.get('PATH', os.defpath)}",
            "HOME": str(home),
            "XDG_CACHE_HOME": str(home / ".cache"),
            # Most modules are never imported; Python compiles those that are.
            "PIP_NO_COMPILE": "1",
        }

    def run(self, command: Sequence[str], folder: Path) -> str:
        """Run a command there; gives what it printed, and raises if it fails."""
        done = subprocess.run(
            command,
            cwd=folder,
            env=self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        if done.returncode:
            raise AssertionError(f"{' '.join(command)} failed:\n{done.stdout[-6000:]}")
        return done.stdout

    def install(self, *arguments: str) -> None:
        self.run([self.python, "-m", "pip", "install", "--quiet", *arguments], self.folder)


def install_pytorch(folder: Path) -> Path:
    """Put PyTorch and what it needs into a folder."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile"]
    subprocess.run([*command, "--target", str(folder), pytorch()], check=True)
    # Compiles what every environment imports, once for all.
    variables = {**os.environ, "PYTHONPATH": str(folder)}
    subprocess.run([sys.executable, "-c", "import torch"], env=variables, check=True)
    return folder


def make_environment(folder: Path, pytorch: Path) -> Environment:
    """An environment with nothing but pip, and PyTorch."""
    venv.create(folder, with_pip=True, symlinks=True)
    environment = Environment(folder)
    (site,) = folder.glob("lib/python*/site-packages")
    if (pytorch / "setuptools").exists():
        # Older Pythons bring one of their own; a mixture of two releases cannot be imported.
        for own in (*site.glob("setuptools*"), site / "pkg_resources", site / "_distutils_hack"):
            shutil.rmtree(own, ignore_errors=True)
    shutil.copytree(pytorch, site, copy_function=_link, dirs_exist_ok=True)
    return environment


def _link(source: str, target: str) -> None:
    """Link a file, unless the environment has its own."""
    if not os.path.exists(target):
        os.link(source, target)


def clone(folder: Path) -> Path:
    """The repository as a clone would have it, were everything committed that git may know."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, check=True, capture_output=True, encoding="utf-8",
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        source, target = ROOT / name, folder / name
        if source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
            target.chmod(source.stat().st_mode)
    return folder
