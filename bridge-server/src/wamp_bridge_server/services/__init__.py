"""What the bridge does, whichever way it is asked: calls, publications, endpoints, sources."""
