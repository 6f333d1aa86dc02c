"""An Optuna study in a folder, worked on by any number of processes and computers that see the folder.

study.log     Optuna's journal: one line for each thing that happened, only ever added to
trial-0003/   the run record of a trial; `alive` in it is touched every few seconds while it is trained
claim.lock    held for the moment in which a process takes its next trial

A process that was killed leaves a trial whose `alive` is touched no more. The next process that looks for
work takes that trial over and goes on after its last saved epoch.
"""

import contextlib
import threading
from pathlib import Path

from fer_kit.training.recipes import differences

BEAT, DEAD_AFTER = 5, 60
"""Seconds between two touches of `alive`, and without one until a trial's process counts as dead."""

LOCK_EXPIRES = 30
"""Seconds until a lock that a killed process left behind is broken."""

TRIES = 3
"""How often a trial may be begun: a setting that kills its process would otherwise do so forever."""


def open_study(out):
    """Return the `optuna.Study` in the folder `out`.

    A last line of the journal that was cut off is dropped, and said so. Raises FileNotFoundError when
    there is no study, ValueError, naming the file, when it is damaged, and ModuleNotFoundError without
    Optuna.
    """
    path = Path(out) / "study.log"
    if not path.exists():
        raise FileNotFoundError(f"{out} has no study.log; tuning.grid or tuning.search begins a study")
    return _read(path)


def begin_study(out, config):
    """Return the `optuna.Study` in `out`, begun with `config` (a dict that JSON can hold) where it is new.

    Raises ValueError, saying what differs, when the folder holds a study of another `config`, and as
    `open_study` does.
    """
    path = Path(out) / "study.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with _claiming(out):
        empty = not path.exists() or not path.stat().st_size
        if empty and list(path.parent.glob("trial-*")):
            raise ValueError(f"{out} has trials, but their study.log is gone; give another folder as out")
        study = _read(path, create=empty)
        differing = differences(study.user_attrs.get("config", config), config)
        if differing:
            raise ValueError(f"{out} holds another study: {'; '.join(differing)}. Give another folder as out")
        if "config" not in study.user_attrs:
            study.set_user_attr("config", config)
    return study


def claim(study, out, distributions, choose):
    """Return (the next `optuna.Trial`, its folder), or None when nothing is left to do.

    Trials of dead processes come first. Otherwise `choose(trials)` is given all trials begun so far and
    returns the setting to try, {} to let the sampler choose, or None for an end. Two processes never get
    the same trial.
    """
    with _claiming(out) as now:
        _give_up_dead(study, out, now)
        waiting = study.get_trials(deepcopy=False, states=(_state("WAITING"),))
        if not waiting:
            setting = choose(begun(study))
            if setting is None:
                return None
            study.enqueue_trial(setting)
        trial = study.ask(distributions)
        folder, old = folder_of(out, trial.number), trial.user_attrs.get("takes over")
        if old is not None and folder_of(out, old).exists():
            folder_of(out, old).rename(folder)
        folder.mkdir(exist_ok=True)
        (folder / "alive").touch()
    return trial, folder


def put_back(study, trial, tries=1):
    """Give a trial up, and queue its setting to be taken over by a new trial."""
    study.enqueue_trial(trial.params, user_attrs={"takes over": trial.number, "tries": tries})
    study.tell(trial.number, state=_state("FAIL"))


def begun(study):
    """Return the trials of a study, but for those that others have taken over."""
    trials = study.get_trials(deepcopy=False)
    gone = {trial.user_attrs.get("takes over") for trial in trials}
    return [trial for trial in trials if trial.number not in gone]


def folder_of(out, number):
    """Return the Path of a trial's run record."""
    return Path(out) / f"trial-{number:04}"


@contextlib.contextmanager
def alive(folder):
    """Show inside a `with` block that the trial in `folder` is being worked on."""
    stop, file = threading.Event(), Path(folder) / "alive"

    def beat():
        while not stop.wait(BEAT):
            with contextlib.suppress(OSError):  # the folder is gone when another process took the trial over
                file.touch()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        file.unlink(missing_ok=True)


def _give_up_dead(study, out, now):
    for trial in (trial for trial in begun(study) if trial.state == _state("RUNNING")):
        file = folder_of(out, trial.number) / "alive"
        if file.exists() and now - file.stat().st_mtime < DEAD_AFTER:
            continue
        tries = trial.user_attrs.get("tries", 1) + 1
        if tries <= TRIES:
            put_back(study, trial, tries)
        else:
            study.tell(trial.number, state=_state("FAIL"))
        print(f"trial {trial.number}: its process is gone" + ("" if tries <= TRIES else f" {TRIES} times"))


def _read(path, create=False):
    """Return the study in a journal, or create both."""
    optuna = import_optuna()
    lock = optuna.storages.journal.JournalFileOpenLock(str(path), LOCK_EXPIRES)
    with _held(lock):
        _drop_half_line(path)
    try:
        backend = optuna.storages.journal.JournalFileBackend(str(path), lock)
        storage = optuna.storages.JournalStorage(backend)
        if create:
            return optuna.create_study(storage=storage, study_name="study", direction="maximize")
        return optuna.load_study(storage=storage, study_name="study")
    except (ValueError, LookupError, TypeError) as error:
        raise ValueError(
            f"{path} is damaged ({error}); restore it from a copy, or give another folder as out"
        ) from error


def _drop_half_line(path):
    # Optuna would append to the half line and could then read nothing of what follows.
    if not path.exists():
        return
    with path.open("r+b") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            file.truncate(whole)
            print(f"{path} was cut off in its last line; what that line said is lost")


@contextlib.contextmanager
def _claiming(out):
    """Hold the claim's lock; the value is the time by the clock of the disk, which all computers share."""
    lock = import_optuna().storages.journal.JournalFileOpenLock(str(Path(out) / "claim"), LOCK_EXPIRES)
    with _held(lock):
        yield (Path(out) / "claim.lock").stat().st_mtime


@contextlib.contextmanager
def _held(lock):
    lock.acquire()
    try:
        yield
    finally:
        with contextlib.suppress(RuntimeError):  # somebody waited too long and has broken the lock
            lock.release()


def _state(name):
    return import_optuna().trial.TrialState[name]


def import_optuna():
    """Return the module `optuna`, silenced. Raises ModuleNotFoundError, naming the extra to install."""
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError('tuning needs Optuna: pip install "fer-kit[tuning]"') from error
    import optuna.storages.journal

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
