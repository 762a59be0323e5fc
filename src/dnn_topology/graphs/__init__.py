"""Signals → functional graphs: neurons joined by how strongly they are correlated."""
