"""Looks at the computer before a run: what would prevent it, what would make its verdicts worth less."""
