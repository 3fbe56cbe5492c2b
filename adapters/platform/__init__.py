"""What every process needs: settings, log, child processes, durable files, cancellation. No peer comes in."""
