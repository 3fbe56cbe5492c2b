"""A dismissal: a person says that something needs nobody any more."""

from pydantic import BaseModel

from models.views.parameters import Statement


class Dismissal(BaseModel):
    """Why a process is not missing, or a refused body needs nobody, and the name of the person who says so."""

    by: Statement
    why: Statement
