"""Simulated PBXs that speak the real protocols over real sockets, tables and files."""
