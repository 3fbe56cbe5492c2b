"""The model of scale: what each part costs, what a rate therefore needs, and a simulation that checks both.

`costs.py` has the measured costs, `sizing.py` the arithmetic, `queueing.py` the simulation, `measuring.py` the measured
runs. `python -m benchmarks.scale` measures, `python -m benchmarks.scale.report` writes docs/scale.md.
"""
