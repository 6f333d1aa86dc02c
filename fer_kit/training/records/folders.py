"""The folder of a run: new, or that of the same run, and nothing of anybody else's."""

import itertools
import json
import warnings

from fer_kit.runtime.files import write_sealed
from fer_kit.runtime.names import by_door
from fer_kit.training.recipes import differences
from fer_kit.training.records import Run, parts

WRITTEN = (*parts.SMALL, parts.LEARNED, "best.keras", "state.npz", "head.keras")
"""All that training writes into the folder of a run, and so all that it may replace there."""

OF_OWN_NETWORKS = {
    "configuration": "of what {} was built, only its name and number of parameters",
    "code": "the code of the layers of its own that {} has",
}
"""What a record says of a network of one's own, and how to say that one of an older version does not."""


def begin(folder, config, retrain=False):
    """Return the `Run` in `folder`, in which `config` is written if the folder is new or for `retrain`.

    A run that `retrain` replaces is kept, in a folder beside it whose name is printed. Warns when the run is
    of an older version, which did not record of what a network of one's own was built.

    Raises:
        FileExistsError: When files of these names are there that no run of the kit left.
        ValueError: When the folder holds a run of another `config`, saying what differs, or the model of a
            run that can't be resumed because its metrics.json or state.npz is gone.
    """
    run = Run(folder)
    config = json.loads(json.dumps(config))
    there = [name for name in WRITTEN if (run.folder / name).exists()]
    if there and not _is_record(run.folder):
        raise FileExistsError(
            f"{folder} holds {', '.join(there)}, but is no run record: its config.json is missing or none of "
            f"the kit's. Give another folder {by_door('as out', 'with --out')}, or put the config.json back"
        )
    if retrain:
        _set_aside(run.folder, there)
    if not (run.folder / "config.json").exists():
        run.folder.mkdir(parents=True, exist_ok=True)
        write_sealed(run.folder / "config.json", config)
        return run
    differing = _differing(run, config)
    if differing:
        advice = by_door("as out, or retrain=True", "with --out, or --retrain")
        raise ValueError(
            f"{folder} holds another run: {'; '.join(differing)}. "
            f"Give another folder {advice} to train anew and keep that run beside it"
        )
    trained = [name for name in ("best.keras", "predictions.npz") if name in there]
    if trained and "state.npz" not in there and not run.finished:
        anew = by_door("pass retrain=True", "add --retrain")
        raise ValueError(
            f"{folder} holds the {trained[0]} of a trained run, but its metrics.json or state.npz is gone. "
            f"Put it back, or {anew} to train anew and keep beside it what is there"
        )
    return run


def _differing(run, config):
    """Return how the config of a run differs from another, in words."""
    known = run.config
    for name, lacking in OF_OWN_NETWORKS.items():
        digest = config.get("variant", {}).get(name)
        if digest and name not in known.get("variant", {}):
            warnings.warn(
                f"{run.folder} does not record {lacking.format(config['model'])}: that it is the same "
                "network is not checked",
                stacklevel=4,
            )
            known["variant"][name] = digest
    return differences(known, config)


def _is_record(folder):
    """Whether a folder's config.json is one that `begin` wrote; a damaged one counts as such."""
    path = folder / "config.json"
    try:
        config = json.loads(path.read_bytes()) if path.is_file() else None
    except (ValueError, RecursionError):
        return True
    return isinstance(config, dict) and {"model", "recipe"} <= set(config)


def _set_aside(folder, names):
    """Move the files `names` of a run into a new folder beside it; delete them if no epoch had finished."""
    worth = {"best.keras", "state.npz", "predictions.npz", "private.npz"} & set(names)
    if not worth:
        for name in names:
            (folder / name).unlink()
        return
    beside = (folder.with_name(f"{folder.name}-replaced-{count}") for count in itertools.count(1))
    aside = next(place for place in beside if not place.exists())
    aside.mkdir()
    for name in names:
        (folder / name).replace(aside / name)
    print(f"The run that was in {folder} is kept in {aside}")


def found(run):
    """Return a finished run, saying that it is there and what of it is damaged."""
    for problem in run.damaged():
        warnings.warn(problem, stacklevel=3)
    print(f"Already trained: {run.summary}. To train again: {by_door('retrain=True', '--retrain')}")
    return run
