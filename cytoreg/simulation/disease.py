"""The disease model of a simulated trial: how Treg % and DAS28-CRP move with treatment and together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cytoreg.errors import StudyError, suggest
from cytoreg.simulation.biology import Composition, FloatArray

__all__ = [
    "ARMS",
    "SCENARIOS",
    "Effects",
    "Latent",
    "acr_of",
    "components",
    "das28_crp_of",
    "draw_latent",
    "effects_of",
]

ARMS = ("DMARD", "UC-MSC")


@dataclass(frozen=True)
class Effects:
    """What the treatment does and how Tregs and disease go together.

    The latent model, for subject i and visit t (day d), with s(d) = 1 - exp(-d / onset_days) and e, f
    independent standard normal:

    logit(Treg fraction of CD4+) = treg_logit + between_treg b_i + treg_rise[arm] s(d) + within_treg e_it
    DAS28-CRP = das28 + between_das28 c_i - das28_fall[arm] s(d)
                + das28_per_logit within_treg e_it + das28_noise f_it

    so that disease falls where Tregs rise, between arms, over visits, and within a patient. `_control` is the
    arm DMARD and `_cells` the arm UC-MSC.
    """

    treg_logit: float = -3.05
    """Logit of the baseline fraction: 4.5 % of CD4+."""
    between_treg: float = 0.30
    within_treg: float = 0.34
    treg_rise_control: float = 0.0
    treg_rise_cells: float = 0.45
    """Eventual change of the logit; 0.45 takes 4.5 % to 6.9 %."""
    das28: float = 5.5
    between_das28: float = 0.50
    das28_noise: float = 0.40
    das28_per_logit: float = -1.6
    """Points of DAS28 that go with one logit of Treg fraction within a patient."""
    das28_fall_control: float = 0.5
    das28_fall_cells: float = 1.5
    cytokine_fall_control: float = 0.05
    cytokine_fall_cells: float = 0.50
    """Eventual fall of the natural logarithm of TNF-alpha and IL-6."""
    onset_days: float = 20.0

    def per_arm(self, stem: str) -> FloatArray:
        """(2,), in the order of `ARMS`."""
        return np.array([getattr(self, f"{stem}_control"), getattr(self, f"{stem}_cells")])


_EFFECTS = Effects()
SCENARIOS: Mapping[str, Effects] = {
    "effects": _EFFECTS,
    "null": Effects(
        treg_rise_cells=0.0,
        das28_fall_control=0.0,
        das28_fall_cells=0.0,
        cytokine_fall_control=0.0,
        cytokine_fall_cells=0.0,
        das28_per_logit=0.0,
        das28_noise=0.68,
    ),
    # both change with arm and time, in no patient one with the other: a crude correlation is a trap
    "shared_trend": replace(_EFFECTS, das28_per_logit=0.0, das28_noise=0.68),
}


@dataclass(frozen=True, eq=False)
class Latent:
    """The truth of n subjects at v visits: arm (n,) index into `ARMS`; the others (n, v).

    treg is the fraction of CD4+; das28 the score before its components are rounded to joints and millimetres;
    log_cytokine the common part of ln TNF-alpha and ln IL-6. activated to lymphocytes: the fields of
    `Composition` that differ from patient to patient.
    """

    arm: NDArray[np.intp]
    treg: FloatArray
    das28: FloatArray
    log_cytokine: FloatArray
    activated: FloatArray
    naive: FloatArray
    cd4_of_cd3: FloatArray
    cd3_of_lymphocytes: FloatArray
    lymphocytes: FloatArray

    def blood(self, subject: int | slice, visit: int | slice) -> Composition:
        """The white cells of one subject's visit, or arrays of them for slices."""
        at = (subject, visit)
        return Composition(
            treg_of_cd4=self.treg[at],
            activated_of_cd4=self.activated[at],
            naive_of_rest=self.naive[at],
            cd4_of_cd3=self.cd4_of_cd3[at],
            cd3_of_lymphocytes=self.cd3_of_lymphocytes[at],
            lymphocytes=self.lymphocytes[at],
        )


def effects_of(scenario: str | Effects) -> tuple[Effects, str]:
    """The effects of a named scenario, and its name; StudyError for a name there is not."""
    if isinstance(scenario, Effects):
        return scenario, "custom"
    if scenario not in SCENARIOS:
        raise StudyError(f"simulated scenario '{scenario}': {suggest(scenario, SCENARIOS)}")
    return SCENARIOS[scenario], scenario


