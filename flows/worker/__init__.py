"""The worker: takes due runs, executes them, recovers abandoned runs. Steps of flows stay out."""
