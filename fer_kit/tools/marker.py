"""How nbgrader runs a submission: each check is followed by a control that an honest notebook can't pass.

A submission shares its kernel with the checks, so one line of it can switch them off: empty every later
cell, take the `assert` out of them, make `np.isclose` always true. A control is a check that has to fail,
with a word in its message that is drawn anew. Where it doesn't fail, the check before it counts as failed.
"""

import secrets

from nbformat.v4 import new_code_cell, new_output
from nbgrader import utils
from nbgrader.preprocessors import DeduplicateIds, Execute

CONTROL = """import numpy as _np
_lies = [_np.isclose(0, 1), _np.allclose(0, 1), _np.array_equal([0], [1]), isinstance(0, str), all([0 == 1])]
assert any(_lies), {word!r}
"""

TAMPERED = "A check that has to fail did not: this notebook changes how checks run. Mark it by hand."


class Controlled(Execute):
    """nbgrader's `Execute`, with a control after each check."""

    def preprocess(self, nb, resources, retries=None):
        """Run the notebook `nb` with its controls, and return it without them, and `resources`."""
        words = {}
        cells = []
        for cell in nb.cells:
            cells.append(cell)
            if cell.cell_type == "code" and utils.is_grade(cell) and not utils.is_solution(cell):
                words[len(cells)] = secrets.token_hex(8)
                cells.append(new_code_cell(CONTROL.format(word=words[len(cells)])))
        nb.cells = cells
        nb, resources = super().preprocess(nb, resources, retries)
        for place, word in words.items():
            if not _failed_as_it_should(nb.cells[place], word):
                told = new_output("error", ename="Tampered", evalue=TAMPERED, traceback=[TAMPERED])
                nb.cells[place - 1].outputs.insert(0, told)  # nbgrader gives points by the first result
        nb.cells = [cell for place, cell in enumerate(nb.cells) if place not in words]
        return nb, resources


def _failed_as_it_should(control, word):
    errors = [output for output in control.outputs if output.output_type == "error"]
    return any(error.ename == "AssertionError" and word in error.evalue for error in errors)


class CopiedCells(DeduplicateIds):
    """Takes a cell that a student copied out of the marking: its id was copied with it. The last one counts.

    nbgrader's own preprocessor leaves an empty mark on the others, at which it then stops marking.
    """

    def preprocess_cell(self, cell, resources, index):
        """Return the cell, without a mark where a later cell has the same id, and the resources."""
        cell, resources = super().preprocess_cell(cell, resources, index)
        if cell.metadata.get("nbgrader") == {}:
            del cell.metadata["nbgrader"]
            student = resources["nbgrader"]["student"]
            self.log.warning("%s copied that cell; the last of its copies is marked", student)
        return cell, resources
