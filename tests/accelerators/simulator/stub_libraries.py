"""Makes libraries with the names of NVIDIA's, so that PyTorch's CUDA build can be loaded.

PyTorch's own libraries say which functions they want, and from which library. Functions that have
to do something are written in `runtime/` (the CUDA runtime) and in `libraries/` (one file for each
of the others). All the rest do nothing: what creates something gives a handle, and all of them
report success.
"""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).parent
RUNTIME = "libcudart.so.13"
#: Libraries that PyTorch wants to load, also where it takes no function with a version from them.
WANTED = (
    "libcublas.so.13",
    "libcublasLt.so.13",
    "libcuda.so.1",
    "libcudnn.so.9",
    "libcufft.so.12",
    "libcufile.so.0",
    "libcupti.so.13",
    "libcurand.so.10",
    "libcusolver.so.12",
    "libcusparse.so.12",
    "libcusparseLt.so.0",
    "libnccl.so.2",
    "libnvrtc.so.13",
    "libnvshmem_host.so.3",
)
#: By the beginning of a name, the library of a function that is wanted without a version.
BY_NAME = (
    (r"nccl", "libnccl.so.2"),
    (r"cusparseLt", "libcusparseLt.so.0"),
    (r"cuFile", "libcufile.so.0"),
    (r"nvrtc", "libnvrtc.so.13"),
    (r"nvshmem", "libnvshmem_host.so.3"),
    (r"cu[A-Z]", "libcuda.so.1"),
)
#: Versions of symbols that are not NVIDIA's.
_FOREIGN = re.compile(r"GLIBC|GCC|CXXABI|GOMP|OMP_")
#: Functions whose first argument is where a handle goes.
_GIVES_HANDLE = re.compile(
    r"Create|CommInit|Retain|CtxGetCurrent|ModuleLoad|ModuleGetFunction|LinkCreate"
)
#: Of these the first argument is something else, although the name says "Create".
_GIVES_NO_HANDLE = re.compile(r"^cusparseLt|^cublasLtMatmulAlgo|Generate$")


def wanted_functions(torch_libraries: Path) -> dict[str, dict[str, str | None]]:
    """Give the functions that PyTorch wants: by library, each with the version of its symbol."""
    wanted: dict[str, dict[str, str | None]] = defaultdict(dict)
    for name, version in _undefined_symbols(torch_libraries):
        if version is None:
            library = next((one for begin, one in BY_NAME if re.match(begin, name)), None)
            if library is not None:
                wanted[library].setdefault(name, None)
        elif not _FOREIGN.match(version):
            library = "libnvshmem_host.so.3" if version == "NVSHMEM" else version
            wanted[library][name] = version
    for library in WANTED:
        wanted.setdefault(library, {})
    return wanted


def build(torch_libraries: Path, headers: Path, to: Path) -> None:
    """Build all libraries.

    Parameters
    ----------
    torch_libraries : Path
        The folder of PyTorch's own libraries.
    headers : Path
        The folder with ``driver_types.h``.
    to : Path
        Where the libraries go.
    """
    objects = to / "objects"
    objects.mkdir(parents=True, exist_ok=True)
    (objects / "crt").mkdir(exist_ok=True)
    # The only header of the compiler's that `driver_types.h` includes.
    (objects / "crt" / "host_defines.h").write_text((HERE / "runtime/host_defines.h").read_text())
    runtime = [_compiled(path, objects, headers) for path in sorted(HERE.glob("runtime/*.cpp"))]
    wanted = wanted_functions(torch_libraries)
    # The runtime comes first: the kernels of the others run there.
    for library, functions in sorted(wanted.items(), key=lambda one: one[0] != RUNTIME):
        written = HERE / "libraries" / f"{library.partition('.')[0]}.c"
        parts = [_compiled(written, objects, headers)] if written.exists() else []
        parts = runtime if library == RUNTIME else parts
        missing = sorted(set(functions) - _defined_in(parts))
        stubs = objects / f"{library}.stubs.c"
        handles = library != RUNTIME
        stubs.write_text("static char handle[64];\n" + "".join(_stub(n, handles) for n in missing))
        versions = {version for version in functions.values() if version}
        script = objects / f"{library}.map"
        script.write_text("".join(f"{version} {{ global: *; }};\n" for version in versions))
        _run(
            *("g++", "-shared", "-fPIC", "-o", to / library, f"-Wl,-soname,{library}"),
            *([f"-Wl,--version-script={script}"] if versions else []),
            *(_compiled(stubs, objects, headers), *parts),
            *(() if library == RUNTIME else (to / RUNTIME,)),
        )


def _stub(name: str, gives_handles: bool) -> str:
    if gives_handles and _GIVES_HANDLE.search(name) and not _GIVES_NO_HANDLE.search(name):
        return f"int {name}(void** made) {{ *made = handle; return 0; }}\n"
    return f"int {name}(void) {{ return 0; }}\n"


def _undefined_symbols(folder: Path) -> Iterable[tuple[str, str | None]]:
    for library in sorted(folder.glob("*.so*")):
        for line in _run("nm", "-D", "--undefined-only", library).splitlines():
            name, _, version = line.split()[-1].partition("@")
            yield name, version.lstrip("@") or None


def _defined_in(objects: list[Path]) -> set[str]:
    lines = [line.split() for one in objects for line in _run("nm", one).splitlines()]
    return {line[-1] for line in lines if len(line) == 3 and line[1] == "T"}


def _compiled(source: Path, objects: Path, headers: Path) -> Path:
    made = objects / f"{source.name}.o"
    compiler = ("gcc",) if source.suffix == ".c" else ("g++", "-std=c++17")
    include = (f"-I{objects}", f"-I{headers}")
    _run(*compiler, "-O1", "-fPIC", "-w", "-c", *include, source, "-o", made)
    return made


def _run(*command: object) -> str:
    done = subprocess.run([str(one) for one in command], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.strip()[-2000:]}")
    return done.stdout
