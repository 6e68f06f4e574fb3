"""Training that survives being killed; needs the extra `train`."""

from implicit_seg.training._history import History
from implicit_seg.training._settings import TrainingSettings
from implicit_seg.training._train import train

__all__ = ["History", "TrainingSettings", "train"]
