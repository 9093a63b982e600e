"""Every error repoint raises, grouped by what the caller should do next.

    RepointError
        RefusedError                    a precondition is not met: satisfy it, then ask again
            BadInputError               what was given is malformed: correct it
                InvalidNameError
                BadLineError
                FieldTypeError
                BadSpecError
                BadFilterError
                UnknownFieldError
            NotFoundError               what was named does not exist
            RefusedMoveError
            TransitionRefusedError
            NotReadyError
            FrozenError
            HeldError
            RetiredError
            NotPermittedError
            UnsupportedError
                RowsRefusedError
            MissingExtraError
            MissingSettingError
            MissingModelError
            InputRejectedError
                NoContentError
            ContentElsewhereError
            KeyReusedError
            PushTooLargeError
            WrongDeclarationError
            UnauthenticatedError
            SweepRefusedError
        ConflictError                   someone moved first: read again, then decide again
            AlreadyExistsError
            StaleEpochError
            LostLeaseError
            OperationInProgressError
        UnavailableError                a dependency is down: retry with backoff
            RateLimitedError
            ProviderAnswerError
            UnconfirmedRouteError
            TooManyWaitingError
            TooManyPushesError
            StoreUnavailableError
            BackendUnavailableError
            SourceUnavailableError
        CorruptionError                 an invariant is broken: stop and call a person
            MixedSpacesError
            DimensionsError
            FingerprintMismatchError
            CollectionMissingError
            ModelChangedError
            BrokenAuditError
            BrokenEvidenceError

``tests/unit/domain/test_errors.py`` fails when this picture and the classes disagree.
Exit status and HTTP status come from the family; ``code`` is stable.
"""

from repoint.domain.errors.bad_input import (
    BadFilterError,
    BadInputError,
    BadLineError,
    BadSpecError,
    FieldTypeError,
    InvalidNameError,
    UnknownFieldError,
)
from repoint.domain.errors.conflict import (
    AlreadyExistsError,
    LostLeaseError,
    OperationInProgressError,
    StaleEpochError,
)
from repoint.domain.errors.corruption import (
    BrokenAuditError,
    BrokenEvidenceError,
    CollectionMissingError,
    DimensionsError,
    FingerprintMismatchError,
    MixedSpacesError,
    ModelChangedError,
)
from repoint.domain.errors.families import (
    ConflictError,
    CorruptionError,
    RefusedError,
    RepointError,
    UnavailableError,
)
from repoint.domain.errors.refused import (
    ContentElsewhereError,
    FrozenError,
    HeldError,
    InputRejectedError,
    KeyReusedError,
    MissingExtraError,
    MissingModelError,
    MissingSettingError,
    NoContentError,
    NotFoundError,
    NotPermittedError,
    NotReadyError,
    PushTooLargeError,
    RefusedMoveError,
    RetiredError,
    RowsRefusedError,
    SweepRefusedError,
    TransitionRefusedError,
    UnauthenticatedError,
    UnsupportedError,
    WrongDeclarationError,
)
from repoint.domain.errors.unavailable import (
    BackendUnavailableError,
    ProviderAnswerError,
    RateLimitedError,
    SourceUnavailableError,
    StoreUnavailableError,
    TooManyPushesError,
    TooManyWaitingError,
    UnconfirmedRouteError,
)

__all__ = [
    "AlreadyExistsError",
    "BackendUnavailableError",
    "BadFilterError",
    "BadInputError",
    "BadLineError",
    "BadSpecError",
    "BrokenAuditError",
    "BrokenEvidenceError",
    "CollectionMissingError",
    "ConflictError",
    "ContentElsewhereError",
    "CorruptionError",
    "DimensionsError",
    "FieldTypeError",
    "FingerprintMismatchError",
    "FrozenError",
    "HeldError",
    "InputRejectedError",
    "InvalidNameError",
    "KeyReusedError",
    "LostLeaseError",
    "MissingExtraError",
    "MissingModelError",
    "MissingSettingError",
    "MixedSpacesError",
    "ModelChangedError",
    "NoContentError",
    "NotFoundError",
    "NotPermittedError",
    "NotReadyError",
    "OperationInProgressError",
    "ProviderAnswerError",
    "PushTooLargeError",
    "RateLimitedError",
    "RefusedError",
    "RefusedMoveError",
    "RepointError",
    "RetiredError",
    "RowsRefusedError",
    "SourceUnavailableError",
    "StaleEpochError",
    "StoreUnavailableError",
    "SweepRefusedError",
    "TooManyPushesError",
    "TooManyWaitingError",
    "TransitionRefusedError",
    "UnauthenticatedError",
    "UnavailableError",
    "UnconfirmedRouteError",
    "UnknownFieldError",
    "UnsupportedError",
    "WrongDeclarationError",
]
