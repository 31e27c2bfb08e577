"""Errors of the loop. Each names the thing, the place and the fix.

::

    MlopsError
    ├── TransientError                the same call may succeed later: tasks retry it
    │   ├── SourceUnavailableError
    │   ├── CommitConflictError
    │   ├── UnavailableError          MLflow, the ledger or a store does not answer
    │   └── StorageFullError          a disk is full
    ├── TimeLimitError                a step took longer than it may: tried once more
    ├── SpecError                     a spec that cannot work; found while parsing
    │   └── PartitionKeyError         a key that is no day, in the future, or not of the dataset
    ├── SourceAccessError             the source refuses the login, or a driver is missing
    ├── SourceQueryError              the source cannot answer: table missing, file damaged
    ├── SourceNotFoundError           no file or table where the day's rows are due
    ├── SchemaMismatchError           data and contract disagree
    ├── EmptyPartitionError           no rows where rows are due
    ├── ValidationFailedError         a critical expectation failed: nothing was published
    ├── SuiteError                    a suite cannot be used as it is written
    │   └── UnknownExpectationError   it names an expectation that does not exist
    ├── PartitionNotFoundError        a table or partition that was never published
    ├── LakeError                     a folder cannot be a lake: rights, or its file system
    ├── DamagedTableError             a table is not what was committed to it
    ├── UnknownPinsError              it cannot be known what a registered version was trained on
    ├── LedgerError                   the ledger cannot be used as it is
    ├── NewerFormatError              written by a newer version of this project
    ├── StaleAttemptError             a newer attempt has already committed: this one is fenced off
    ├── LeakageError                  something known only later would enter the features
    ├── FeatureError                  the features cannot be used for training or scoring
    ├── EstimatorError                the project's estimator cannot be built, fitted or asked
    ├── NoLabelsError                 labels are missing, or all of one kind
    ├── NoChampionError               nothing is promoted yet
    ├── UnknownVersionError           the ledger does not know a version, or not all of it
    ├── PreregistrationError          the gate would judge by another plan than registered
    ├── SmokeTestFailedError          a registered version does not answer as it must
    ├── ChampionChangedError          the gate compared against a version that is champion no more
    ├── VersionNotAllowedError        a version that must not become, or stop to be, the champion
    ├── NotWatchedError               no watch window after a promotion is open
    ├── NeverScoredError              a day without predictions: there is nothing to measure
    ├── MaintenanceError              a part of the nightly maintenance failed
    ├── NotReproducedError            a version was trained again and is another model
    ├── ReproductionError             a recorded training cannot be repeated here
    ├── EvidencePackError             an evidence pack cannot be made, or a file is none
    ├── UnknownIncidentError          there is no such incident, or it has ended
    ├── NotificationError             a message could not be sent, or its channel is none
    ├── ScaffoldError                 no project can be made from what a source has
    └── UnsafeModelError              a model file that must not be loaded
"""

__all__ = [
    "ChampionChangedError",
    "CommitConflictError",
    "DamagedTableError",
    "EmptyPartitionError",
    "EstimatorError",
    "EvidencePackError",
    "FeatureError",
    "LakeError",
    "LeakageError",
    "LedgerError",
    "MaintenanceError",
    "MlopsError",
    "NeverScoredError",
    "NewerFormatError",
    "NoChampionError",
    "NoLabelsError",
    "NotReproducedError",
    "NotWatchedError",
    "NotificationError",
    "PartitionKeyError",
    "PartitionNotFoundError",
    "PreregistrationError",
    "ReproductionError",
    "ScaffoldError",
    "SchemaMismatchError",
    "SmokeTestFailedError",
    "SourceAccessError",
    "SourceNotFoundError",
    "SourceQueryError",
    "SourceUnavailableError",
    "SpecError",
    "StaleAttemptError",
    "StorageFullError",
    "SuiteError",
    "TimeLimitError",
    "TransientError",
    "UnavailableError",
    "UnknownExpectationError",
    "UnknownIncidentError",
    "UnknownPinsError",
    "UnknownVersionError",
    "UnsafeModelError",
    "ValidationFailedError",
    "VersionNotAllowedError",
]


class MlopsError(Exception):
    """Base of every error this project raises on purpose."""


class TransientError(MlopsError):
    """The same call may succeed later."""


class SourceUnavailableError(TransientError):
    """The source does not answer, or stopped to."""


class CommitConflictError(TransientError):
    """Another writer committed to the same table at the same moment."""


