"""FlowJo workspaces: those of FlowJo 10 in and out, the older XML of FlowJo 9 in.

`workspace` and `workspace9` read the two XML forms into the same plain records (`records`); `read` makes the
template of them, with the scales of `axes` and the shapes of `shapes`; `write` makes a workspace of a template.
"""

from cytoreg.interop.flowjo.read import groups_of, read, recognises
from cytoreg.interop.flowjo.write import write

__all__ = ["groups_of", "read", "recognises", "write"]
