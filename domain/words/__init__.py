"""The catalogue: each text of cellar by its code, in English, and what a person does about it. Pure.

Warnings, discrepancies and conditions carry theirs with their codes (`finding` of `models/said.py`); sentences are in
`models/sentences.py`. Texts outside of the catalogue are marked with `N_`; the Hebrew is in `adapters/words`. What one page says stays on that page.
"""
