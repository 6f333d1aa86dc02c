"""How to train: the recipes of the reports and of the kit, as data that reads like a report."""

from dataclasses import dataclass, fields, replace
from itertools import chain

from fer_kit.runtime.names import unknown


@dataclass(frozen=True)
class Recipe:
    """Everything that `training.fit` has to know besides the model and the faces.

    Args:
        name: The name of the recipe.
        source: The report that it is from, or the idea behind it.
        optimiser: "adam" or "sgd" (with Nesterov momentum).
        learning_rate: The highest one.
        batch_size: Faces per batch.
        epochs: How often each face is seen, at most.
        momentum: Of "sgd".
        weight_decay: Shrinks the convolution and dense kernels by `weight_decay * learning_rate` a step
            (decoupled, Loshchilov & Hutter 2019; 10 times weaker than the same number in PyTorch's SGD with
            momentum 0.9).
        schedule: "constant", "cosine" (after `warmup_epochs` of linear rise from 0, down to 0 at the last
            epoch) or "plateau" (times `plateau_factor` when the validation loss has not improved for
            `plateau_patience` epochs).
        warmup_epochs: Of "cosine"; a tenth of a short training at most.
        plateau_factor: Of "plateau".
        plateau_patience: Of "plateau".
        early_stopping: Stop after this many epochs without a better validation loss; None never stops.
        monitor: "val_accuracy" or "val_loss": chooses the best epoch, whose weights are kept.
        label_smoothing: 0-1 (Szegedy et al. 2016), in the loss of the validation faces too.
        mixup: The alpha of Zhang et al. 2018; 0 for none.
        ema: The decay per step of the averaged weights that are scored and kept (Polyak & Juditsky 1992);
            None for none. A short training averages over its last tenth at most.
        class_weight: "balanced" weighs each emotion inversely to its frequency; None weighs all faces alike.
        loss: "crossentropy", "focal" or "logit-adjusted", see `losses`.
        teacher: The share, 0-1, of trained networks' probabilities in the targets; the labels have the rest
            (Hinton et al. 2015, without their temperature).
        without_twins: Leave out Training faces with a pixel-identical twin among the other faces. The
            reports, like all published figures, keep them.
        silent: What the report does not say, and what is used instead.

    Raises:
        ValueError: For a setting that does not exist, and for numbers that must be above 0.
    """

    name: str
    source: str
    optimiser: str = "adam"
    learning_rate: float = 1e-3
    batch_size: int = 64
    epochs: int = 50
    momentum: float = 0.9
    weight_decay: float = 0.0
    schedule: str = "constant"
    warmup_epochs: float = 0.0
    plateau_factor: float = 0.2
    plateau_patience: int = 5
    early_stopping: int | None = None
    monitor: str = "val_accuracy"
    label_smoothing: float = 0.0
    mixup: float = 0.0
    ema: float | None = None
    class_weight: str | None = None
    loss: str = "crossentropy"
    teacher: float = 0.0
    without_twins: bool = False
    silent: str = ""

    def __post_init__(self):
        choices = {
            "optimiser": ("adam", "sgd"),
            "schedule": ("constant", "cosine", "plateau"),
            "monitor": ("val_accuracy", "val_loss"),
            "class_weight": (None, "balanced"),
            "loss": ("crossentropy", "focal", "logit-adjusted"),
        }
        for field, allowed in choices.items():
            if getattr(self, field) not in allowed:
                raise ValueError(f"{field} is {getattr(self, field)!r}; choose from {allowed}")
        for field, value in vars(self).items():
            if hasattr(value, "item"):  # NumPy's numbers cannot be written into a record
                object.__setattr__(self, field, value.item())
        for field in ("learning_rate", "batch_size", "epochs"):
            if not getattr(self, field) > 0:
                raise ValueError(f"{field} is {getattr(self, field)}; it must be above 0")
        for field in ("batch_size", "epochs"):
            if getattr(self, field) % 1:
                raise ValueError(f"{field} is {getattr(self, field)}; it must be a whole number")


_KIT_SMALL = Recipe(
    "kit-small",
    "this kit: a small network underfits, so little regularisation and many epochs",
    learning_rate=5e-3,
    batch_size=128,
    epochs=60,
    schedule="cosine",
    warmup_epochs=2,
    ema=0.998,
    without_twins=True,
)

_KIT_BEST = Recipe(
    "kit-best",
    "this kit, after Pramerdorfer & Kampel 2016, with later habits",
    optimiser="sgd",
    learning_rate=0.1,
    batch_size=128,
    epochs=150,
    weight_decay=5e-3,
    schedule="cosine",
    warmup_epochs=2,
    label_smoothing=0.1,
    mixup=0.2,
    ema=0.999,
    without_twins=True,
)

_KIT_COMPACT = replace(
    _KIT_BEST, name="kit-compact", source="this kit: as `kit-best`, a little shorter", epochs=90
)

_KIT_TRANSFER = replace(
    _KIT_BEST,
    name="kit-transfer",
    source="this kit: a network that knows ImageNet, trained whole, batch normalisation too",
    optimiser="adam",
    learning_rate=1e-3,
    batch_size=64,
    epochs=30,
    weight_decay=1e-2,
    warmup_epochs=1,
    ema=None,
)

