import json
from dataclasses import replace

import pytest

from daytwo.curricula.textbook import Budget, load_textbook
from daytwo.errors import InputError
from daytwo.plan import Plan, settings_for

PLAN = Plan(load_textbook("first_steps"), "panda", seed=3, minutes=5.0)


def test_survives_run_json() -> None:
    run = json.loads(json.dumps({"settings": PLAN.settings(), "seed": PLAN.seed}))
    assert Plan.of(run) == PLAN


def test_a_run_of_another_version_is_named() -> None:
    run = json.loads(json.dumps({"settings": PLAN.settings(), "seed": 3}))
    run["settings"]["textbook"]["chapters"][0]["colour"] = "blue"
    with pytest.raises(InputError, match=r"textbook\.chapters\.0\.colour.*another version"):
        Plan.of(run)


def test_only_the_time_may_change_when_a_run_goes_on() -> None:
    book = PLAN.textbook
    longer = book.model_copy(update={"budget": Budget(minutes=99)})
    replace(PLAN, minutes=99.0, textbook=longer).must_continue(PLAN)
    for change, said in (
        ({"arm": "ur5e"}, "arm panda, found ur5e"),
        ({"seed": 4}, "seed 3, found 4"),
        ({"textbook": book.model_copy(update={"name": "x"})}, "textbook first_steps, found x"),
        ({"textbook": book.model_copy(update={"simulations": 7})}, "has changed"),
    ):
        with pytest.raises(InputError, match=said):
            replace(PLAN, **change).must_continue(PLAN)


def test_a_textbook_may_set_the_learner() -> None:
    book = PLAN.textbook.model_copy(update={"learner": {"warm_updates": 7, "noise": 0.05}})
    config = settings_for(book, secret=3)
    assert (config.warm_updates, config.noise, config.secret) == (7, 0.05, 3)
    assert config.cloning == settings_for(PLAN.textbook, 3).cloning


@pytest.mark.parametrize(
    ("learner", "said"),
    [
        ({"colour": 1}, "learner: there is no setting 'colour'; there are .*noise"),
        ({"secret": 1}, "no setting 'secret'"),
        ({"noise": -1.0}, "first_steps: learner: noise must be above 0"),
        ({"warm_updates": 0.5}, "learner: warm_updates must be a whole number"),
    ],
)
def test_a_wrong_setting_of_the_learner_is_named(learner: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        settings_for(PLAN.textbook.model_copy(update={"learner": learner}), secret=0)


def test_every_textbooks_settings_are_possible() -> None:
    for name in ("first_steps", "tabletop"):
        settings_for(load_textbook(name), secret=0)
