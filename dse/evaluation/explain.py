"""What an infeasible candidate misses: how much, out of what is there, and what would help."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from dse.evaluation.evaluate import Candidate
from dse.evaluation.holding import weight_bytes
from dse.evaluation.metrics import Headroom, units
from dse.evaluation.metrics import Mapping as Laid
from dse.evaluation.runners import Point, broken, indexed
from dse.run.numbers import amount

FAR_TOO_HOT = -100.0  # K of headroom: no balance is this far off, only leakage and refresh that drive each other
SAME = 0.02  # relative: a limit that is this near to what is missed is the one that is missed


@dataclass(frozen=True)
class Missing:
    """A limit that is not kept.

    words : what is short, by how much and of what; lever : the number that would have to move, from where to where,
    for the limit to hold; remedy : what else to try; both empty where nothing is clear.
    """

    name: str
    words: str
    lever: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{self.name}: {self.words}{remedy}"


def missing(candidate: Candidate, point: Point, names: Iterable[str] | None = None) -> list[Missing]:
    """What a point misses, the rules of its mapping first; `names`: the headrooms that count, all where none are."""
    found = [illegal(candidate, point)] if not point["legal"] else []
    for name in units(Headroom) if names is None else names:
        if point["headroom"][name] < 0:
            found.append(SAYS[name](candidate, point, -point["headroom"][name]))
    return found


def illegal(candidate: Candidate, point: Point) -> Missing:
    """The rules that the nearest mapping breaks."""
    words = broken(candidate, point, list(candidate.hw.chip.memory)) if alone(candidate) else []
    chips = int(candidate.hw.chips())
    told = "; ".join(words) or "a machine beside it has no mapping that tiles it"
    remedy = f"leave degrees of mapping.… auto, or change fan-outs: {chips} chips in all"
    return Missing("mapping", f"no mapping tiles this machine and model; the nearest breaks: {told}", remedy=remedy)


def alone(candidate: Candidate) -> bool:
    """True where the candidate is one machine."""
    return candidate.prefill is None and (candidate.draft is None or candidate.draft.hw is None)


def memory(candidate: Candidate, point: Point, short: float) -> Missing:
    """Bytes of a tier."""
    if not alone(candidate):
        return Missing("memory", f"{amount(short, 'B')} are missing in the fullest tier of one of the machines")
    name, capacity, weights = fullest(candidate, point, short)
    need = capacity + short
    words = (
        f"{amount(short, 'B')} are missing in tier {name} of a chip, which holds {amount(capacity, 'B')} and would "
        f"have to hold {amount(need, 'B')}, {need / capacity:.3g} times as much"
    )
    if weights:
        words += f" ({amount(weights, 'B')} of them weights)"
    lever = f"tier {name} of a chip from {amount(capacity, 'B')} to {amount(need, 'B')}"
    return Missing("memory", words, lever, room(candidate, point, name, need, weights))


def fullest(candidate: Candidate, point: Point, short: float) -> tuple[str, float, float]:
    """The tier that misses so many bytes, its capacity, and the bytes of weights in it."""
    tiers, mapping = capacities(candidate), point["mapping"]
    laid = Laid(**indexed(mapping, list(tiers)))
    layers = -(-float(candidate.model.layers) // mapping["pipeline"])  # of the fullest stage, whole ones
    weights, there = float(weight_bytes(candidate.model, candidate.format, laid, layers)), mapping["weights"]
    if there == mapping["cache"]:
        return there, tiers[there], weights
    if abs(weights - tiers[there] - short) < SAME * short:
        return there, tiers[there], weights
    return mapping["cache"], tiers[mapping["cache"]], 0.0


def capacities(candidate: Candidate) -> dict[str, float]:
    """Bytes of each tier of a chip."""
    chip, cold = candidate.hw.chip, candidate.hw.chip.cold()
    return {name: float(tier.bytes_held(cold)) for name, tier in chip.memory.items()}


def room(candidate: Candidate, point: Point, full: str, need: float, weights: float) -> str:
    """Where the bytes would fit: another tier, more chips, or fewer of them."""
    larger = [(size, name) for name, size in capacities(candidate).items() if name != full and size >= need]
    if larger:
        size, name = min(larger)
        moved = [kind for kind in ("weights", "cache") if point["mapping"][kind] == full]
        words = " ".join(f"mapping.{kind}={name}" for kind in moved)
        return f"tier {name} has the room, {amount(size, 'B')}: {words or name}"
    mapping = point["mapping"]
    used, chips = mapping["tensor"] * mapping["attention_data"] * mapping["pipeline"], int(candidate.hw.chips())
    if used < chips:
        return f"spread a replica over more chips, now {used} of {chips}: a larger mapping.tensor or mapping.pipeline"
    if weights > need / 2:
        return f"more chips than {chips}, or weights in fewer bits (format=…)"
    return f"fewer users than {mapping['users']} (serving.users), a shorter serving.prompt, or a cache in fewer bits"


def power(candidate: Candidate, point: Point, short: float) -> Missing:
    """Watts of a chip."""
    limit, clock = float(candidate.hw.chip.cooling.power_limit), amount(point["metrics"]["clock"], "Hz")
    if not alone(candidate):
        return Missing("power", f"{amount(short, 'W')} over the limit of a chip of one of the machines")
    words = f"{amount(short, 'W')} over the {amount(limit, 'W')} of a chip at {clock}, the slowest clock there is"
    lever = f"hw.chip.cooling.power_limit {amount(limit, 'W')} → {amount(limit + short, 'W')}"
    return Missing("power", words, lever, "what flows without a clock is too much: less leakage, fewer layers or banks")


def heat(candidate: Candidate, point: Point, short: float) -> Missing:
    """Kelvin over the first limit, which is named where the temperatures tell it."""
    if -short < FAR_TOO_HOT:
        words = (
            "does not settle: leakage and refresh feed on their own heat until nothing works, "
            f"{short:.0f} K beyond the limit"
        )
        return Missing(
            "heat", words, remedy="try fewer layers, less power, another cooled_through of a stack, or a better cooler"
        )
    remedy = "a slower hw.chip.engine.frequency, or a cooler with less hw.chip.cooling.thermal_resistance"
    path, limit = hottest(candidate, point, short) if alone(candidate) else ("", 0.0)
    if not path:
        return Missing(
            "heat", f"{amount(short, 'K')} beyond the first limit of temperature or heat flux", remedy=remedy
        )
    words = f"{amount(short, 'K')} over the {limit:.4g} K of {path}, {limit + short:.4g} K"
    return Missing("heat", words, f"{path} {limit:.4g} K → {limit + short:.4g} K", remedy)


def hottest(candidate: Candidate, point: Point, short: float) -> tuple[str, float]:
    """The limit of temperature that is passed by so many kelvin, and its kelvin; none where it is one of heat flux."""
    chip, metrics = candidate.hw.chip, point["metrics"]
    limits = [("hw.chip.cooling", chip.cooling.temperature_limit, metrics["junction_temperature"])]
    limits += [
        (f"hw.chip.memory.{name}", tier.temperature_limit, metrics["memory_temperature"])
        for name, tier in chip.memory.items()
    ]
    for path, limit, reached in limits:
        if abs(reached - float(limit) - short) < SAME * short:
            return f"{path}.temperature_limit", float(limit)
    return "", 0.0


def clock(candidate: Candidate, point: Point, short: float) -> Missing:
    """Share by which the logic is too slow for its clock."""
    now = point["metrics"]["clock"]
    words = f"the logic closes {short:.1%} below its clock, at {amount(now * (1 - short), 'Hz')} of {amount(now, 'Hz')}"
    lever = (
        f"hw.chip.engine.frequency {amount(now, 'Hz')} → {amount(now * (1 - short), 'Hz')}" if alone(candidate) else ""
    )
    return Missing("clock", words, lever, "a slower hw.chip.engine.frequency, or a higher voltage of hw.chip.supply")


def latency(candidate: Candidate, point: Point, short: float) -> Missing:
    """Seconds over each target that is missed."""
    serving, metrics, words, levers = candidate.serving, point["metrics"], [], []
    for name, what in (("time_to_first_token", "to the first token"), ("time_per_output_token", "a token")):
        target, value = float(getattr(serving, f"{name}_target")), metrics[name]
        if value > target:
            over = f"{amount(value - target, 's')} over the {amount(target, 's')} {what}"
            words.append(f"{over} ({value / target:.3g} times as long as serving.{name}_target allows)")
            levers.append(f"serving.{name}_target {amount(target, 's')} → {amount(value, 's')}")
    causes = sorted(point["shares"].items(), key=lambda item: -item[1])[:2]
    made = " and ".join(f"{share:.0%} {cause}" for cause, share in causes)
    remedy = f"a token's time is {made}: fewer users than {point['mapping']['users']} (serving.users), or more chips"
    return Missing("latency", ", ".join(words) or f"{short:.3g} of a target too long", " and ".join(levers), remedy)


SAYS: dict[str, Callable[[Candidate, Point, float], Missing]] = {
    "memory": memory,
    "power": power,
    "heat": heat,
    "clock": clock,
    "latency": latency,
}


def in_words(found: Sequence[Missing]) -> str:
    """All that is missed as one text; empty where nothing is."""
    return "; ".join(f"{one.name}: {one.words}" for one in found)
