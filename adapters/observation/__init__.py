"""Lets people see what a program does: log, metrics, traces. What is measured stays out."""
