"""What people see of archives: summaries, payments, differences of versions, refused deliveries, missing processes."""
