"""The command line: one file a command, thin, each loaded when it is called."""

from cytoreg.cli.main import main

__all__ = ["main"]
