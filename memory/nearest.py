"""How far a skill is from a task and a hidden context; decides what a new object starts from.

    distance = Σ_p |a_p - b_p|  +  ½ m / (1 + m),      m² = Σ_i (μ_i - ν_i)² / (σ_i² + τ_i²)

The first term is the Hamming distance of the descriptors a, b over all predicates p either names
(one it does not name does not matter to it), where a contradiction (+1 against -1) weighs twice as
much as a predicate that matters to one of them alone. m is the Mahalanobis distance between the
beliefs' means μ, ν, measured in the spread of their difference. The second term stays below ½: what
is to be done outweighs under which conditions, and a skill of the same task is nearer than any of
another. Where one has no belief, or the two are about different things, it counts as far: ½.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from daytwo.memory.skill import Belief


def distance(
    descriptor: Mapping[str, int],
    context: Belief | None,
    other_descriptor: Mapping[str, int],
    other_context: Belief | None,
) -> float:
    """The formula above."""
    return descriptor_distance(descriptor, other_descriptor) + context_term(context, other_context)


def descriptor_distance(a: Mapping[str, int], b: Mapping[str, int]) -> int:
    """Weighted Hamming distance; 0 for descriptors that mean the same."""
    return sum(abs(a.get(name, 0) - b.get(name, 0)) for name in a.keys() | b.keys())


def context_term(a: Belief | None, b: Belief | None) -> float:
    """Within [0, ½]; 0 for equal means, ½ where there is nothing to compare."""
    if a is None or b is None or set(a.names) != set(b.names):
        return 0.5
    order = [b.names.index(name) for name in a.names]
    mean, spread = np.array(b.mean)[order], np.array(b.spread)[order]
    m = float(np.linalg.norm((np.array(a.mean) - mean) / np.hypot(a.spread, spread)))
    return 0.5 * m / (1.0 + m)
