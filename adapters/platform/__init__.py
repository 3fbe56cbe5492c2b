"""What every process needs: settings, log, child processes, durable files, cancellation. Other adapters stay out."""
