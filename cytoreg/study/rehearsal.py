"""The link and the plan tried before any gating, on tables that hold every name and no number yet.

A wrong name in a plan is known at once, not after a night of gating.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cytoreg.study.count_sources import expected_counts
from cytoreg.study.definition import Study

if TYPE_CHECKING:
    import pandas as pd

    from cytoreg.clinical.linker import Linked

__all__ = ["baseline_of", "rehearse", "samples_of"]


def rehearse(study: Study, clinical: Any, plan: Any) -> Linked:
    """Join samples without values to the clinical tables and put the plan's questions to them.

    Raises LinkError or AnalysisError as the run would.
    """
    import pandas as pd

    from cytoreg.clinical import link
    from cytoreg.clinical.linker import PER_UL_SUFFIXES

    numbers = ("value", "count", "ancestor_count", "ci_low", "ci_high", *PER_UL_SUFFIXES)
    values = [
        {
            "sample_id": tube.sample_id,
            "percentage": text,
            "cells_per_ul_by": expected_counts(study, tube, text),
            **dict.fromkeys(numbers, float("nan")),
        }
        for tube in study.tubes
        if tube.tube == "full"
        for text in study.templates[tube.panel].report
    ]
    percentages = pd.DataFrame(values, columns=["sample_id", "percentage", "cells_per_ul_by", *numbers])
    linked = link(
        samples_of(study),
        percentages if study.brought is None else study.brought.percentages,
        clinical,
        baseline=baseline_of(plan),
    )
    if plan is not None:
        from cytoreg.stats import analyse

        analyse({"linked": linked.table}, _briefly(plan))
    return linked


def samples_of(study: Study) -> pd.DataFrame:
    """A row a tube, as the join takes them."""
    import pandas as pd

    tubes = study.linked_tubes
    return pd.DataFrame(
        [{**tube.identity, "tube": tube.tube, "drawn_at": tube.drawn_at, **tube.extra} for tube in tubes],
        columns=None if tubes else ["sample_id", "subject_id", "visit", "panel", "tube"],
    )


def _briefly(plan: Any) -> Any:
    """The plan with two imputed tables: a rehearsal has to find what is wrong, not a number."""
    from cytoreg.stats.plan import ReadPlan, read_plan

    read = plan if isinstance(plan, ReadPlan) else read_plan(plan)
    said = read.plan.missing.imputation
    if said is None:
        return read
    brief = said.model_copy(update={"m": 2, "iterations": 1})
    missing = read.plan.missing.model_copy(update={"multiple_imputation": brief})
    return ReadPlan(read.plan.model_copy(update={"missing": missing}), read.document)


def baseline_of(plan: Any) -> dict[str, Any] | None:
    """The rule of a plan (a file, a mapping or one read already) by which a visit is a subject's baseline."""
    if plan is None:
        return None
    from cytoreg.stats.plan import ReadPlan, read_plan

    read = plan if isinstance(plan, ReadPlan) else read_plan(plan)
    rule = read.plan.baseline
    return {"last_on_or_before": rule.last_on_or_before, "otherwise": rule.otherwise}
