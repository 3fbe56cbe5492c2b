"""Redeliveries: plans, confirms and shows them. Attempts stay out: the flow `deliver-messages` makes them."""
