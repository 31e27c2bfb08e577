from __future__ import annotations

from mlops_airflow.stack.restarts import DELAYS_S, MAX_ENDS, WINDOW_S, Restarts


def test_delays_grow_until_it_is_enough() -> None:
    restarts, now = Restarts(), 0.0
    delays: list[float | None] = []
    for _ in range(MAX_ENDS):
        delays.append(restarts.ended(now))
        now += 4 + (delays[-1] or 0)

    assert delays[: len(DELAYS_S)] == list(DELAYS_S)
    assert delays[len(DELAYS_S) : -1] == [60.0] * (MAX_ENDS - len(DELAYS_S) - 1)
    assert delays[-1] is None
    assert 9 * 60 < now < WINDOW_S


def test_rare_ends_are_never_enough() -> None:
    restarts = Restarts()
    every_s = WINDOW_S / (MAX_ENDS - 1) + 1

    assert None not in [restarts.ended(n * every_s) for n in range(200)]


def test_delay_is_short_again_after_a_quiet_time() -> None:
    restarts = Restarts()
    for now in range(5):
        restarts.ended(float(now))

    assert restarts.ended(WINDOW_S + 5) == DELAYS_S[0]
