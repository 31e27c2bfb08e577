"""Feature functions of the orders project, right and wrong: what a user would write."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

SEEN: dict[str, Any] = {}
_calls = itertools.count()


def arrow(orders: pa.Table, traffic: pa.Table) -> pa.Table:
    """Join the last reading before each order by hand."""
    SEEN.update(orders=orders, traffic=traffic)
    asked = orders["ordered_at"].cast(pa.int64()).to_numpy()
    last = np.full(orders.num_rows, -1)
    for zone in ("north", "south"):
        rows = np.flatnonzero(pc.equal(traffic["zone"], zone).to_numpy())
        moments = traffic["observed_at"].cast(pa.int64()).to_numpy()[rows]
        order = np.argsort(moments, kind="stable")
        before = np.searchsorted(moments[order], asked) - 1
        here = (orders["zone"].to_numpy() == zone) & (before >= 0)
        last[here] = rows[order][before[here]]
    joined = traffic.take(pa.array(last, mask=last < 0))
    return (
        orders.drop_columns(["zone"])
        .rename_columns({"ordered_at": "asked_at"})
        .append_column("traffic_observed_at", joined["observed_at"])
        .append_column("speed", joined["speed"])
    )


def pandas(orders: pd.DataFrame, traffic: pd.DataFrame) -> pd.DataFrame:
    """Join by merge_asof."""
    import pandas as pd

    SEEN.update(orders=orders, traffic=traffic)
    joined = pd.merge_asof(
        orders.sort_values("ordered_at"),
        traffic.rename(columns={"observed_at": "traffic_observed_at"}).sort_values(
            "traffic_observed_at"
        ),
        left_on="ordered_at",
        right_on="traffic_observed_at",
        by="zone",
        allow_exact_matches=False,
    )
    return joined.rename(columns={"ordered_at": "asked_at"}).drop(columns="zone")


def polars(orders: pl.DataFrame, traffic: pl.DataFrame) -> pl.DataFrame:
    """Join by join_asof."""
    SEEN.update(orders=orders, traffic=traffic)
    joined = orders.sort("ordered_at").join_asof(
        traffic.rename({"observed_at": "traffic_observed_at"}).sort("traffic_observed_at"),
        left_on="ordered_at",
        right_on="traffic_observed_at",
        by="zone",
        allow_exact_matches=False,
        coalesce=False,
        check_sortedness=False,
    )
    return joined.rename({"ordered_at": "asked_at"}).drop("zone")


def with_keys_beside(orders: pl.DataFrame, traffic: pa.Table) -> pl.DataFrame:
    """Look at the partition of each row; the label is not asked for."""
    return polars(orders, _polars(traffic)).with_columns(
        speed=orders["partition_key"].str.slice(8).cast(int)
    )


def _polars(rows: pa.Table) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame(rows)


# --- wrong in one way each


def over_the_day(orders: pd.DataFrame, traffic: pd.DataFrame) -> pd.DataFrame:
    """Take a mean over all rows that are given."""
    found = pandas(orders, traffic)
    return found.assign(distance=found["distance"] - found["distance"].mean())


def the_label(orders: pa.Table, deliveries: pa.Table) -> pa.Table:
    """Ask for what is known only afterwards."""
    return orders.append_column("minutes_late", deliveries["minutes_late"])


def unknown_input(orders: pa.Table, weather: pa.Table) -> pa.Table:
    """Ask for an input that the model has not."""
    return orders


def odd_annotation(orders: list[int]) -> pa.Table:
    """Ask for no frame at all."""
    return pa.table({"x": orders})


def at_random(orders: pa.Table, traffic: pa.Table) -> pa.Table:
    """Draw a feature."""
    found = arrow(orders, traffic)
    place = found.column_names.index("speed")
    return found.set_column(place, "speed", pa.array(np.random.random(found.num_rows)))


def growing(orders: pa.Table, traffic: pa.Table) -> pa.Table:
    """Give another column in each call."""
    return arrow(orders, traffic).append_column(
        f"call_{next(_calls)}", pa.nulls(orders.num_rows, pa.int64())
    )


def the_future(orders: pd.DataFrame, traffic: pd.DataFrame) -> pd.DataFrame:
    """Join the reading after the order."""
    found = pandas(orders, traffic)
    return found.assign(traffic_observed_at=found["asked_at"])


def loses_rows(orders: pa.Table, traffic: pa.Table) -> pa.Table:
    """Leave a row out."""
    return arrow(orders, traffic)[1:]


def without_index(orders: pd.DataFrame, traffic: pd.DataFrame) -> pd.DataFrame:
    """Leave the key in the index."""
    return pandas(orders, traffic).set_index("order_id")


def loose(orders: pd.DataFrame, traffic: pd.DataFrame) -> pd.DataFrame:
    """Give a column that may hold anything."""
    return pandas(orders, traffic).astype({"shop": "object"})


def local_clock(orders: pl.DataFrame, traffic: pl.DataFrame) -> pl.DataFrame:
    """Give moments that nobody can place."""
    import polars as pl

    return polars(orders, traffic).with_columns(pl.col("asked_at").dt.replace_time_zone(None))


def twice(orders: pa.Table, traffic: pa.Table) -> pa.Table:
    """Give a feature twice."""
    found = arrow(orders, traffic)
    return found.append_column("speed", found["speed"])


def text_as_number(orders: pa.Table, traffic: pa.Table) -> pa.Table:
    """Give a numeric feature as text."""
    found = arrow(orders, traffic)
    place = found.column_names.index("speed")
    return found.set_column(place, "speed", found["speed"].cast(pa.string()))


def infinite(orders: pd.DataFrame, traffic: pd.DataFrame) -> pd.DataFrame:
    """Divide by zero."""
    return pandas(orders, traffic).assign(speed=np.inf)


def floating_key(orders: pd.DataFrame, traffic: pd.DataFrame) -> pd.DataFrame:
    """Change the type of the key."""
    return pandas(orders, traffic).assign(order_id=1.5)


def too_fine(orders: pa.Table, traffic: pa.Table) -> pa.Table:
    """Give moments that the lake would round."""
    found = arrow(orders, traffic)
    nanos = pc.add(found["asked_at"].cast(pa.timestamp("ns", "UTC")).cast(pa.int64()), 1)
    place = found.column_names.index("asked_at")
    return found.set_column(place, "asked_at", nanos.cast(pa.timestamp("ns", "UTC")))


def fails(orders: pa.Table, traffic: pa.Table) -> pa.Table:
    """Name a column that is not there."""
    return orders.select(["nobody"])


def nothing(orders: pa.Table, traffic: pa.Table) -> None:
    """Forget the return."""


def late(orders: pl.DataFrame, traffic: pl.DataFrame) -> pl.LazyFrame:
    """Forget to collect."""
    return polars(orders, traffic).lazy()


def as_pandas_has_it(orders: pd.DataFrame, traffic: pd.DataFrame) -> pd.DataFrame:
    """Use a category as pandas has it, and moments in other units."""
    found = pandas(orders, traffic).astype({"shop": "category"})
    return found.assign(asked_at=found["asked_at"].astype("datetime64[ns, UTC]"))
