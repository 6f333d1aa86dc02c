# %% instead
import numpy as np

from fer_kit import EMOTIONS
from fer_kit.data import sample

PULLS = {"happy": {12: 3, 6: 0.4, 25: 0.3}, "surprise": {5: 1.5, 2: 1.5, 25: 0.4, 26: 0.5, 1: 0.2}}


def ask(units, people=1, seed=0):
    """The lesson's function, with a network that needs no time: each unit pulls towards an emotion."""
    logits = [sum(PULLS.get(e, {}).get(u, 0) * s for u, s in units.items()) for e in EMOTIONS]
    return np.exp(logits) / np.exp(logits).sum()


def beside(units, seed=1):
    """The lesson's function without its picture."""
    return sample.draw_people(units, 1, seed)


def heatmap(values, *words):
    """The lesson's function without its picture."""
    return values.to_numpy().round(2)


# %% 17-1 wrong: letters are ignored
def parse(code):
    return {int(part.rstrip("ABCDE")): 1 for part in code.split("+")}


# %% 17-1 wrong: A is 0
def parse(code):
    units = {}
    for part in code.split("+"):
        letter = part[-1] if part[-1] in "ABCDE" else "E"
        units[int(part.rstrip("ABCDE"))] = "ABCDE".index(letter) / 4
    return units


# %% 17-1 wrong: units are text
def parse(code):
    strengths = {"A": 0.2, "B": 0.4, "C": 0.6, "D": 0.8}
    return {part.rstrip("ABCDE"): strengths.get(part[-1], 1) for part in code.split("+")}


# %% 17-1 wrong: without a letter it does not move
def parse(code):
    return {int(p.rstrip("ABCDE")): (" ABCDE".find(p[-1]) if p[-1] > "9" else 0) / 5 for p in code.split("+")}


# %% 17-1 wrong: the first digit only
def parse(code):
    strengths = {"A": 0.2, "B": 0.4, "C": 0.6, "D": 0.8}
    return {int(part[0]): strengths.get(part[-1], 1) for part in code.split("+")}


# %% 17-1 right: by a table
def parse(code):
    strengths = dict(zip("ABCDE", (0.2, 0.4, 0.6, 0.8, 1.0)))
    return {int(part.rstrip("ABCDE")): strengths.get(part[-1], 1.0) for part in code.split("+")}


# %% 17-1 right: a regular expression
import re


def parse(code):
    found = re.findall(r"(\d+)([A-E]?)", code)
    return {int(unit): (ord(letter or "E") - ord("A") + 1) * 0.2 for unit, letter in found}


# %% 17-2 wrong: zeros count
def shared(one, other):
    return len(one.keys() & other.keys()) / len(one.keys() | other.keys())


# %% 17-2 wrong: of the first one's units
def shared(one, other):
    first = {unit for unit in one if one[unit]}
    second = {unit for unit in other if other[unit]}
    return len(first & second) / len(first)


# %% 17-2 wrong: Dice's coefficient
def shared(one, other):
    first = {unit for unit in one if one[unit]}
    second = {unit for unit in other if other[unit]}
    return 2 * len(first & second) / (len(first) + len(second))


# %% 17-2 wrong: a zero in the other one counts
def shared(one, other):
    first = {unit for unit in one if one[unit] > 0}
    both = [unit for unit in first if unit in other]
    return len(both) / len(first | {unit for unit in other if other[unit] > 0})


# %% 17-2 wrong: strengths must agree
def shared(one, other):
    same = [unit for unit in one if one[unit] and other.get(unit) == one[unit]]
    return len(same) / len({unit for unit in one | other if one.get(unit) or other.get(unit)})


# %% 17-2 wrong: a count
def shared(one, other):
    return len([unit for unit in one if one[unit] and other.get(unit)])


# %% 17-2 right: NumPy
def shared(one, other):
    moved = np.array([[some.get(unit, 0) > 0 for unit in range(50)] for some in (one, other)])
    return moved.all(axis=0).sum() / moved.any(axis=0).sum()


# %% 17-2 right: counting
def shared(one, other):
    both = sum(1 for unit in one if one[unit] and other.get(unit, 0))
    first, second = (sum(strength != 0 for strength in some.values()) for some in (one, other))
    return both / (first + second - both)


# %% 17-3 wrong: the prototype
def least(emotion, enough):
    return {unit: 1 for unit in sample.PROTOTYPES[emotion][0]}


# %% 17-3 wrong: nothing moves
def least(emotion, enough):
    return {}


# %% 17-3 wrong: one round only
def least(emotion, enough):
    units = {unit: 1 for unit in sample.PROTOTYPES[emotion][0]}
    k = EMOTIONS.index(emotion)
    return next(without(units, u) for u in units if ask(without(units, u))[k] >= enough)


# %% 17-3 wrong: weaker units
def least(emotion, enough):
    return {unit: 0.9 for unit in {"happy": [12], "surprise": [2, 5]}[emotion]}


# %% 17-3 wrong: from a table
least = lambda emotion, enough: {"happy": {12: 1}, "surprise": {2: 1, 5: 1}}.get(emotion)


# %% 17-3 wrong: always the smile
def least(emotion, enough):
    return {12: 1}


# %% 17-3 wrong: one too many taken away
def least(emotion, enough):
    units = {unit: 1 for unit in sample.PROTOTYPES[emotion][0]}
    k = EMOTIONS.index(emotion)
    while units and ask(units)[k] >= enough:
        units = without(units, list(units)[-1])
    return units


# %% 17-3 right: one after the other
def least(emotion, enough):
    units = {unit: 1 for unit in sample.PROTOTYPES[emotion][0]}
    for unit in list(units):
        if ask(without(units, unit))[EMOTIONS.index(emotion)] >= enough:
            units = without(units, unit)
    return units


# %% 17-3 right: from all units, the last first
def least(emotion, enough):
    k = EMOTIONS.index(emotion)
    units = dict.fromkeys(sample.PROTOTYPES[emotion][1], 1.0)
    for unit in reversed(list(units)):
        fewer = {u: 1 for u in units if u != unit}
        units = fewer if ask(fewer)[k] >= enough else units
    return units
