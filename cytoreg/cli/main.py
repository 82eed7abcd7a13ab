"""`cytoreg`: finds the command, loads only that, and turns every known error into one line and an exit status."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

import cytoreg
from cytoreg.errors import CytoregError, suggest

__all__ = ["BAD_INPUT", "BAD_USAGE", "COMMANDS", "SOME_FAILED", "main"]

COMMANDS = {  # name -> what `--help` says of it; cytoreg/cli/NAME.py holds it
    "demo": "make a small simulated study, run all of it, say where the report is",
    "init": "look at a folder of FCS files and write a first study there",
    "templates": "the shipped gating templates, what each needs and what it gates",
    "inspect": "what is in an FCS file",
    "check": "everything that would go wrong in a run, found before it starts",
    "gate": "gate one file and print its populations",
    "learn": "learn a gate from one file, drawn or labelled, for a template that carries it to others",
    "run": "gate what has changed in a study, link, analyse, report",
    "analyse": "link and test again from tables already made",
    "agree": "agreement of gatings: methods, people, centres, runs; a control chart",
    "verify": "repeat a finished run and say whether every number is the same",
    "compensate": "a spillover matrix, or spectra, from single-stain controls",
    "convert": "event data between FCS, CSV, Parquet and AnnData; de-identify them",
    "report": "draw the report again from tables already made",
    "simulate": "make a study with known truth",
}
OTHER_SPELLING = {"analyze": "analyse"}
BAD_INPUT, BAD_USAGE, SOME_FAILED, STOPPED = 1, 2, 3, 130

_HELP = """\
Usage: cytoreg COMMAND [ARGUMENTS]

Regulatory T cells and other lymphocyte subsets from FCS files, joined with clinical response.
Start with `cytoreg demo`, or with `cytoreg init FOLDER` on your own files.

Commands:
{commands}

Options:
  --version   the version, and whether gates are decided by the compiled kernel or by NumPy
  -h, --help  this page

`cytoreg COMMAND --help` explains each, with an example.
Exit status: 0 all well; 1 the input has a problem; 2 wrong usage; 3 some samples failed.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in ("-h", "--help", "help"):
        commands = "\n".join(f"  {name:<10}  {text}" for name, text in COMMANDS.items())
        sys.stdout.write(_HELP.format(commands=commands))
        sys.exit(0)
    if given[0] == "--version":
        kernel = importlib.import_module("cytoreg.gating.kernel").status()
        sys.stdout.write(f"cytoreg {cytoreg.__version__}\nkernel: {kernel}\n")
        sys.exit(0)
    name = OTHER_SPELLING.get(given[0], given[0])
    if name not in COMMANDS:
        sys.stderr.write(f"cytoreg: no such command '{given[0]}'; {suggest(given[0], COMMANDS, limit=20)}\n")
        sys.exit(BAD_USAGE)
    try:
        _call(name, given[1:])
    except CytoregError as problem:
        sys.stderr.write(f"cytoreg: {problem}\n")
        sys.exit(BAD_INPUT)
    except KeyboardInterrupt:
        sys.stderr.write("cytoreg: stopped\n")
        sys.exit(STOPPED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _call(name: str, arguments: list[str]) -> None:
    from cytoreg.cli._line import application, read_line

    command = importlib.import_module(f"cytoreg.cli.{name}").command
    given = read_line(command, arguments)
    if given is None:
        application(command)(arguments, prog_name=f"cytoreg {name}")
    else:
        command(**given)
        sys.exit(0)
