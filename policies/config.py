"""Settings of the learner."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from daytwo.errors import InputError

# Of every actor; what acts without torch has them too.
ACTOR_NORM = 0.1  # added to the variance in layer normalisation
MIN_STD = 1e-3  # an observation element that hardly varies is not blown up beyond this
CLIP = 5.0  # standardised observations stay within
# Elements that are to be seen finely are seen so many times larger, too, each kept within -1 .. 1:
# near 0 a millimetre tells, and far away nothing changes (compare Gorishniy et al., "On embeddings
# for numerical features in tabular deep learning", NeurIPS 2022).
GAINS = (10.0, 40.0)


@dataclass(frozen=True)
class LearnerConfig:
    """One line a field. Textbooks and benchmarks that differ from the defaults say so.

    Raises:
        InputError: a number is out of its range; names the field.
    """

    hidden: int = 256  # units in each of the two hidden layers of actor and critics
    secret: int = 0  # last elements of an observation that only critics see
    fine: tuple[int, ...] = ()  # elements of an observation that are seen finely, too
    batch_size: int = 512  # transitions an update learns from
    good_share: float = 0.5  # of what the past leaves, from worked examples and own successes
    past_share: float = 0.15  # of the batch, from each task in the past
    past_most: float = 0.6  # of the batch, from all of these together
    renew: float = 1.0  # what a fresh actor counts for beside each known task, when one is new
    anchor: float = 5.0  # weight of keeping what the policy did in those
    discount: float = 0.97  # per step
    tau: float = 0.01  # how far the target critics follow each update
    warm_rate: float = 1e-3  # Adam learning rate of the actor while it only imitates
    actor_rate: float = 3e-4  # Adam learning rate of the actor in practice
    critic_rate: float = 1e-3  # Adam learning rate
    entropy_rate: float = 1e-3  # Adam learning rate of the entropy coefficient
    entropy: float = 0.002  # entropy coefficient at the start
    entropy_per_action: float = -1.5  # entropy aimed at, per action element [nat]
    noise: float = 0.2  # standard deviation of the policy's actions at the start, and at most
    q_weight: float = 1.0  # of the critics in the actor's loss, beside cloning what worked
    cloning: float = 2.0  # weight of cloning worked examples and own successes
    warm_updates: int = 1500  # cloning updates before practice, where there are worked examples
    ramp_updates: int = 1000  # updates over which the critics' word gains its full weight
    updates_per_step: int = 1  # gradient updates each time all environments take one step
    practice_size: int = 400_000  # transitions of practice kept
    success_size: int = 150_000  # transitions of own successes kept
    start_after: int = 2_000  # transitions of practice before it is learned from

    def __post_init__(self) -> None:
        object.__setattr__(self, "fine", tuple(self.fine))  # a checkpoint has a list
        if not all(isinstance(i, int) and i >= 0 for i in self.fine):
            raise InputError(f"fine must list elements of an observation; found {self.fine!r}")
        for field in fields(self):
            if field.name == "fine":
                continue
            value = getattr(self, field.name)
            whole = field.type == "int"
            if not isinstance(value, int if whole else int | float) or not math.isfinite(value):
                kind = "whole" if whole else "finite"
                raise InputError(f"{field.name} must be a {kind} number; found {value!r}")
            if field.name in ("good_share", "past_share", "past_most", "discount", "tau"):
                if not 0 <= value <= 1:
                    raise InputError(f"{field.name} must lie in [0, 1]; found {value}")
            elif field.name == "noise" and not value > 0:
                raise InputError(f"noise must be above 0; found {value}")
            elif field.name != "entropy_per_action" and not value >= 0:
                raise InputError(f"{field.name} must not be negative; found {value}")
        for name in ("hidden", "batch_size", "practice_size", "success_size"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1; found {getattr(self, name)}")
