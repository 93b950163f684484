"""Bundles for tests: a small one of which every bit can be tried, and those of whole runs of the demo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from conformance.bundle import Key, canonical, seal
from conformance.bundle.archive import pack, unpack
from conformance.bundle.manifest import Manifest, digest, sign
from conformance.bundle.sealing import plan_json, sealed, verdicts_json
from conformance.demo import demo_profile
from conformance.judge import judge
from conformance.plan import Plan, make_plan
from conformance.profile import Profile
from conformance.report import facts
from conformance.transcript import Transcript
from hj212.framing import build_frame
from stationgate import __version__

from .conftest import recording

#: Keys of nobody.
KEY = Key.from_seed(bytes(range(32)))
OTHER_KEY = Key.from_seed(bytes(range(1, 33)))
CREATED = 1_757_980_800.0
EPOCH = 1_757_901_570.0

HELLO = build_frame(b"QN=20250915095930000;ST=81;CN=2081;PW=918273;MN=64010000ACCE550000000001;Flag=5;CP=&&&&")


def run_of(plan: Plan, profile: Profile, **changes: Any) -> dict[str, Any]:
    """What the first entry of a run says."""
    return {
        "schema": 1,
        "suite": __version__,
        "epoch": EPOCH,
        "profile": profile.to_toml(),
        "select": list(plan.select),
        "exclude": list(plan.exclude),
        "mode": plan.mode.to_json(),
        "host": {},
        "simulated": True,
        **changes,
    }


def with_run(transcript: Transcript, plan: Plan, profile: Profile) -> Transcript:
    """Return a transcript that says what it was run with."""
    if transcript.run:
        return transcript
    made = Transcript(epoch=transcript.epoch, clock=transcript.clock)
    made.add("run", 0.0, **run_of(plan, profile))
    for entry in transcript:
        fields = {name: getattr(entry, name) for name in ("data", "device", "link", "transport", "direction")}
        made.add(entry.kind, entry.t_mono, **fields, **entry.attachment)
    return made


def small_profile() -> Profile:
    return replace(Profile("small"), device={"pw": "918273"})


def small_transcript(profile: Profile, plan: Plan) -> Transcript:
    """A device that connects, says one thing and leaves."""
    transcript = Transcript(epoch=EPOCH, clock="virtual")
    transcript.add("run", 0.0, **run_of(plan, profile))
    transcript.add("listen", 0.0, host="0.0.0.0", port=8212)
    transcript.add("connect", 1.0, link=1, transport="memory", peer="192.0.2.7:40000")
    transcript.add("bytes", 1.5, data=HELLO, link=1, transport="memory", direction="in")
    transcript.add("close", 2.0, link=1, transport="memory", why="closed by the device")
    return transcript


@cache
def small_bundle(key: Key = KEY) -> bytes:
    """A full bundle of some kilobytes: one case, one frame, a report of one line."""
    profile = small_profile()
    plan = make_plan(profile, ["access/link/speaks"])
    transcript = small_transcript(profile, plan)
    report = facts.build(judge(transcript, profile, plan), transcript, profile, plan, version="1.2.3")
    contents = {
        "profile.toml": profile.to_toml().encode(),
        "plan.json": canonical.dump(plan_json(plan)),
        "transcript.jsonl": transcript.to_lines(),
        "verdicts.json": canonical.dump(verdicts_json(report)),
        "capture.pcapng": b"",
        "report.html": b"<p>",
        "attachments/门.txt": b"x",
    }
    return sealed(contents, report, key, CREATED)


@cache
def demo_bundle(*faults: str, key: Key = KEY) -> bytes:
    """The bundle of the whole demo, through the door that a run uses."""
    profile = demo_profile()
    return whole_bundle(profile, make_plan(profile), recording(*faults), key)


def whole_bundle(profile: Profile, plan: Plan, transcript: Transcript, key: Key = KEY, **options: Any) -> bytes:
    transcript = with_run(transcript, plan, profile)
    results = judge(transcript, profile, plan)
    report = facts.build(results, transcript, profile, plan, version=__version__, signer=key.fingerprint)
    with TemporaryDirectory() as folder:
        target = Path(folder) / "run.zip"
        seal(
            target, transcript=transcript, profile=profile, plan=plan, results=results, report=report, key=key,
            created=CREATED, **options,
        )  # fmt: skip
        return target.read_bytes()


def resealed(data: bytes, changes: Mapping[str, bytes | None], *, listed: bool = True, **manifest: Any) -> bytes:
    """Return a bundle with members changed, added or (``None``) removed, and signed again.

    Args:
        listed: Let the manifest say what the members are now.
        manifest: What else to change in the manifest.
    """
    members = unpack(data)
    before = Manifest.from_bytes(members.pop("manifest.json"))
    members.pop("manifest.sig")
    for name, content in changes.items():
        members.pop(name, None)
        if content is not None:
            members[name] = content
    rows = {name: (digest(content), len(content)) for name, content in members.items()} if listed else before.members
    after = replace(before, members=rows, **manifest)
    return pack(sign(after, members, KEY))
