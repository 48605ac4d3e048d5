"""Callbacks: objects whose methods are called during training, evaluation and prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..common.absent import answer
from .callback import Callback, History, LambdaCallback
from .callback_list import CallbackList

if TYPE_CHECKING:
    from .averages import SwapEMAWeights as SwapEMAWeights
    from .checkpoints import BackupAndRestore as BackupAndRestore
    from .checkpoints import ModelCheckpoint as ModelCheckpoint
    from .csv_logger import CSVLogger as CSVLogger
    from .early_stopping import EarlyStopping as EarlyStopping
    from .not_finite import TerminateOnNaN as TerminateOnNaN
    from .progress import ProgbarLogger as ProgbarLogger
    from .rates import LearningRateScheduler as LearningRateScheduler
    from .rates import ReduceLROnPlateau as ReduceLROnPlateau
    from .tensorboard import TensorBoard as TensorBoard

# Classes that are imported at first use, and their modules.
_ON_DEMAND = {
    "BackupAndRestore": "checkpoints",
    "CSVLogger": "csv_logger",
    "EarlyStopping": "early_stopping",
    "LearningRateScheduler": "rates",
    "ModelCheckpoint": "checkpoints",
    "ProgbarLogger": "progress",
    "ReduceLROnPlateau": "rates",
    "SwapEMAWeights": "averages",
    "TensorBoard": "tensorboard",
    "TerminateOnNaN": "not_finite",
}
__all__ = ["Callback", "CallbackList", "History", "LambdaCallback", *_ON_DEMAND]

answer(__name__, **_ON_DEMAND)