_ZHAO = "optimiser, learning rate and batch size: Adam 1e-3 and 64, as hejslet; augmentation: the kit's light"

_ALL = (
    Recipe(
        "hejslet",
        "hejslet-train",
        schedule="plateau",
        plateau_factor=0.2,
        plateau_patience=5,
        early_stopping=10,
    ),
    Recipe(
        "zhao",
        "zhao-cnn, zhao-resnet, zhao-sepconv",
        epochs=30,
        silent=_ZHAO,
    ),
    Recipe(
        "zhao-long",
        "zhao-vgg (30 epochs, then 60 more)",
        epochs=90,
        silent=_ZHAO,
    ),
    Recipe(
        "choudhari",
        "choudhari-cnn (Adam 1e-4, which choudhari-fig6 cites)",
        learning_rate=1e-4,
        epochs=20,
        silent="batch size: 64, the middle of the range that choudhari-fig6 studies",
    ),
    Recipe(
        "murphy-base",
        "murphy-base",
        learning_rate=1e-4,
        batch_size=32,
        epochs=30,
        early_stopping=5,
        monitor="val_loss",
        silent="the patience of early stopping: 5",
    ),
    Recipe(
        "murphy-finetune",
        "murphy-finetune",
        learning_rate=1e-5,
        batch_size=32,
        epochs=30,
        schedule="plateau",
        plateau_factor=0.1,
        plateau_patience=3,
        early_stopping=5,
        monitor="val_loss",
        silent="both patiences: 3 and 5; how strong the augmentation is: hejslet's",
    ),
    _KIT_SMALL,
    replace(
        _KIT_SMALL,
        name="kit-quick",
        source="this kit: `kit-small` for a lesson; few epochs need small steps, and many of them",
        learning_rate=2e-3,
        batch_size=32,
        epochs=8,
    ),
    replace(
        _KIT_SMALL,
        name="kit-small-taught",
        source="this kit: `kit-small`, taught by stronger networks",
        epochs=150,
        teacher=0.7,
    ),
    _KIT_COMPACT,
    replace(_KIT_COMPACT, name="kit-compact-taught", epochs=120, label_smoothing=0.0, teacher=0.7),
    _KIT_BEST,
    replace(_KIT_BEST, name="kit-best-taught", label_smoothing=0.0, teacher=0.7),
    _KIT_TRANSFER,
)

RECIPES = {recipe.name: recipe for recipe in _ALL}
"""The named recipes. `dataclasses.replace(RECIPES["hejslet"], batch_size=128)` makes a variant."""


def find_recipe(recipe):
    """Return the `Recipe` of that name, or a `Recipe` as it is. Raises ValueError for an unknown name."""
    if isinstance(recipe, Recipe):
        return recipe
    if recipe not in RECIPES:
        raise ValueError(unknown("recipe", recipe, RECIPES))
    return RECIPES[recipe]


def make_optimiser(recipe, steps):
    """Return the Keras optimiser of a recipe, for epochs of `steps` batches."""
    import keras

    rate = recipe.learning_rate
    if recipe.schedule == "cosine":
        warmup = round(min(recipe.warmup_epochs, recipe.epochs / 10) * steps)
        rising = {"warmup_target": rate, "warmup_steps": warmup} if warmup else {}
        rate = keras.optimizers.schedules.CosineDecay(
            0.0 if warmup else rate, recipe.epochs * steps - warmup, **rising
        )
    options = {"weight_decay": recipe.weight_decay or None}
    if recipe.ema:
        # An average over more than a tenth of all steps would contain the untrained weights.
        longest = max(recipe.epochs * steps / 10, 1)
        options |= {"use_ema": True, "ema_momentum": min(recipe.ema, 1 - 1 / longest)}
    if recipe.optimiser == "sgd":
        optimiser = keras.optimizers.SGD(rate, recipe.momentum, nesterov=True, **options)
    else:
        optimiser = keras.optimizers.Adam(rate, **options)
    if recipe.weight_decay:
        optimiser.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimiser


def differences(old, new):
    """Return how the configs of two runs differ, as a list of str: `recipe epochs was 15, now 60`.

    A field that is missing in a recipe, because the record is older than the field, counts as its default.
    An option of the model that was not given differs from one that was given as None. What a recipe says in
    words, its `source` and `silent`, does not count as a difference.
    """
    defaults = {f"recipe {field.name}": field.default for field in fields(Recipe)}
    configs = [defaults | dict(_flatten(config)) for config in (old, new)]
    names = [
        name for name in dict.fromkeys(chain(*configs)) if name not in ("recipe source", "recipe silent")
    ]
    pairs = {name: [config.get(name, "not given") for config in configs] for name in names}
    return [f"{name} was {was}, now {now_is}" for name, (was, now_is) in pairs.items() if was != now_is]


def _flatten(config, above=""):
    for name, value in config.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{above}{name} ")
        else:
            yield f"{above}{name}", value
