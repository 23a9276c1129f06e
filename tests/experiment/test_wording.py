"""Sentences: what is said, word for word, and what is left unsaid."""

from connectome2net.experiment.effects import Effect
from connectome2net.experiment.statistics import Difference, Estimate
from connectome2net.experiment.wording import say_difference, say_effects, say_together, say_weight


def difference(mean=-0.004, low=-0.010, high=0.002, *, pairs=5, unpaired=()) -> Difference:
    of = Estimate(pairs, mean, None if low is None else 0.005, low, high)
    return Difference(tuple(range(pairs)), unpaired, of, None, None if low is None else 0.1)


def say(found: Difference, p: float | None, *, comparisons: int = 7, **how) -> str:
    return say_difference(found, variant="degree", reference="real", p_corrected=p, comparisons=comparisons, **how)


def test_no_difference() -> None:
    assert say(difference(), 0.2) == (
        "degree: 0.4 points less than real (95 % interval: 1.0 points less to 0.2 points more; 5 seeds paired; "
        "p = 0.2, Holm for 7 comparisons): no difference was seen; one of 1.4 points would have been in 80 % of "
        "such experiments, after the correction (preliminary: 5 seeds)."
    )


def test_a_difference_and_one_that_the_correction_takes() -> None:
    clear = difference(-0.02, -0.03, -0.01)
    assert say(clear, 0.00001, comparisons=1).endswith(
        "5 seeds paired; p < 0.001, t test): a difference was seen (preliminary: 5 seeds)."
    )
    words = say(clear, 0.08)
    assert words.endswith("a difference was seen by itself, not after the correction (preliminary: 5 seeds).")


def test_missing_partners_one_seed_and_no_variance_are_said() -> None:
    assert "5 seeds paired, 2 without a partner left out; p" in say(difference(unpaired=(5, 6)), 0.2)
    alone = say(difference(0.01, None, None, pairs=1), None)
    assert alone == "degree: 1.0 points more than real (1 seed): no interval, so nothing follows for other seeds."
    same = say(difference(0.0, None, None, pairs=3), None)
    assert same == "degree: the same as real (equal in all 3 seeds): no interval, so nothing follows for other seeds."
    nothing = say(difference(None, None, None, pairs=0, unpaired=(0,)), None)
    assert (
        nothing
        == "degree: no seed has a finished run of it and of real, 1 without a partner left out; nothing can be said."
    )


def test_what_rounds_to_nothing_is_the_same_and_a_bound_needs_seeds() -> None:
    words = say(difference(0.0004, -0.01, 0.02), 0.5)
    assert words.startswith("degree: the same as real (95 % interval: 1.0 points less to 2.0 points more")
    assert "beyond" not in words
    assert say(difference(pairs=10), 0.2).endswith("no difference beyond +-1.0 points.")


def test_a_difference_on_these_images_alone() -> None:
    """The t test is about training again, on the same test images; the bootstrap is about other images."""
    clear = difference(0.005, 0.001, 0.009, pairs=10)
    assert say(clear, 0.03, over_images=(0.001, 0.009)).endswith(": a difference was seen.")
    assert say(clear, 0.03, over_images=(-0.002, 0.012)).endswith(
        ": a difference was seen on these test images, but other images may show none (bootstrap)."
    )


def compared(
    variant: str, mean: float, low: float | None, high: float | None, p: float | None, *, to: str = "real", **more
):
    numbers = {"difference": mean, "low": low, "high": high, "p_corrected": p, "n": 10}
    numbers |= {"bootstrap_low": None, "bootstrap_high": None} | more
    return {"variant": variant, "reference": to, "sentence": f"{variant}, told alone."} | numbers


def test_many_comparisons_are_told_together() -> None:
    few = [compared("degree", -0.02, -0.03, -0.01, 0.001), compared("types", 0.0, -0.01, 0.01, 1.0)]
    assert say_together(few) == ["degree, told alone.", "types, told alone."]
    many = [
        *few,
        compared("linear", -0.05, -0.06, -0.04, 0.0001),
        compared("signs", 0.001, -0.004, 0.012, 1.0),
        compared("cnn", 0.01, None, None, None),
        compared("half, degree", -0.01, -0.014, -0.006, 0.04, to="half"),
    ]
    assert say_together(many) == [
        "A difference to real was seen (Holm for 5 comparisons): linear 5.0 points less, degree 2.0 points less.",
        "No difference to real was seen for types, signs; none of them is beyond +-1.2 points (95 %, each alone).",
        "cnn, told alone.",
        "A difference to half was seen (Holm for 5 comparisons): half, degree 1.0 points less.",
    ]


def test_the_summary_says_what_the_ladder_shows() -> None:
    """An interval that leaves zero out is drawn as such, so it is in no list of those where nothing was seen."""
    few = [
        compared("degree", -0.01, -0.019, -0.001, 0.12, n=3),
        compared("types", 0.0, -0.034, 0.01, 1.0, n=3),
        compared("linear", -0.05, -0.06, -0.04, 0.01, n=3, bootstrap_low=-0.1, bootstrap_high=0.01),
    ]
    assert say_together(few) == [
        "A difference to real was seen (Holm for 3 comparisons): linear 5.0 points less.",
        "Of these, other test images may show none for linear (bootstrap).",
        "By itself, but not after the correction, a difference was seen: degree 1.0 points less.",
        "No difference to real was seen for types; intervals reach to +-3.4 points (95 %, each alone).",
    ]


def test_what_a_reader_must_know_first() -> None:
    assert say_weight(10, failed=0, unfinished=0) == say_weight(None, failed=0, unfinished=0) == []
    assert say_weight(1, failed=1, unfinished=3) == [
        "This experiment is not finished: 3 runs to come.",
        "1 run failed and is in no mean.",
        "Preliminary: 1 seed; a comparison carries a conclusion from 10 seeds on.",
    ]
    assert say_weight(9, failed=2, unfinished=0)[0] == "2 runs failed and are in no mean."


def test_effects() -> None:
    found = [
        Effect(("noise",), (), 0.001, -0.002, 0.004, 0.5, 1.0),
        Effect(("mask",), (), -0.02, -0.03, -0.01, 0.0001, 0.0003),
        Effect(("mask", "noise"), (("a", "b"),), 0.01, 0.004, 0.016, 0.01, 0.02),
    ]
    assert say_effects(found, seeds=10) == [
        "mask, switched on: 2.0 points less (95 % interval: 3.0 points less to 1.0 points less; p < 0.001 after Holm).",
        "mask together with noise, beyond the sum of both: 1.0 points more (95 % interval: 0.4 points more to 1.6 "
        "points more; p = 0.02 after Holm). This may be the effect of a x b as well.",
        "1 of 3 effects were not seen; none of them is beyond +-0.4 points (95 %, each alone).",
    ]
    alone = Effect(("decay",), (), 0.01, 0.002, 0.018, 0.03, 0.2)
    assert say_effects([found[0], alone], seeds=3) == [
        "By themselves, but not after the correction, effects were seen: decay 1.0 points more.",
        "1 of 2 effects were not seen; intervals reach to +-0.4 points (95 %, each alone).",
    ]


def test_effects_without_error_are_not_told() -> None:
    said = say_effects([Effect(("a",), (), 0.1, None, None, None, None)], seeds=3)
    assert said == ["No effect can be told from chance: there are no more runs than effects."]
