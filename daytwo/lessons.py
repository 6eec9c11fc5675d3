"""A textbook's lessons: worked examples, imitated, and then more of where that has led to."""

from __future__ import annotations

from collections.abc import Callable

from daytwo.curricula.attempts import by
from daytwo.curricula.examples import worked_examples
from daytwo.curricula.textbook import Textbook
from daytwo.memory.episodes import Episode
from daytwo.policies.learner import Learner
from daytwo.screen import Counting, uncounted
from daytwo.sim.arms import Arm

IMITATES = 50  # updates from one look at how far imitation is to the next


def give_lessons(
    learner: Learner,
    arm: Arm,
    textbook: Textbook,
    seed: int,
    threads: int = 0,
    tell: Callable[[str], None] = lambda _: None,
    blind: bool = False,
    counting: Counting = uncounted,
) -> list[Episode]:
    """Teach a learner what the textbook shows; those of the last lesson it imitates when it learns.

    Args:
        learner: is taught; from the second lesson on it begins the attempts itself.
        arm: that it learns on.
        textbook: says what is shown, and in how many lessons.
        seed: of the exercises.
        threads: of the physics; 0 uses every core.
        tell: told how it goes.
        blind: nobody believes anything of what is hidden.
        counting: shows how far imitation is.

    Returns:
        All that was shown.
    """
    shown: list[Episode] = []
    for lesson in range(textbook.lessons):
        led = by(learner) if lesson else None
        if lesson:
            tell(f"Lesson {lesson + 1}: it begins, and the experts show how to go on")
        examples = worked_examples(arm, textbook, seed, threads, lesson, led, blind)
        if not examples:
            break
        shown += examples
        learner.teach(examples)
        if lesson + 1 < textbook.lessons:
            with counting(f"It imitates {len(shown)} worked examples", learner.uncloned) as done:
                while updates := min(IMITATES, learner.uncloned):
                    learner.imitate(updates)
                    done(updates)
    return shown


def as_many_examples(arm: Arm, textbook: Textbook, seed: int, threads: int = 0) -> list[Episode]:
    """As many examples as `give_lessons` shows at most, all by the experts alone: for a clone."""
    return [
        episode
        for lesson in range(textbook.lessons)
        for episode in worked_examples(arm, textbook, seed, threads, lesson)
    ]
