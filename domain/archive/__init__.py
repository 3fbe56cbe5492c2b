"""What an archive says: read, compared, turned into rows and warnings. No judgement about money comes in."""
