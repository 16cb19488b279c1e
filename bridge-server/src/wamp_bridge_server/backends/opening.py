"""Which backend a router's URL asks for."""
