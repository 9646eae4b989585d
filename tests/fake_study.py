"""A study as a search writes it, made up: quantities and causes are those that an evaluation answers."""

from __future__ import annotations

import random
from typing import Any

from dse.evaluation.metrics import CarbonShares, CostShares, EnergyShares, Headroom, Metrics, PowerShares, Shares, units
from dse.evaluation.results import display
from dse.report.counterparts import area_columns

TYPICAL = {"m^2": 0.05, "USD": 3e5, "kg": 900.0, "W": 4e3, "Hz": 1.2e9, "K": 350.0, "dB": -31.4}
PARTS = {
    "shares": list(units(Shares)),
    "energy_shares": list(units(EnergyShares)),
    "area_shares": list(area_columns()),
    "cost_shares": list(units(CostShares)),
    "carbon_shares": list(units(CarbonShares)),
    "power_shares": list(units(PowerShares)),
}
LEADS = {"energy_shares": "weights", "area_shares": "engine", "cost_shares": "memory", "carbon_shares": "energy"}
PATHS = ("hw.chip.engine.frequency", "hw.levels.server.link.bandwidth", "hw.ownership.markup", "hw.chip.supply.voltage")
OBJECTIVES = [
    {"name": "tokens_per_second_per_user", "sense": "maximize", "unit": "token/s", "means": "speed a user sees"},
    {"name": "energy_per_token", "sense": "minimize", "unit": "mJ/token", "means": "of the whole system"},
    {"name": "cost_per_million_tokens", "sense": "minimize", "unit": "USD", "means": "capital and energy"},
]


def shares_of(names: Any, dice: random.Random, lead: str) -> dict[str, float]:
    weights = {name: dice.uniform(0.02, 0.3) + (0.8 if name == lead else 0.0) for name in names}
    return {name: weight / sum(weights.values()) for name, weight in weights.items()}


def lead_of(section: str, speed: float) -> str:
    """The cause that takes most."""
    return LEADS.get(section, PARTS[section][0]) if section != "shares" else "weights" if speed > 120 else "exchange"


def point(name: str, speed: float, dice: random.Random) -> dict[str, Any]:
    """A machine that pays for its speed; speed: tokens a second a user."""
    cost, energy = (
        0.06 * (speed / 60) ** 0.8 * dice.uniform(0.8, 1.25),
        0.12 * (speed / 60) ** 0.7 * dice.uniform(0.9, 1.1),
    )
    metrics = {name: TYPICAL.get(unit, 30.0) for name, unit in units(Metrics).items()}
    metrics |= {
        "time_to_first_token": 40 / speed,
        "time_per_output_token": 1 / speed,
        "tokens_per_second_per_user": speed,
    }
    metrics |= {"tokens_per_second": 60 * speed, "energy_per_token": energy, "power": 60 * speed * energy}
    metrics |= {"silicon_area": 0.0512, "system_cost": 3e5 * cost, "cost_per_million_tokens": cost}
    metrics |= {"carbon_per_million_tokens": 0.2 * energy}
    metrics |= {"junction_temperature": 350 + speed / 20, "quantisation_noise": -31.4}
    return {
        "name": name,
        "parameters": {
            "hw.chip.engine.frequency": round(0.8 + speed / 500, 2),
            "hw.chip.memory.tiers.dram.bandwidth": round(400 + 3.1 * speed, 1),
            "hw.chip.engine.cores": 256,
            "hw/fabric": "switched" if speed > 150 else "direct",
            "format": "mxint8",
        },
        "metrics": metrics,
        "headroom": dict.fromkeys(units(Headroom), 12.5) | {"memory": 2.1e9 * dice.random()},
        **{key: shares_of(names, dice, lead_of(key, speed)) for key, names in PARTS.items()},
        "bounds": {"metrics": {name: {"p5": 0.9 * value, "p50": value, "p95": 1.15 * value, "error": 0.01}
                               for name, value in metrics.items()}},
        "chance": {"works": 1.0, "front": 0.5 + dice.random() / 2},
        "sensitivity": {
            "elasticities": {one["name"]: {path: dice.uniform(-1, 1) for path in PATHS} for one in OBJECTIVES},
            "effects": {one["name"]: [{"path": PATHS[0], "unit": "Hz", "from": 1e9, "to": 1.1e9, "counted": False,
                                       "change": 0.1, "effect": 0.05, "breaks": {"power": 3.0}}] for one in OBJECTIVES},
            "words": [],
        },
        "mapping": {"tensor": 8, "pipeline": 8, "expert": 1, "data": 1, "batch": 60, "users": 60,
                    "weights": "sram", "cache": "sram"},
        "command": f"dse task=evaluate hw=system hw.chip.engine.frequency='{0.8 + speed / 500:.2f} GHz'",
    }  # fmt: skip


