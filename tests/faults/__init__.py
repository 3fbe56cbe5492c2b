"""Faults of the world, each on real processes: what was acknowledged is there afterwards, once (`kept_once.py`).

`installation.py` runs an installation as parts that can be killed, paused and started again; `way.py` lies between
them and spoils the traffic; `load.py` sends archives as Cellosign does. How long each fault takes to heal is
printed at the end of the run. Not here: refusals of bad input, and kills between two steps of one run
(`tests/flows/test_killed.py`).
"""
