"""Population tables from elsewhere as ours: FlowJo's exported table, openCyto's and flowDensity's counts, a lab's sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cytoreg.lazy import lazily

if TYPE_CHECKING:
    from cytoreg.tables.imported.populations import Imported, import_populations

__all__ = ["Imported", "import_populations"]

__getattr__ = lazily(__name__, {"Imported": "populations", "import_populations": "populations"})
