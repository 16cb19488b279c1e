"""The REST API (protocol, section 1): who asks, what, and how it is answered."""
