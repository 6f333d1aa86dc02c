"""`python -m maintain figures`: every figure of figures/ and the page that shows them, from the records.

page          writes figures and sidecars, and README.md with them and the tables of results
drawing       gathers the figures: of the shipped network, detectors, tracking, and from the other two
from_facts    what needs no record: drawn faces, the reports' own numbers
from_records  runs, studies, tuning, the classical methods
"""
