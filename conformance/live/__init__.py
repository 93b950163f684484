"""The side that acts: it listens, answers, asks the device and the operator, and writes everything down.

Nothing here judges. What a run leaves is its transcript.
"""
