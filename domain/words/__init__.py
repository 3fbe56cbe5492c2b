"""The catalogue: each text of cellar by its code, in English, and what a person does about it. Pure.

Sentences, warnings, discrepancies and conditions carry theirs with their codes (`models/said.py`). Texts outside of the
catalogue are marked with `N_`; the Hebrew is in `adapters/words`. What one page says stays on that page.
"""
