"""Measurements side by side with other tools, and the making of the example. Not part of the package."""
