"""What plays a scenario: shards on event loops, in one process, in several, or on a cluster."""

from .fleet import Options, run_fleet, run_fleet_virtual
from .processes import Plan, play
from .result import Counts, FleetResult, merged

__all__ = ["Counts", "FleetResult", "Options", "Plan", "merged", "play", "run_fleet", "run_fleet_virtual"]
