"""``simulator learn``: a scenario out of real traffic."""

from __future__ import annotations

from pathlib import Path

import click

from stationgate.exits import DataFault, ExitCode, UsageFault, reason
from stationgate.language import _, ngettext
from stationgate.options import Group, json_option
from stationgate.streams import json_line

from ..learning import Learnt, facts, learn, scenario_text

__all__ = ["add"]


def add(cli: Group) -> None:
    """Add the command."""

    @cli.command(
        "learn",
        help=_(
            "Make a scenario of real traffic: kinds of station, intervals, factors, ranges of values, quirks. Nobody's "
            "name, password or address gets into it."
        )
        + "\n\n"
        + _(
            "A source is a network capture (pcap, pcapng; pip install 'stationgate[pcap]'), what a serial or network "
            "assistant saved, or a store of hj212 listen."
        )
        + "\n\n"
        + _("Exit code: 0, 1 the source is damaged or holds nothing to learn from, 2 usage."),
        examples=[
            ("simulator learn site.pcapng -o site.toml", _("a capture; then: simulator run site.toml")),
            ("simulator learn store.db -o site.toml", _("a store of hj212 listen --store")),
            ("simulator learn site.pcapng --json", _("what was learnt, as JSON")),
        ],
    )
    @click.argument("source", metavar="CAPTURE")
    @click.option("-o", "--output", metavar="SCENARIO.toml", help=_("Write this file instead of standard output."))
    @json_option()
    def learn_command(source: str, output: str | None, as_json: bool) -> int:
        learnt = learn(source)
        if not learnt.stations:
            raise DataFault(_nothing(learnt), _("Expected reports of HJ 212, or signalling of GB/T 28181 cameras."))
        text = scenario_text(learnt)
        if output is not None:
            _write(output, text)
        elif not as_json:
            click.echo(text, nl=False)
        if as_json:
            click.echo(json_line(facts(learnt)))
        told = _("stations: {stations}, groups: {groups}").format(
            stations=learnt.stations, groups=len(learnt.groups) + len(learnt.cameras)
        )
        click.echo(told, err=output is None or as_json)
        if learnt.fault:
            raise DataFault(learnt.fault, _("The scenario is of what came before."))
        return int(ExitCode.OK)


def _nothing(learnt: Learnt) -> str:
    if learnt.fault:
        return _("nothing to learn from: {why}").format(why=learnt.fault)
    damaged = learnt.counts["damaged"]
    if damaged:
        text = ngettext(
            "nothing to learn from: {n} frame, damaged", "nothing to learn from: {n} frames, all damaged", damaged
        )
        return text.format(n=damaged)
    if learnt.sip or learnt.frames:
        return _("nothing to learn from: no station says anything")
    return _("nothing to learn from: neither HJ 212 nor GB/T 28181 in it")


def _write(path: str, text: str) -> None:
    try:
        Path(path).write_text(text, "utf-8")
    except OSError as error:
        raise UsageFault(
            _("cannot write '{file}': {reason}.").format(file=path, reason=reason(error)),
            _("Give a path that can be written."),
        ) from error
