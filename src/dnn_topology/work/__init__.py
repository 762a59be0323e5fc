"""Resumable work: tasks, where they are done, what of them is finished, and folders that say what they hold.

Knows nothing of networks: `isolate` and `cluster` do tasks elsewhere, `workers` chooses, `stamps` keeps unlike results
apart, `ledger` finishes what is not finished.
"""
