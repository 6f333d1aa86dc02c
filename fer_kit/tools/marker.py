"""How nbgrader runs a submission: each check is followed by a control, as in `submissions`."""

from nbformat.v4 import new_output
from nbgrader import utils
from nbgrader.preprocessors import DeduplicateIds, Execute

from fer_kit.tools.submissions import TAMPERED, failed_as_it_should, new_control


class Controlled(Execute):
    """nbgrader's `Execute`, with a control after each check."""

    def preprocess(self, nb, resources, retries=None):
        """Run the notebook `nb` with its controls, and return it without them, and `resources`."""
        words = {}
        cells = []
        for cell in nb.cells:
            cells.append(cell)
            if cell.cell_type == "code" and utils.is_grade(cell) and not utils.is_solution(cell):
                control, words[len(cells)] = new_control()
                cells.append(control)
        nb.cells = cells
        nb, resources = super().preprocess(nb, resources, retries)
        for place, word in words.items():
            if not failed_as_it_should(nb.cells[place], word):
                told = new_output("error", ename="Tampered", evalue=TAMPERED, traceback=[TAMPERED])
                nb.cells[place - 1].outputs.insert(0, told)  # nbgrader gives points by the first result
        nb.cells = [cell for place, cell in enumerate(nb.cells) if place not in words]
        return nb, resources


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
