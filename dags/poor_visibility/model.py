"""Rows and estimator of the forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from sklearn.pipeline import Pipeline

    from mlops_tasks.lake import Lake

__all__ = ["build", "hours"]

MEASURED = ("temp", "dewp", "humid", "wind_speed", "pressure", "visib")


def hours(lake: Lake, day: str) -> pa.Table:
    """Return the hours of a day with what was measured, and what can be seen three hours later."""
    import pyarrow as pa
    import pyarrow.compute as pc

    weather = lake.table("weather").read(
        first=day, last=day, columns=["origin", "observed_at", *MEASURED]
    )
    three_hours = pa.scalar(3 * 3600 * 1_000_000, pa.duration("us"))
    later = pa.table(
        {
            "origin": weather["origin"],
            "observed_at": pc.subtract(weather["observed_at"], three_hours),
            "visib_later": weather["visib"],
        }
    )
    return weather.join(later, ["origin", "observed_at"], join_type="left outer")


def build(*, categorical: Sequence[str], numeric: Sequence[str], random_state: int) -> Pipeline:
    """Return the unfitted pipeline: airports one by one, missing measures by their median."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    columns = ColumnTransformer(
        [
            ("airport", OneHotEncoder(handle_unknown="ignore"), list(categorical)),
            ("measured", numbers, list(numeric)),
        ]
    )
    return make_pipeline(columns, LogisticRegression(max_iter=500, random_state=random_state))
