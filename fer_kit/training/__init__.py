"""Training: fit a network by a recipe, and keep a record of it.

loop           fit: train, select, resume
recipes        RECIPES: how the reports and the kit train, as data
losses         cross-entropy, focal and logit-adjusted loss
batches        the order of faces, mixup, teachers' answers
callbacks      averaged weights, the best model, the state to resume from, progress
speedups       fused batch normalisation
records        Run: what a training run leaves, its folder and its files; `recorded` holds those of the kit
distillation   learning from trained networks
learning_rate  the learning-rate finder
transfer       train_head and fine_tune for ImageNet backbones
features       a frozen backbone's features, computed once
"""

from fer_kit.runtime.lazy import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "loop": "fit",
        "recipes": "RECIPES Recipe",
        "losses": "frequencies",
        "records": "RECORDS Run open_model recorded",
        "learning_rate": "find_learning_rate suggest",
        "transfer": "train_head fine_tune unfreeze",
        "features": "extract",
    },
)
