"""The kinds of teacher, by the names that textbooks call them."""

from __future__ import annotations

from daytwo.curricula.progress import Learnability, Progress
from daytwo.curricula.teacher import Order, Teacher, Uniform
from daytwo.curricula.textbook import Textbook


def make_teacher(textbook: Textbook) -> Teacher:
    """Return the teacher that the textbook asks for, who has seen nothing yet."""
    kinds: tuple[type[Teacher], ...] = (Order, Uniform, Learnability, Progress)
    by_name = {kind.kind: kind for kind in kinds}
    return by_name[textbook.teacher.kind](textbook)
