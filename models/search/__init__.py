"""What archives are found by. Derived from other rows: a loss is made good by `cellar migrate`."""