def draw_latent(
    arm: NDArray[np.intp],
    days: FloatArray,
    effects: Effects,
    rng: np.random.Generator,
) -> Latent:
    """The latent truth of subjects in these arms (n,) at these days (v,), after the model of `Effects`."""
    shape = (len(arm), len(days))
    reached = 1 - np.exp(-days / effects.onset_days)

    def subject(spread: float) -> FloatArray:
        return spread * rng.standard_normal((shape[0], 1))

    def visit(spread: float) -> FloatArray:
        return spread * rng.standard_normal(shape)

    e = visit(effects.within_treg)
    treg = (
        effects.treg_logit
        + subject(effects.between_treg)
        + effects.per_arm("treg_rise")[arm][:, None] * reached
        + e
    )
    das28 = effects.das28 + subject(effects.between_das28) - effects.per_arm("das28_fall")[arm][:, None] * reached
    das28 = das28 + effects.das28_per_logit * e + visit(effects.das28_noise)
    fall = effects.per_arm("cytokine_fall")[arm][:, None] * reached
    default = Composition()

    def around(fraction: float | FloatArray, between: float, within: float) -> FloatArray:
        return _expit(_logit(np.asarray(fraction)) + subject(between) + visit(within))

    return Latent(
        arm=arm,
        treg=_expit(treg),
        das28=das28,
        log_cytokine=subject(0.35) + visit(0.15) - fall,
        activated=around(default.activated_of_cd4, 0.20, 0.05),
        naive=around(default.naive_of_rest, 0.35, 0.06),
        cd4_of_cd3=around(default.cd4_of_cd3, 0.25, 0.06),
        cd3_of_lymphocytes=around(default.cd3_of_lymphocytes, 0.25, 0.08),
        lymphocytes=around(default.lymphocytes, 0.22, 0.08),
    )


def components(das28: FloatArray, log_cytokine: FloatArray, rng: np.random.Generator) -> dict[str, FloatArray]:
    """What the clinic writes down at visits of these latent DAS28-CRP (n, v): each (n, v).

    CRP, swollen joints and the patient's global are drawn about what such a score has; tender joints make up
    the rest as a whole number, and the patient's global, in whole mm, the remainder, so that the DAS28-CRP
    computed from them is within 0.01 of the latent one unless a bound (28 joints, 0 or 100 mm) is met.
    """

    def noise(spread: float, *, of_subject: bool = False) -> FloatArray:
        return spread * rng.standard_normal((das28.shape[0], 1) if of_subject else das28.shape)

    level = das28 - 0.96
    crp = np.round(np.maximum(np.expm1(0.6 + 0.50 * level + noise(0.3, of_subject=True) + noise(0.25)), 0.2), 1)
    swollen28 = np.clip(np.rint(np.maximum(0.10 + 0.55 * level + noise(0.4), 0) ** 2), 0, 28)
    wished = np.clip(6 + 12 * level + noise(8), 4, 96)
    known = 0.28 * np.sqrt(swollen28) + 0.36 * np.log1p(crp)
    tender28 = np.clip(np.rint((np.maximum(level - known - 0.014 * wished, 0) / 0.56) ** 2), 0, 28)
    patient_global = np.clip(np.rint((level - known - 0.56 * np.sqrt(tender28)) / 0.014), 0, 100)
    haq = 0.38 * level - 0.35 + noise(0.30, of_subject=True) + noise(0.10)
    return {
        "tender28": tender28.astype(int),
        "swollen28": swollen28.astype(int),
        "tender68": (tender28 + rng.binomial(40, np.clip(tender28 / 45, 0.01, 0.9))).astype(int),
        "swollen66": (swollen28 + rng.binomial(38, np.clip(swollen28 / 60, 0.01, 0.9))).astype(int),
        "crp": crp,
        "esr": np.clip(np.rint(np.exp(1.9 + 0.48 * np.log1p(crp) + noise(0.22))), 2, 140).astype(int),
        "patient_global": patient_global.astype(int),
        "evaluator_global": np.clip(np.rint(2 + 11.5 * level + noise(6)), 0, 100).astype(int),
        "pain": np.clip(np.rint(0.7 * patient_global + 0.3 * wished + noise(5)), 0, 100).astype(int),
        "haq_di": np.clip(np.rint(haq * 8) / 8, 0, 3),
        "tnf_alpha": np.round(np.exp(3.0 + log_cytokine + noise(0.15)), 1),
        "il6": np.round(np.exp(3.3 + 1.1 * log_cytokine + 0.10 * (das28 - 5.5) + noise(0.25)), 1),
    }


def das28_crp_of(parts: Mapping[str, FloatArray]) -> FloatArray:
    """DAS28-CRP of whole arrays of components, by the formula that `cytoreg.clinical.das28_crp` cites."""
    joints = 0.56 * np.sqrt(parts["tender28"]) + 0.28 * np.sqrt(parts["swollen28"])
    return joints + 0.36 * np.log1p(parts["crp"]) + 0.014 * parts["patient_global"] + 0.96


def acr_of(parts: Mapping[str, FloatArray], level: float) -> NDArray[np.bool_]:
    """ACR response of each visit against the first, (n, v), by the rule that `cytoreg.clinical.acr` cites, of whole
    arrays of components without gaps; the first column is without meaning.
    """

    def improved(name: str) -> NDArray[np.bool_]:
        before = np.asarray(parts[name], dtype=float)[:, :1]
        return (np.asarray(parts[name]) <= before * (1 - level / 100) + 1e-9) & (before > 0)

    five = ("patient_global", "evaluator_global", "pain", "haq_di", "crp")
    enough: NDArray[np.bool_] = np.sum([improved(name) for name in five], axis=0) >= 3
    return enough & improved("tender68") & improved("swollen66")


def _logit(p: FloatArray) -> FloatArray:
    return np.log(p / (1 - p))


def _expit(x: FloatArray) -> FloatArray:
    return 1 / (1 + np.exp(-x))
