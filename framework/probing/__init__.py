"""Tests of connections: each kind of service in its own protocol, or else by TCP and TLS."""
