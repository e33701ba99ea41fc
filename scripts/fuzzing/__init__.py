"""Readers given input that is made up (scripts/fuzz)."""