class UnavailableError(TransientError):
    """A service that a step needs does not answer: MLflow, the ledger, a store."""


class StorageFullError(TransientError):
    """A disk is full; whoever frees space lets the task go on."""


class TimeLimitError(MlopsError):
    """A step took longer than it may and was ended."""


class SpecError(MlopsError):
    """A spec is wrong; the message names the field and the fix."""


class PartitionKeyError(SpecError):
    """A partition key or an `as_of` is no day, lies in the future or outside the dataset's days."""


class SourceAccessError(MlopsError):
    """The source cannot be used as the connection is set up: login, rights, driver."""


class SourceQueryError(MlopsError):
    """The source answered, and what was asked for cannot be read."""


class SourceNotFoundError(MlopsError):
    """The files or the table that should hold the day are not there.

    Attributes
    ----------
    reason : str
        What is not there.
    """

    reason: str = ""


class SchemaMismatchError(MlopsError):
    """Data and contract disagree on columns or types."""


class EmptyPartitionError(MlopsError):
    """A partition that must have rows has none."""


class ValidationFailedError(MlopsError):
    """A critical expectation failed; nothing was published.

    Attributes
    ----------
    report : str
        The report of the failed validation, a path relative to the root of the lake.
    """

    report: str = ""


class SuiteError(MlopsError):
    """A suite cannot be used as it is written; the message names the expectation and the fix."""


class UnknownExpectationError(SuiteError):
    """A suite names an expectation type that Great Expectations does not have."""


class PartitionNotFoundError(MlopsError):
    """A table or partition was never published."""


class LakeError(MlopsError):
    """A folder cannot be used as a lake: rights, or what its file system lacks."""


class DamagedTableError(MlopsError):
    """A table, a file or a pin is not what was committed."""


class UnknownPinsError(MlopsError):
    """It cannot be known which rows a registered model version was trained on."""


class LedgerError(MlopsError):
    """The ledger cannot be used as it is: address, rights, damage, or a newer schema."""


class NewerFormatError(MlopsError):
    """Something was written by a newer version of this project, in a way unknown to this one."""


class StaleAttemptError(MlopsError):
    """A newer attempt has committed already; this one must not overwrite it."""


class LeakageError(MlopsError):
    """Something that becomes known only later would enter the features."""


class FeatureError(MlopsError):
    """The feature query gave something that training or scoring cannot use."""


class EstimatorError(MlopsError):
    """The project's estimator cannot be built, fitted or asked for scores."""


class EvidencePackError(MlopsError):
    """An evidence pack cannot be made or signed, or a file is no evidence pack."""


class NoLabelsError(MlopsError):
    """The labels of a window are missing, or all of one kind."""


class NoChampionError(MlopsError):
    """The registered model has no champion yet."""


class UnknownVersionError(MlopsError):
    """The ledger does not know a model version, so it is not loaded."""


class PreregistrationError(MlopsError):
    """The gate would judge by another plan than the one that was registered before scoring."""


class SmokeTestFailedError(MlopsError):
    """A registered version does not load, or does not answer as it must; it is not promoted."""


class ChampionChangedError(MlopsError):
    """The champion is no longer the version that the gate compared against."""


class VersionNotAllowedError(MlopsError):
    """A version cannot be promoted, rolled back to or retired; the message says why."""


class NotWatchedError(MlopsError):
    """No watch window after a promotion is open; the message says why."""


class NeverScoredError(MlopsError):
    """A day has no predictions, so there is nothing to measure."""


class UnsafeModelError(MlopsError):
    """A model file is not what was registered, or holds what must not be loaded."""


class MaintenanceError(MlopsError):
    """A part of the nightly maintenance failed; the others did their work."""


class NotReproducedError(MlopsError):
    """A registered version was trained again from its record, and gave another model."""


class ReproductionError(MlopsError):
    """A recorded training cannot be repeated here, so it cannot be told what it would give.

    Attributes
    ----------
    about : str
        Which input is missing or cannot be had: ``"environment"``, ``"code"``, ``"pin"`` and so on.
    """

    def __init__(self, text: str, about: str = "") -> None:
        super().__init__(text)
        self.about = about


class UnknownIncidentError(MlopsError):
    """There is no such incident, or it has ended and stays as it is."""


class NotificationError(MlopsError):
    """A message could not be sent, or what should send it is no channel."""


class ScaffoldError(MlopsError):
    """No project can be made from what a source has; the message says what to give instead."""
