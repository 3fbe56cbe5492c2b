"""Commands that show how the installation is: its state, its failures, its faults. Commands that change it stay out."""
