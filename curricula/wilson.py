"""Wilson's score interval for a proportion.

E. B. Wilson (1927), "Probable inference, the law of succession, and statistical inference",
Journal of the American Statistical Association 22(158), 209-212. Unlike the textbook normal
interval it stays inside [0, 1] and says something sensible at 0 or all successes.
"""

from __future__ import annotations

import math

Z_95 = 1.959963984540054  # standard normal quantile of 0.975


def wilson(successes: int, attempts: int, z: float = Z_95) -> tuple[float, float]:
    """Return the lower and upper bound of the success probability, both in [0, 1].

    Raises:
        ValueError: `attempts` < 1 or `successes` outside [0, attempts].
    """
    if attempts < 1 or not 0 <= successes <= attempts:
        raise ValueError(f"{successes} successes in {attempts} attempts is no proportion")
    rate = successes / attempts
    spread = z * z / attempts
    centre = (rate + spread / 2) / (1 + spread)
    half = math.sqrt(spread * (rate * (1 - rate) + spread / 4)) / (1 + spread)
    # At the ends the bound is exactly 0 or 1; rounding must not say otherwise.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == attempts else min(1.0, centre + half)
    return low, high
