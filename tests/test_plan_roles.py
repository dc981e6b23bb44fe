"""What a row may claim under a locked plan."""

from __future__ import annotations

import pandas as pd
import pytest
import yaml
from captem import plan_roles
from captem.plan_roles import CLAIMS, Look
from plans import TEXT, locked, made, schema
from studies import Study

FIRST = Look(1)


def judge(study: Study, found=None, look: Look = FIRST, **settings) -> pd.DataFrame:
    """Return the reasons by row; the statistics are in `attrs`."""
    table, told = plan_roles.judged(
        study.statistics, found or locked(), study.settings | settings, look
    )
    told = told.set_index("row_id")
    told.attrs["table"] = table.set_index("row_id")
    return told


def claims(study: Study) -> pd.Series:
    frame = study.statistics.set_index("row_id")
    return frame.index[frame["role"].isin(CLAIMS)]


def test_a_run_as_planned_keeps_what_the_sources_allow(synthetic: Study) -> None:
    told = judge(synthetic)
    assert told.loc[claims(synthetic), "planned"].eq("planned").all()
    pd.testing.assert_frame_equal(told.attrs["table"], synthetic.statistics.set_index("row_id"))
    before = synthetic.statistics.set_index("row_id")["role"]
    assert told.index[told["planned"].eq("descriptive")].equals(
        before.index[before.eq("descriptive")]
    )


def test_each_row_is_told_once_and_each_exploratory_one_says_why(synthetic: Study) -> None:
    told = judge(synthetic, look=Look(0, "no look"))
    assert list(told.index) == list(synthetic.statistics["row_id"])
    assert told["why"].notna().eq(told["planned"].eq("exploratory")).all()


def test_what_is_no_look_claims_nothing(synthetic: Study) -> None:
    told = judge(synthetic, look=Look(0, "the config calls it none"))
    assert set(told["planned"]) == {"exploratory", "descriptive"}
    assert not told.attrs["table"]["role"].isin(CLAIMS).any()
    assert told.attrs["table"]["p_adjusted"].isna().all()
    assert told.loc[claims(synthetic), "why"].str.contains("the config calls it none").all()


def test_sources_with_data_before_the_plan_stay_exploratory(synthetic: Study) -> None:
    told = judge(synthetic, locked(rows=[{"prospective": 3}]))
    assert told.loc[claims(synthetic), "why"].eq(
        "prospective had 3 rows when this was locked"
    ).all()  # fmt: skip
    assert not told.attrs["table"]["role"].isin(CLAIMS).any()


@pytest.mark.parametrize(
    ("key", "planned", "done", "name", "concerned"),
    [
        ("checks", {"a": "off"}, {"a": "error"}, "config.checks.a", lambda t: t["role"].notna()),
        ("suv_tolerance", 30.0, 33.5, "config.suv_tolerance", lambda t: t["role"].notna()),
        ("noise", {"screened": 9}, {"screened": None}, "config.noise.screened",
         lambda t: t["analysis"].str.startswith(("sensitivity.", "bias."))),
        ("surrogate", {}, {"none_below": 1.0}, "config.surrogate.none_below",
         lambda t: t["analysis"].str.startswith(("sensitivity.", "bias."))),
        ("sources", {"w": {"sheet": "A"}}, {"w": {"sheet": "B"}}, "config.sources.w.sheet",
         lambda t: t["role"].isna()),
    ],
)  # fmt: skip
def test_settings_beside_the_plan_are_held_against_it(
    synthetic: Study, key, planned, done, name, concerned
) -> None:
    plan, settings = locked(made() | {f"config.{key}": planned}), {f"config.{key}": done}
    told = judge(synthetic, plan, **settings).loc[claims(synthetic)]
    assert told["planned"].eq("exploratory").equals(concerned(told))
    other = plan_roles.differing(plan.plan, synthetic.settings | settings)
    assert list(other) == [name]


def test_another_seed_matters_where_random_numbers_are_drawn(synthetic: Study) -> None:
    told = judge(synthetic, locked(made() | {"config.seed": 1}), **{"config.seed": 2})
    told = told.loc[claims(synthetic)]
    other = set(told.index[told["planned"].eq("exploratory")])
    names = ("/imputed", "/bootstrap", "/permutation", "/mean_gain", ".reader_error/")
    others = {name for name in other if not any(word in name for word in names)}
    assert all(name.startswith("bias.no_effect/") for name in others)
    assert "model.krenning/krenning/confirmatory/log2_mib1/permutation" in other
    assert "sensitivity.reader_error/krenning/confirmatory/rate_0.1" in other
    assert told.loc[sorted(other), "why"].str.contains("config.seed is 2, planned was 1").all()


def test_an_amendment_after_the_data_takes_what_it_changed_and_no_more(synthetic: Study) -> None:
    amended = locked(
        made(criterion={"threshold": 2}), made(), rows=[{"prospective": 0}, {"prospective": 9}]
    )
    told = judge(synthetic, amended).loc[claims(synthetic)]
    lost = told["planned"].eq("exploratory")
    assert lost.any() and lost.equals(told["outcome"].eq("criterion"))


