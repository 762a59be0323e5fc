"""A graph → its persistence diagrams → numbers."""
