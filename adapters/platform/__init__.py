"""What every process needs: child processes, durable files, loops, cancellation. Other adapters stay out."""
