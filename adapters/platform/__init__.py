"""What every process needs: settings, log, child processes, durable files, cancellation. Imports no other adapter."""
