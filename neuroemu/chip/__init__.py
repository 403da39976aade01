"""Datasheets, and the packets a chip sends."""
