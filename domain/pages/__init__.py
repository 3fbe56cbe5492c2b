"""Makes the pages of an exported archive, in English and in Hebrew. Messages and summaries stay out."""
