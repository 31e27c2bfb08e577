from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_tasks.profiles.frequent_items import MAX_EXACT, FrequencyAccumulator, FrequentItems
from tests.unit.profiles.rows import profile_of

fast = settings(max_examples=25, deadline=None)
WORDS = st.lists(st.text(max_size=2), max_size=40)


def counted(texts: list[str]) -> FrequentItems:
    found = Counter(texts)
    values = pa.array(list(found), pa.large_string())
    return FrequentItems.merged([FrequentItems(values, np.array(list(found.values()), np.int64))])


def as_dict(found: FrequentItems) -> dict[str, int]:
    return dict(zip(found.values.to_pylist(), found.counts.tolist(), strict=True))


def zipf(n: int, seed: int) -> list[str]:
    return [f"page {x}" for x in np.random.default_rng(seed).zipf(1.3, n) % 100_000]


@fast
@given(st.lists(WORDS, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_few_values_are_counted_exactly(parts: list[list[str]], random: Any) -> None:
    merged = FrequentItems.merged([counted(part) for part in parts])
    assert as_dict(merged) == Counter(word for part in parts for word in part)
    assert (merged.error, merged.is_exact) == (0, True)
    shuffled = FrequentItems.merged([counted(p) for p in random.sample(parts, len(parts))])
    assert shuffled.values.equals(merged.values)
    assert merged.counts.tolist() == sorted(merged.counts.tolist(), reverse=True)


def test_frequent_values_of_many_are_right_within_the_stated_error() -> None:
    parts = [zipf(20_000, seed) for seed in range(8)]
    nested = FrequentItems.merged(
        [
            FrequentItems.merged([counted(part) for part in parts[:4]]),
            FrequentItems.merged([counted(part) for part in parts[4:]]),
        ]
    )
    true = Counter(word for part in parts for word in part)
    for merged in (FrequentItems.merged([counted(part) for part in parts]), nested):
        known = as_dict(merged)
        assert 0 < len(known) <= 256
        assert 0 < merged.error < 3 * len(parts) * 20_000 / 256
        for word, n in true.items():
            assert known.get(word, 0) <= n <= known.get(word, 0) + merged.error
        assert not merged.is_exact


def test_counts_of_a_partition_are_right_to_the_row() -> None:
    words = zipf(300_000, 3)
    column = profile_of(words)
    true = Counter(words)
    assert not column.is_exact
    assert all(true[word] == n for word, n in column.counts.items())
    assert max(n for word, n in true.items() if word not in column.counts) <= column.error
    assert sum(column.counts.values()) + column.n_other == len(words)


def test_counts_are_exact_up_to_the_limit_and_not_beyond() -> None:
    exact, more = (profile_of([str(i) for i in range(n)]) for n in (MAX_EXACT, MAX_EXACT + 1))
    assert exact.is_exact
    assert len(exact.counts) == MAX_EXACT
    assert exact.error == exact.n_other == 0
    assert not more.is_exact
    assert not more.counts  # all occur once: none is frequent
    assert (more.n_other, more.error) == (MAX_EXACT + 1, 1)


def test_a_million_different_texts_are_cheap_and_bounded() -> None:
    texts = pa.array(np.arange(1_000_000)).cast(pa.string())
    column = profile_of(texts)
    assert len(column.counts) <= 256
    assert (column.n_other, column.is_exact) == (1_000_000, False)


def test_memory_is_bounded_while_texts_stream_by() -> None:
    stream = FrequencyAccumulator()
    for start in range(0, 40_000, 5000):
        values = pa.array([str(i) for i in range(start, start + 5000)], pa.large_string())
        stream.add(values, np.full(5000, 2))
        assert len(stream._sum.values) <= 8192
    assert stream.finish().error >= 2
