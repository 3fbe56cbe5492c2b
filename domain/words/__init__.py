"""The catalogue: each text of cellar by its code, in English, and what a person does about it. Pure.

Texts are marked for translation with `N_`; the Hebrew is in `adapters/words`. What one page says stays on that page.
"""
