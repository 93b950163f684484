"""Kinds of station: what each tells of its site.

:mod:`~simulator.personalities.kinds` is needed to read scenarios, so nothing is imported here that needs them.
"""
