"""Files that other programs have signed, kept as they were made in 2026: by @signpdf 3, with its own placeholders and
with pdf-lib, and by endesive. They used the key `rsa` of the corpus, its form and its letter. The programs that made
them, and the keys, are in the history before version 1.0.0.
"""
