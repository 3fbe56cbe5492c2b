"""Commands that run until they are stopped, and their supervisor. No view of archives comes in."""