@pytest.mark.parametrize(
    ("changed", "concerned"),
    [
        ({"criterion": {"threshold": 2, "rule": "most"}}, lambda t: t["outcome"].eq("criterion")),
        ({"criterion": {"threshold": 3, "rule": "index"}}, lambda t: t["outcome"].eq("criterion")),
        ({"follow_up": "first"}, lambda t: pd.Series(True, t.index)),
        ({"on_problem": "exclude_row"}, lambda t: pd.Series(True, t.index)),
        ({"confirmatory_sources": []}, lambda t: pd.Series(True, t.index)),
        ({"mib1_floor": 1.0}, lambda t: t["analysis"].str.startswith(("model.", "sensitivity."))),
        ({"models": {"covariates": ["sex"], "splines": []}},
         lambda t: t["analysis"].str.startswith(("model.", "sensitivity."))),
        ({"models": {"covariates": [], "splines": ["krenning_pre"]}},
         lambda t: t["analysis"].str.startswith(("model.", "sensitivity."))),
    ],
)  # fmt: skip
def test_a_setting_other_than_planned_takes_what_depends_on_it(
    synthetic: Study, changed, concerned
) -> None:
    told = judge(synthetic, **changed).loc[claims(synthetic)]
    assert told["planned"].eq("exploratory").equals(concerned(told))
    name, (planned, done) = next(
        iter(plan_roles.differing(made(), synthetic.settings | changed).items())
    )
    lost = told[told["planned"].eq("exploratory")]
    assert lost["why"].str.contains(f"{name} is {done}, planned was {planned}").all()


def test_the_primary_questions_are_those_of_the_plan(synthetic: Study) -> None:
    before = judge(synthetic).attrs["table"]
    other = made(
        outcome="suvmax", model={"name": "model.suvmax", "terms": ["log2_suvmax_pre", "log2_mib1"]}
    )
    after = judge(synthetic, locked(other)).attrs["table"]
    assert list(before.index[before["role"].eq("primary")]) == [
        "transition.signed_rank/krenning/confirmatory",
        "model.krenning/krenning/confirmatory/log2_mib1",
    ]
    assert list(after.index[after["role"].eq("primary")]) == [
        "transition.suvmax_ratio/suvmax/confirmatory",
        "model.suvmax/suvmax/confirmatory/log2_mib1",
    ]
    assert after.loc["transition.signed_rank/krenning/confirmatory", "role"] == "secondary"
    assert pd.notna(after.loc["transition.signed_rank/krenning/confirmatory", "p_adjusted"])
    assert pd.isna(after.loc["transition.suvmax_ratio/suvmax/confirmatory", "p_adjusted"])


def test_imputed_rows_are_primary_where_the_plan_says_so(synthetic: Study) -> None:
    found = judge(synthetic, locked(made(missing="multiple_imputation"))).attrs["table"]
    name = "model.krenning/krenning/confirmatory/log2_mib1"
    assert found.loc[f"{name}/imputed", "role"] == "primary"
    assert found.loc[name, "role"] == "sensitivity"


def test_sensitivity_analyses_outside_of_the_planned_set_are_exploratory(synthetic: Study) -> None:
    told = judge(synthetic, locked(made(sensitivity=["who_grade", "no_effect"])))
    told = told.loc[claims(synthetic)]
    named = told["analysis"].isin(["sensitivity.who_grade", "bias.no_effect"])
    others = told["analysis"].str.startswith(("sensitivity.", "bias.")) & ~named
    assert told["planned"].eq("exploratory").equals(others)


def test_the_sensitivity_set_of_the_schema_is_what_captem_has(synthetic: Study) -> None:
    rows = synthetic.statistics
    has = rows.loc[rows["analysis"].str.startswith(("sensitivity.", "bias.")), "analysis"]
    allowed = schema()["properties"]["sensitivity"]
    assert set(allowed["items"]["enum"]) == {name.partition(".")[2] for name in has}
    assert allowed["default"] == allowed["items"]["enum"]


def test_the_terms_of_the_schema_are_those_of_the_settings() -> None:
    from studies import schema as of_config

    models = of_config()["properties"]["models"]["properties"]
    parts = schema()["properties"]["model"]["properties"]
    base = ["krenning_pre", "log2_suvmax_pre", "log2_mib1"]
    assert parts["terms"]["items"]["enum"] == base + models["covariates"]["items"]["enum"]
    assert parts["splines"]["items"]["enum"] == models["splines"]["items"]["enum"]
    config = of_config()["properties"]
    for name in ("follow_up", "mib1_floor", "on_problem", "criterion"):
        own = {**schema()["properties"][name], "description": ""}
        theirs = {**config[name], "description": ""}
        assert own == theirs, name


def test_a_plan_of_the_text_is_followed_by_the_settings_of_the_example(synthetic: Study) -> None:
    assert plan_roles.differing(made(), synthetic.settings) == {}
    assert yaml.safe_load(TEXT)["confirmatory_sources"] == ["prospective"]


def test_roles_are_a_matter_of_the_plan_alone_the_second_time_too(synthetic: Study) -> None:
    """Judging what was judged changes nothing."""
    table, _ = plan_roles.judged(synthetic.statistics, locked(), synthetic.settings, FIRST)
    again, _ = plan_roles.judged(table, locked(), synthetic.settings, FIRST)
    pd.testing.assert_frame_equal(table, again)
