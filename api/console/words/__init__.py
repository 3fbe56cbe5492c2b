"""Words, dates, sizes and money of the console's pages, in English and Hebrew. Requests stay out."""
