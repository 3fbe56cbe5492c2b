"""The worker: takes due runs, executes them, recovers abandoned ones. No step of a flow comes in."""
