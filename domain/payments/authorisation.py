"""Numbers of authorisations, which archives and reports spell in different ways."""


def plain_authorisation(text: str) -> str:
    """Return what is the same for all spellings of a number: spreadsheets take the zeros away that it begins with, and
    reports differ in blanks and, where it has letters, in their case. Pure.
    """
    plain = "".join(text.split()).lower()
    return plain.lstrip("0") or plain[-1:]
