"""Forgetting by rule, so that a memory stays within its limit."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator

from daytwo.memory import rows
from daytwo.memory.store import Entry, Store

EXPERT = "expert"  # the driver of worked examples
KEEP = 16  # the newest successes, and the newest worked examples, of each task that always stay
ROOM = 0.05  # of the limit is made free at once, so that it is not done attempt by attempt


def shrink(store: Store, keep: int = KEEP) -> list[int]:
    """Bring a memory under its limit by dropping whole episodes, if it is over.

    Failures go first and successes only when no failure is left to go. Of either, the next to go
    is always the oldest of the (day, task) that has most of them left, the older day of two.
    Never dropped are episodes of today and of the last day, the newest `keep` successes of each
    task and the newest `keep` worked examples of each task.

    Returns:
        Ids of what was dropped; if that was all that may be and the memory is still over its
        limit, it stays so.
    """
    limit, dropped = store.limit_gb * 1e9, list[int]()
    if store.used_bytes() > limit:
        rows.trim(store)
    while (used := store.used_bytes()) > limit:
        entries = store.find()
        # An episode's share of everything: its arrays, its metadata, its rows in the cache.
        share = used / max(sum(entry.bytes for entry in entries), 1)
        excess, going = used - (1 - ROOM) * limit, []
        for entry in order(entries, (store.today, store.last_day()), keep):
            going.append(entry.id)
            excess -= share * entry.bytes
            if excess <= 0:
                break
        if not going:
            break
        store.drop(going, f"to stay under {store.limit_gb} GB")
        store.give_back()
        rows.trim(store)
        dropped += going
    return dropped


def order(entries: Iterable[Entry], days: Collection[int], keep: int = KEEP) -> Iterator[Entry]:
    """What may be dropped, in the order in which it is; nothing of `days`."""
    stay = _staying(entries, keep)
    for success in (False, True):
        groups: dict[tuple[int, str], list[Entry]] = defaultdict(list)
        for entry in sorted(entries, key=lambda entry: entry.id, reverse=True):
            if entry.success == success and entry.day not in days and entry.id not in stay:
                groups[entry.day, entry.task].append(entry)  # the oldest last
        heap = [(-len(group), *key) for key, group in groups.items()]
        heapq.heapify(heap)
        while heap:
            _, day, task = heap[0]
            yield groups[day, task].pop()
            left = len(groups[day, task])
            if left:
                heapq.heapreplace(heap, (-left, day, task))
            else:
                heapq.heappop(heap)


def _staying(entries: Iterable[Entry], keep: int) -> set[int]:
    """Ids of the newest successes and the newest worked examples of each task."""
    kinds: dict[tuple[str, str], list[int]] = defaultdict(list)
    for entry in entries:
        if entry.success:
            kinds[entry.task, "success"].append(entry.id)
        if entry.driver == EXPERT:
            kinds[entry.task, "worked example"].append(entry.id)
    return {id for ids in kinds.values() for id in sorted(ids)[-keep:]}
