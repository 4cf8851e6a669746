"""The embedded installation: everything on this machine, on loopback, below ``var/``."""
