"""A dismissal: a person says that something needs nobody any more."""

from models.views.parameters import RequestBody, Statement


class Dismissal(RequestBody):
    """Why a process is not missing, or a refused body needs nobody, and the name of the person who says so."""

    by: Statement
    why: Statement
