"""MANSCDP, the XML bodies of MESSAGE, SUBSCRIBE and NOTIFY (GB/T 28181 annex A), of both editions.

>>> from gb28181 import GBT_28181_2022
>>> from gb28181.manscdp import read, write
>>> from gb28181.manscdp.queries import CatalogQuery
>>> data = write(CatalogQuery(sn=17, device_id="34020000001320000001"), GBT_28181_2022)
>>> read(data).body.sn
17
"""

from ..deviations import Deviation
from . import controls, notifies, queries, responses
from .body import BODIES, Body, Element, Kind, Need, Other, Reading, Record, elements_of, read, write
from .xml import LIMITS, Limits, Node

__all__ = [
    "BODIES",
    "LIMITS",
    "Body",
    "Deviation",
    "Element",
    "Kind",
    "Limits",
    "Need",
    "Node",
    "Other",
    "Reading",
    "Record",
    "controls",
    "elements_of",
    "notifies",
    "queries",
    "read",
    "responses",
    "write",
]
