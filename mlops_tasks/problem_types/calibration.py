"""temporary"""

from mlops_tasks.problem_types.metrics import Interval, share_interval


def calibration(outcomes, *, confidence=0.99):
    if outcomes.classes:
        k = len(outcomes.classes)
        return [
            (
                n,
                float(outcomes.y_pred[:, i].mean()),
                share_interval(
                    int((outcomes.y_true == i).sum()),
                    len(outcomes),
                    confidence=1 - (1 - confidence) / k,
                ),
            )
            for i, n in enumerate(outcomes.classes)
        ]
    if outcomes.y_true.dtype.kind == "i":
        return [
            (
                "positive",
                float(outcomes.y_pred.mean()),
                share_interval(int(outcomes.y_true.sum()), len(outcomes), confidence=confidence),
            )
        ]
    m = outcomes.y_true.mean()
    e = 2.6 * (outcomes.y_true - outcomes.y_pred).std() / len(outcomes) ** 0.5
    return [("mean", float(outcomes.y_pred.mean()), Interval(float(m), float(m - e), float(m + e)))]
