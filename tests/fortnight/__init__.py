"""A simulated fortnight: 2,000 processes, and every finding, alert, message and letter counted in advance.

`plan.py` draws a fortnight from a seed: what Cellosign sends and when, and when what is killed or down. `expected.py`
and `expected_events.py` say what must come of it, from the plan alone. `driver.py` plays the plan to real processes,
which live by its clock.
"""
