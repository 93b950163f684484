"""The self-test as a table for a browser: mutants down, assertions across, what each mutant did to each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

from stationgate import __version__
from stationgate.language import _, current, pick

from ..case import CASES
from ..catalogue import case_text
from ..verdicts import Verdict

if TYPE_CHECKING:
    from ..selftest import Matrix

__all__ = ["render"]

#: One character for each verdict, so that the table can be read without colours.
_LETTERS = {
    Verdict.PASS: "",
    Verdict.WARN: "W",
    Verdict.FAIL: "F",
    Verdict.INCONCLUSIVE: "i",
    Verdict.NOT_APPLICABLE: "-",
    Verdict.PENDING: "p",
    Verdict.ERROR: "E",
}


def render(matrix: Matrix) -> str:
    """Return the page: one self-contained HTML file."""
    environment = Environment(
        loader=PackageLoader("conformance.report", "templates"), autoescape=True, undefined=StrictUndefined
    )
    rows = []
    for row in matrix.rows:
        cells = [
            {
                "letter": _LETTERS[row.verdicts[case]],
                "verdict": row.verdicts[case].value,
                "declared": row.fault.name in CASES[case].killed_by,
                "title": f"{row.fault.name} / {case}: {row.verdicts[case].word}",
            }
            for case in matrix.assertions
        ]
        rows.append(
            {
                "name": row.fault.name,
                "layer": row.fault.layer,
                "summary": pick(row.fault.zh, row.fault.en),
                "expected": row.fault.expected,
                "problems": row.problems,
                "cells": cells,
            }
        )
    page = environment.get_template("matrix.html.j2").render(
        _=_,
        lang=current(),
        version=__version__,
        matrix=matrix,
        rows=rows,
        cases=[{"id": case, "title": case_text(case).title} for case in matrix.assertions],
    )
    return page
