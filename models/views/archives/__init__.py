"""Archives as people see them: their payments, their differences, and those that are refused or missing."""
