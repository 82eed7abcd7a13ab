"""Compiles the gating kernel when cytoreg is built or installed.

The compiler is Zig's C compiler, which pip brings as the `ziglang` wheel; where it is not there, that of the
machine. Where neither works the install goes on without: gates are then decided by NumPy, with the same results,
and `cytoreg --version` says so and why.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zlib
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path("cytoreg") / "gating" / "kernel"
SUFFIX = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
# No contraction to fused multiply-add and no fast math: a sum must be the one that NumPy makes.
FLAGS = ["-O3", "-std=c11", "-shared", "-fPIC", "-fvisibility=hidden", "-ffp-contract=off", "-fno-fast-math"]


class KernelBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Puts the compiled kernel beside its source, for a wheel and for an editable install."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile; a wheel then is of one platform, but of any Python 3."""
        if self.target_name != "wheel":
            return
        folder = Path(self.root) / FOLDER
        why_not = build(folder)
        if why_not:
            self.app.display_warning(f"cytoreg: no compiled kernel: {why_not}")
            build_data["artifacts"].append(f"/{(FOLDER / '_kernel_not_built.txt').as_posix()}")
            return
        build_data["artifacts"].append(f"/{(FOLDER / f'_kernel{SUFFIX}').as_posix()}")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"


def build(folder: Path) -> str:
    """Compile kernel.c in a folder. Returns why it could not be done, in one line; empty if it was."""
    source, binary, note = folder / "kernel.c", folder / f"_kernel{SUFFIX}", folder / "_kernel_not_built.txt"
    note.unlink(missing_ok=True)
    stamp = zlib.crc32(source.read_bytes())
    problems = []
    for name, compiler in compilers():
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as drafts:
            draft = Path(drafts) / binary.name
            command = [*compiler, *FLAGS, f"-DKERNEL_SOURCE={stamp}", str(source), "-o", str(draft), "-lm"]
            if problem := compile_and_ask(command, draft, stamp):
                problems.append(f"{name}: {problem}")
                continue
            beside = folder / f"_kernel_{os.getpid()}.new"
            beside.write_bytes(draft.read_bytes())
            beside.replace(binary)  # in one step: a process that has the old one loaded keeps it
            return ""
    binary.unlink(missing_ok=True)
    why_not = " ".join("; ".join(problems or ["there was no C compiler when it was installed"]).split())[:300]
    note.write_text(f"{why_not}\n", encoding="utf-8")
    return why_not


def compile_and_ask(command: list[str], draft: Path, stamp: int) -> str:
    """Why what a compiler made cannot be used; empty if it can."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)  # noqa: S603
        if done.returncode != 0:
            said = done.stderr.strip().splitlines() or ["the compiler failed"]
            return next((line for line in said if "error" in line), said[0])
        made = ctypes.CDLL(str(draft))
        made.cytoreg_source.restype = ctypes.c_int64
        return "" if made.cytoreg_source() == stamp else "what was built does not answer"
    except (OSError, AttributeError, subprocess.TimeoutExpired) as problem:
        return str(problem)


def compilers() -> list[tuple[str, list[str]]]:
    """Commands that compile C for any processor of this kind, the best first."""
    found = []
    if importlib.util.find_spec("ziglang") is not None:
        found.append(("ziglang", [sys.executable, "-m", "ziglang", "cc", "-mcpu=baseline", "-s"]))
    for name in ("cc", "gcc", "clang"):
        if path := shutil.which(name):
            found.append((name, [path]))
            break
    return found
