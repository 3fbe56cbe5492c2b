"""Batches: plans, confirms, drives, aborts and shows them. A kind says what it selects, and what an item does."""
