import json
from dataclasses import replace

import pytest

from daytwo.curricula.textbook import Budget, load_textbook
from daytwo.errors import InputError
from daytwo.plan import Plan

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
