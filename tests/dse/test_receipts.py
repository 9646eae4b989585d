"""Claims: how they are read, what verdicts mean, and receipts of small claims on shipped machines."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dse.claims.bench import (
    Bench,
)
from dse.claims.contract import Claim, built
from dse.claims.page import page
from dse.claims.quantities import Number
from dse.claims.rates import Rate
from dse.claims.ratios import Grid, Ratio, over_grid
from dse.claims.receipts import checked, entry
from dse.claims.table import table
from dse.claims.values import cites, read_energy
from dse.claims.verdict import (
    EVERYWHERE,
    IMPOSSIBLE,
    INPUT,
    KINDS,
    NEEDS,
    SOMEWHERE,
    UNTESTED,
    WITHIN,
    Line,
    Modelled,
    Verdict,
    hardest,
    judged,
    optimism,
    unless_input,
)
from dse.configuration.compose import conf_folder
from dse.configuration.provenance import citations

FILES = sorted((conf_folder() / "claim").glob("*.yaml"))
GPUS = ["hw=dgx_h100", "model=llama3_2_1b", "format=bf16"]
CARD = ["hw=corsair_card", "model=llama3_2_1b", "format=mxint8"]
SOURCED = {"says": "so", "by": "a vendor", "source": "viks"}
FOUND = Modelled(value=100.0, lower=90.0, upper=110.0, lossless=200.0, bound=1000.0, bound_words="the wall")
SLOWER = Modelled(value=1.0, lower=0.9, upper=1.1, lossless=0.5, bound=0.1, bound_words="the wall")


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench(1)


@pytest.fixture(scope="module")
def modelled(bench: Bench) -> float:
    """Tokens a second of one user, as modelled."""
    line = rate(1.0).receipt(bench).lines[0]
    assert line.modelled is not None
    return line.modelled


def rate(value: float, **others: Any) -> Rate:
    given = {"machine": CARD, "users": 1, "claimed": {"tokens_per_second": f"{value} token/s"}} | others
    claim = built("synthetic", {"_target_": "dse.claims.rates.Rate"} | SOURCED | given)
    assert isinstance(claim, Rate)
    return claim


# Verdicts.


@pytest.mark.parametrize(
    ("claimed", "kind", "words"),
    [(50, WITHIN, "2 times"), (109, WITHIN, "spread"), (150, NEEDS, "75%"), (500, NEEDS, "50% of what the wall"),
     (2000, IMPOSSIBLE, "the wall allows 0.5 times")],
)  # fmt: skip
def test_verdicts_follow_from_the_numbers(claimed: float, kind: str, words: str) -> None:
    verdict = judged(claimed, 0.0, FOUND, more=True)
    assert (verdict.kind, words in verdict.words) == (kind, True), verdict


@pytest.mark.parametrize(
    ("claimed", "kind"), [(2, WITHIN), (0.95, WITHIN), (0.6, NEEDS), (0.2, NEEDS), (0.05, IMPOSSIBLE)]
)
def test_less_is_better_the_other_way_round(claimed: float, kind: str) -> None:
    assert judged(claimed, 0.0, SLOWER, more=False).kind == kind


@given(st.floats(1e-3, 1e6), st.floats(1.0, 100.0))
def test_a_bolder_claim_is_never_judged_more_mildly(claimed: float, bolder: float) -> None:
    mild, bold = (judged(claimed * factor, 0.0, FOUND, more=True) for factor in (1.0, bolder))
    assert KINDS.index(bold.kind) >= KINDS.index(mild.kind)
    assert hardest([mild, bold]).kind == bold.kind


def test_the_mildest_reading_of_a_rounded_claim_counts() -> None:
    assert judged(112.0, 0.0, FOUND, more=True).kind == NEEDS
    assert judged(112.0, 0.05, FOUND, more=True).kind == WITHIN


@pytest.mark.parametrize(
    ("least", "kind", "words"),
    [(1.0, EVERYWHERE, "holds at 2 of 2 points"), (2.0, SOMEWHERE, "holds at 1 of 2 points"),
     (3.2, SOMEWHERE, "1 of them inside the spread alone"), (4.0, NEEDS, "needs 80% of the machine without losses"),
     (8.0, NEEDS, "needs 80% of what the peaks allow"), (20.0, IMPOSSIBLE, "beyond the 5 of the machine")],
)  # fmt: skip
def test_a_ratio_holds_at_all_points_at_some_at_none_or_never(least: float, kind: str, words: str) -> None:
    verdict = over_grid("speed", least, Grid([1.0, 3.0], [1.1, 3.3], lossless=5.0, peaks=10.0))
    assert (verdict.kind, words in verdict.words) == (kind, True), verdict


def test_impossible_is_beyond_the_peaks_and_beyond_the_machine_without_losses() -> None:
    for lossless, bound, words in ((400.0, 300.0, "without losses"), (300.0, 400.0, "the wall")):
        found = FOUND._replace(lossless=lossless, bound=bound)
        assert words in judged(401, 0.0, found, more=True).words
        assert [judged(claimed, 0.0, found, more=True).kind for claimed in (399, 401)] == [NEEDS, IMPOSSIBLE]


def test_agreement_with_the_own_source_is_no_test_and_contradiction_is() -> None:
    kinds = [
        unless_input(Verdict(kind, "so"), ["hw.x"], ["viks"]).kind for kind in (WITHIN, SOMEWHERE, NEEDS, IMPOSSIBLE)
    ]
    assert kinds == [INPUT, INPUT, NEEDS, IMPOSSIBLE]
    assert unless_input(Verdict(WITHIN, "so"), [], ["viks"]).kind == WITHIN


def test_a_source_is_cited_by_its_key_or_in_brackets() -> None:
    given = ("viks", "derived: 0.3 [viks]", "derived: of two [epoch, viks]", "derived: as viks has it", "[viks_2]", "")
    assert [cites(words, "viks") for words in given] == [True, True, True, False, False, False]


def test_far_beyond_a_claim_the_receipt_says_by_how_much() -> None:
    line = Line("tokens_per_second", "token/s", 300.0, "300 token/s", 1575.0)
    assert "5.25 times more optimistic" in optimism(line, more=True)[0]
    assert "19% of it" in optimism(line, more=True)[0]
    assert optimism(line, more=False) == []


# Files.


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in FILES])
def test_every_claim_builds_and_has_a_source(path: Any) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    claim = built(path.stem, content)
    assert claim.source in citations()
    assert not {"verdict", "modelled"} & set(content), "verdicts are computed"
    for value in (*claim.missing.values(), *claim.assumed.values()):
        for key in re.findall(r"\[(\w+)\]", str(value)):
            assert key in citations()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"claimed": {"tokens_per_secnd": "1 token/s"}}, "did you mean 'tokens_per_second'"),
        ({"claimed": {"tokens_per_second": "4 TB/s"}}, "is not a quantity in token/s"),
        ({"claimed": {"tokens_per_second": 4}}, "has no unit"),
        ({"machine": "corsair_card"}, "no list of overrides"),
        ({"users": 0}, "at least 1"),
        ({"source": "vik"}, "did you mean 'viks'"),
        ({"also": ["vik"]}, "did you mean 'viks'"),
        ({"verdict": "true"}, "there is no 'verdict' here"),
        ({"variants": {"wide": {"tensr": 2}}}, "did you mean 'tensor'"),
        ({"_target_": "dse.claims.rates.Rat"}, "no kind of claim"),
        ({"by": None}, None),
    ],
)
def test_wrong_input_names_the_file_and_the_remedy(change: dict[str, Any], words: str | None) -> None:
    good = {
        "_target_": "dse.claims.rates.Rate",
        "machine": CARD,
        "users": 1,
        "claimed": {"tokens_per_second": "1 token/s"},
    }
    if words is None:
        lacking = {key: value for key, value in (good | SOURCED).items() if key not in change}
        with pytest.raises(ValueError, match=r"conf/claim/mine.yaml: by is missing"):
            built("mine", lacking)
        return
    with pytest.raises(ValueError, match=r"conf/claim/mine.yaml") as error:
        built("mine", good | SOURCED | change)
    assert words in str(error.value)


# Receipts.


def test_half_of_what_is_modelled_is_within_the_model(bench: Bench, modelled: float) -> None:
    assert rate(modelled / 2).receipt(bench).verdict.kind == WITHIN


def test_somewhat_more_needs_a_share_of_the_machine_without_losses(bench: Bench, modelled: float) -> None:
    receipt = rate(modelled * 1.5).receipt(bench)
    line = receipt.lines[0]
    assert receipt.verdict.kind == NEEDS
    assert line.lossless is not None
    assert receipt.verdict.share == pytest.approx(1.5 * modelled / line.lossless)


def test_a_thousand_times_more_is_impossible_and_names_the_bound(bench: Bench, modelled: float) -> None:
    receipt = rate(modelled * 1000).receipt(bench)
    assert receipt.verdict.kind == IMPOSSIBLE
    assert "peak bandwidth" in receipt.verdict.words  # one user: a byte of weights for every two operations
    assert max(receipt.needs.values()) > 1


def test_what_is_not_there_cannot_be_tested(bench: Bench) -> None:
    receipt = checked(rate(1.0, machine=["hw=corsair_crad", *CARD[1:]]), bench)
    assert receipt.verdict.kind == UNTESTED
    assert "no machine 'corsair_crad'" in receipt.verdict.words
    assert "did you mean 'corsair_card'" in receipt.verdict.words


def test_formats_that_a_machine_refuses_cannot_be_tested(bench: Bench) -> None:
    receipt = checked(rate(1.0, machine=[*CARD[:2], "format=fp8"]), bench)
    assert receipt.verdict.kind == UNTESTED
    assert "exponent" in receipt.verdict.words


def test_what_the_claim_does_not_say_outweighs_the_stand_in(bench: Bench, modelled: float) -> None:
    claim = rate(modelled / 2, missing={"model": "which model"})
    told = entry(claim, checked(claim, bench))
    assert (told["verdict"]["kind"], told["stand_in"]["kind"]) == (UNTESTED, WITHIN)


def test_a_model_that_does_not_fit_is_impossible_by_memory(bench: Bench) -> None:
    receipt = rate(1.0, machine=[CARD[0], "model=llama3_1_405b", CARD[2]]).receipt(bench)
    assert receipt.verdict.kind == IMPOSSIBLE
    assert receipt.verdict.words.startswith("memory: ")


def test_numbers_hold_where_they_are_said_of(bench: Bench) -> None:
    """150 TB/s, published of a card of eight chiplets; a chiplet has an eighth, so without losses as well."""
    shared = {"_target_": "dse.claims.quantities.Number", "machine": CARD, "claimed": "149 TB/s", "better": "more"}
    places = {"chiplet": "figures.chip.tiers.first.bandwidth", "card": "figures.levels.card.tiers.first.bandwidth"}
    claims: list[Claim] = [
        built("n", SOURCED | shared | {"places": places, "of": of}) for of in ("chiplet", "card", None)
    ]
    kinds = [claim.receipt(bench).verdict.kind for claim in claims]
    assert kinds == [IMPOSSIBLE, WITHIN, WITHIN]
    own = built("n", SOURCED | shared | {"places": places, "of": "card", "source": "register"}).receipt(bench)
    assert own.verdict.kind == INPUT, "the width of the SRAM is derived from that number"
    assert "[register]" in own.verdict.words
    assert all(isinstance(claim, Number) for claim in claims)


def test_a_machine_is_once_as_good_as_itself(bench: Bench, modelled: float) -> None:
    given = {
        "machine": CARD,
        "baselines": {"itself": CARD},
        "models": {"same": []},
        "users": 1,
        "objective": "tokens_per_second",
        "source": "fgdram",
    }
    claimed = {"tokens_per_second": 1.0, "hw.chip.fixed_area": 1.0}
    claim = built("r", {"_target_": "dse.claims.ratios.Ratio", "claimed": claimed} | SOURCED | given)
    assert isinstance(claim, Ratio)
    receipt = claim.receipt(bench)
    assert [line.modelled for line in receipt.lines] == pytest.approx([1.0, 1.0])
    assert receipt.verdict.kind == EVERYWHERE


def test_energy_is_compared_at_the_pins(bench: Bench) -> None:
    """3.9 pJ a bit of HBM3, without its way over the die; of SRAM inside the cores, up to the arithmetic."""
    found = bench.template(GPUS)
    assert float(read_energy(found.candidate)) == pytest.approx(3.9e-12 * 8)
    card = bench.template(CARD)
    state = card.candidate.hw.chip.settle(card.candidate.format)
    assert float(read_energy(card.candidate)) == float(card.candidate.hw.chip.engine.fill_byte_energy(state.logic))


def test_unknown_places_are_named(bench: Bench) -> None:
    given = {"_target_": "dse.claims.quantities.Number", "machine": CARD, "claimed": "1 TB/s", "better": "more"}
    claim = built("n", SOURCED | given | {"places": {"it": "figures.chip.teirs.first.bandwidth"}})
    with pytest.raises(ValueError, match="did you mean 'tiers'"):
        claim.receipt(bench)


# The page.


def test_the_page_is_whole_and_loads_nothing(bench: Bench, modelled: float) -> None:
    claims = [
        rate(modelled / 2, says="<b>half</b>"),
        rate(modelled * 1000),
        rate(1.0, machine=["hw=nothing", *CARD[1:]]),
    ]
    entries = [entry(claim, checked(claim, bench)) | {"name": f"n{i}"} for i, claim in enumerate(claims)]
    content = {
        "receipts": json.loads(json.dumps(entries)),
        "counts": {WITHIN: 1},
        "seconds": 90.0,
        "created": "2026-01-01T00:00:00",
        "command": "dse",
    }
    text = page(content)
    assert "&lt;b&gt;half" in text
    assert "<b>half" not in text
    assert not re.search(r"(src|href)=\"(?!#)", text)
    assert all(f'id="n{i}"' in text for i in range(3))
    assert not re.search(r"\b(nan|inf|None)\b", text)
    told = table(content)
    assert "1.5 minutes" in told
    assert [line.count("|") for line in told.splitlines()[2:]] == [7] * 5


def test_the_page_of_the_documentation_has_every_claim() -> None:
    text = (conf_folder().parent / "docs" / "receipts.md").read_text(encoding="utf-8")
    written = text.partition("<!-- receipts -->")[2].partition("<!-- end of receipts -->")[0]
    assert set(re.findall(r"^\| `(\w+)`", written, re.M)) == {path.stem for path in FILES}
