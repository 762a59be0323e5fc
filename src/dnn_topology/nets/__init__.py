"""Beside the flow: named networks, data sets and training. The flow imports nothing of it."""