def study_of(count: int = 12, others: int = 200) -> dict[str, Any]:
    dice = random.Random(1)
    speeds = [60 * 1.16 ** (11 * i / max(count - 1, 1)) for i in range(count)]
    rest = {kind: [point("", dice.uniform(30, 250), dice)["metrics"] for _ in range(others // 2)] for kind in "ab"}

    def cloud(kind: str, worse: float) -> dict[str, list[float]]:
        names = [item["name"] for item in OBJECTIVES]
        scale = {names[0]: 1 / worse, names[1]: worse, names[2]: worse}
        return {name: [row[name] * scale[name] * dice.uniform(1, 1.5) for row in rest[kind]] for name in names}

    first, second = point("Server of today", 55, dice), point("Server with HBM", 90, dice)
    second |= {"feasible": False, "violations": "memory short by 2.1 GB"}
    second["headroom"]["memory"] = -2.1e9
    for baseline in (first, second):
        baseline["counterparts"] = baseline["parameters"] | {"hw/fabric": None}
        baseline["parameters"] = {}
        for beside in ("bounds", "chance", "sensitivity"):
            del baseline[beside]
        baseline["metrics"]["energy_per_token"] *= 1.6
        baseline["metrics"]["cost_per_million_tokens"] *= 1.9
    return {
        "title": "sram_or_3d_dram",
        "question": "Which memory holds the weights best for a voice agent: SRAM in the array, or DRAM stacked on it?",
        "command": "dse experiment=sram_or_3d_dram search.trials=2048",
        "created": "2026-11-21T23:10:00",
        "seed": 1,
        "versions": {"inferscape": "0.1.0", "jax": "0.10.2"},
        "commit": "abc123",
        "counts": {"evaluated": 2048, "feasible": 1400, "front": count, "space": 46080},
        "seconds": {"total": 31.2, "search": 20.0, "evaluate": 6.1, "sampler": 12.3},
        "hypervolume": 0.81,
        "finding": [
            "Stacked DRAM wins below 130 tokens a second a user, SRAM above.",
            "Every point of the front beats the server of today on energy, by 1.4 to 2.2 times.",
        ],
        "objectives": OBJECTIVES,
        "constraints": ["memory", "power", "heat"],
        "columns": display([first, second]) | {
            "area_shares": area_columns(),
            "parameters": {"hw.chip.engine.frequency": {"unit": "GHz"}, "hw.chip.engine.cores": {"unit": ""},
                           "hw.chip.memory.tiers.dram.bandwidth": {"unit": "GB/s"}, "hw/fabric": {"unit": ""},
                           "format": {"unit": ""}},
        },
        "front": [point(f"F{i + 1}", speed, dice) for i, speed in enumerate(speeds)],
        "baselines": [first, second],
        "others": {"feasible": cloud("a", 1.3), "infeasible": cloud("b", 1.2)},
        "mappings": [{"point": "F1", "objectives": [OBJECTIVES[1]["name"]], "chosen": {"tensor": 8},
                      "runners_up": [{"tensor": 4, "loses": "time per output token 20 % worse"}]}],
        "assumptions": assumptions(150),
    }  # fmt: skip


def assumptions(count: int) -> list[dict[str, str]]:
    kinds = {"published": "Data sheet, https://example.org/a, arXiv 2203.12268", "third-party": "A newsletter, 2025",
             "derived": "derived: cores times rows", "assumed": "assumed: as in the smaller part"}  # fmt: skip
    rows = []
    for i in range(count):
        kind = list(kinds)[i % 4 if i % 3 else 0]
        rows.append({"machine": ["front template", "Server of today"][i % 2], "path": f"hw.chip.engine.quantity_{i}",
                     "value": f"{i}.5 GB/s", "source": "sheet" if kind == "published" else "", "cite": kinds[kind],
                     "kind": kind, "file": f"conf/hw/chip/engine/part_{i % 5}.yaml"})  # fmt: skip
    return rows
