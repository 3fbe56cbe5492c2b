"""Decides when people are told of a notice, and in what words. Pure."""
