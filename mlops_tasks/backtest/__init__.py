"""Policies of retraining, tried on the past before they are trusted.

Modules: `backtest` (the loop), `policies` (what is compared), `dags` (the steps under one policy),
`versions` (what is done once for all policies), `realised` (what predictions were worth), `oracle`
(the bound), `summary` (losses, harm, regret), `stores` and `runs` (where it works), `report` and
`page` (what comes of it).
"""

from mlops_tasks.backtest.backtest import backtest
from mlops_tasks.backtest.policies import Policy, compared_policies
from mlops_tasks.backtest.report import BacktestReport, Figures, OracleResult, PolicyResult

__all__ = [
    "BacktestReport",
    "Figures",
    "OracleResult",
    "Policy",
    "PolicyResult",
    "backtest",
    "compared_policies",
]
