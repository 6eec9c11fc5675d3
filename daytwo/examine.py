"""After study: the exam for learner, clone and expert, and a film of every task."""

from __future__ import annotations

from typing import Any

from daytwo.believing import acting
from daytwo.curricula.attempts import expert
from daytwo.curricula.exam import Exam
from daytwo.errors import InputError
from daytwo.film import film
from daytwo.lessons import as_many_examples
from daytwo.plan import Plan, settings_for
from daytwo.policies.cloning import UPDATES as CLONING
from daytwo.policies.cloning import clone
from daytwo.run_folder import RunFolder, write_json
from daytwo.screen import Screen, exam_table
from daytwo.sim.arms import load_arm
from daytwo.study import load_estimator, load_learner

WHO = {"learner": "learner", "cloning": "clone", "expert": "scripted expert"}


def examine(folder: RunFolder, screen: Screen, bullet: bool = False) -> list[dict[str, Any]]:
    """Sit the run's exam: the learner, a clone of its worked examples, the scripted expert.

    The clone is trained here, on as many examples as the learner was shown, all of them by the
    experts alone: what it reaches is imitation without practice.

    Args:
        folder: of the run.
        screen: where a person watches.
        bullet: in PyBullet's physics, which nobody was trained in; then nothing is filed.

    Returns:
        The rows, which are written to exam.json.

    Raises:
        InputError: the checkpoint is damaged or belongs to another arm or layout.
    """
    plan = Plan.of(folder.read(folder.run))
    arm = load_arm(plan.arm)
    book = plan.textbook
    exam = Exam(arm, book.papers, ranges=book.context, bullet=bullet)
    world = exam.world
    estimator = None if book.context is None else load_estimator(folder)
    sitting = {"learner": acting(load_learner(folder, arm), estimator, world.n)}
    examples = as_many_examples(arm, book, plan.seed)
    if examples:
        config = settings_for(book, world.secret)
        title = f"Cloning {len(examples)} worked examples, to see what imitation alone reaches"
        with screen.counting(title, CLONING) as done:
            imitator = clone(examples, CLONING, plan.seed, config, world.scale, done)
        sitting["cloning"] = acting(imitator, estimator, world.n)
    sitting["expert"] = expert
    rows: list[dict[str, Any]] = []
    for name, act in sitting.items():
        with screen.counting(f"Exam of the {WHO[name]}", len(exam.exercises)) as done:
            rows += [{"policy": name, **row.as_dict()} for row in exam.sit(act, done=done)]
    if not bullet:
        write_json(folder.exam, {"rows": rows})
    screen.console.print(exam_table(rows))
    return rows


def film_all(folder: RunFolder, screen: Screen) -> None:
    """Film the run's policy at every task of its exam that is not filmed yet.

    Where nothing can be drawn, the reason goes into run.json, and from there into the report.
    """
    run = folder.read(folder.run)
    plan = Plan.of(run)
    missing = [
        paper.task
        for paper in plan.textbook.papers
        if not (folder.videos / f"{paper.task}.mp4").exists()
    ]
    if not missing:
        return
    arm = load_arm(plan.arm)
    book = plan.textbook
    estimator = None if book.context is None else load_estimator(folder)
    act = acting(load_learner(folder, arm), estimator, 1)
    run["videos_missing"] = None
    with screen.counting("Films, one a task", len(missing)) as done:
        for task in missing:
            try:
                film(arm, task, act, folder.videos / f"{task}.mp4", book.context)
            except InputError as error:
                run["videos_missing"] = str(error)
                screen.say(f"No videos: {error}")
                break
            done(1)
    write_json(folder.run, run)
