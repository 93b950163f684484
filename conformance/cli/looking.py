"""Commands that only look: ``plan``, ``list`` and ``explain``."""

from __future__ import annotations

from dataclasses import replace

import click

from stationgate.language import _
from stationgate.layout import pad
from stationgate.options import Group, json_option
from stationgate.streams import json_line

from .. import catalogue
from ..plan import tags
from ..profile import load
from ..steps import STEPS
from .options import planned

__all__ = ["add"]


def add(cli: Group) -> None:
    """Add the commands."""
    _add_plan(cli)
    _add_list(cli)
    _add_explain(cli)


def _add_plan(cli: Group) -> None:
    @cli.command(
        "plan",
        help=_("Print what a run would do: its steps, its cases, and why others are left out."),
        examples=[("conformance plan nx-door --explain access/report/drift", _("why a case is in or out"))],
    )
    @click.argument("profile", default="nx-door")
    @click.argument("select", nargs=-1)
    @click.option("-x", "--exclude", multiple=True, help=_("Leave out a case, a prefix or a @tag."))
    @click.option("--explain", help=_("One case only."))
    @json_option()
    def plan(
        profile: str, select: tuple[str, ...], exclude: tuple[str, ...], explain: str | None, as_json: bool
    ) -> None:
        made = planned(load(profile), select, exclude)
        if explain:
            planned(load(profile), (explain,), ())
            made = replace(
                made, cases=tuple(c for c in made.cases if c.id == explain or c.id.startswith(f"{explain}/"))
            )
        if as_json:
            for case in made.cases:
                left_out = made.left_out.get(case.id)
                row = {"id": case.id, "judged": left_out is None, "why": str(left_out or ""), "steps": list(case.uses)}
                click.echo(json_line(row))
            return
        if not explain:
            for step in made.steps:
                who = _("operator") if STEPS[step].manual else _("suite")
                click.echo(f"{step:12} {pad(who, 10)} {STEPS[step].title}")
            click.echo()
        for case in made.cases:
            why = made.left_out.get(case.id)
            state = _("left out: {why}").format(why=why) if why else _("judged, after: {steps}").format(
                steps=", ".join(case.uses)
            )  # fmt: skip
            click.echo(f"{case.id:42} {state}")
        if explain and not made.cases:
            click.echo(_("{case} is not selected").format(case=explain))


def _add_list(cli: Group) -> None:
    @cli.command(
        "list",
        help=_("List the cases with the requirement each judges."),
        examples=[("conformance list --json", _("one object per line"))],
    )
    @json_option()
    def list_cases(as_json: bool) -> None:
        from ..case import CASES

        for case in CASES.values():
            text = catalogue.case_text(case.id)
            if as_json:
                row = {
                    "id": case.id,
                    "requirement": text.requirement_label,
                    "clause": text.clause,
                    "level": text.level,
                    "title": text.title,
                    "tags": sorted(tags(case)),
                    "killed_by": list(case.killed_by),
                }
                click.echo(json_line(row))
            else:
                click.echo(f"{text.requirement_label:10} {case.id:42} {text.title}")


def _add_explain(cli: Group) -> None:
    @cli.command(
        "explain",
        help=_("Explain a case or a requirement: what is asked, by which clause, how it is judged."),
        examples=[
            ("conformance explain access/framing/crc", _("a case")),
            ("conformance explain REQ-A-08 --lang zh", _("a requirement, in Chinese")),
        ],
    )
    @click.argument("id")
    def explain(id: str) -> None:
        from ..explain import explain as explained

        click.echo(explained(id))
