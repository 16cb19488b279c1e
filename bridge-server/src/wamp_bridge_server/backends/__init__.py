"""Kinds of networks that the bridge joins apps to, behind one protocol (`base`)."""
