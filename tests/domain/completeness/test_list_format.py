"""The file of CELLAR_LIST_COLUMNS is checked before it is used."""

import pytest

from domain.completeness.list_rows import read_list_format
from models.completeness.list_format import ListFormat
from models.errors import Refused


def test_empty_text_is_the_default() -> None:
    assert read_list_format("") == ListFormat()


def test_one_word_or_several_name_a_column() -> None:
    form = read_list_format('timezone = "Asia/Jerusalem"\n[columns]\ncreated = "Started"\nstatus = ["A", "B"]\n')
    assert (form.columns.created, form.columns.status, form.timezone) == (("Started",), ("A", "B"), "Asia/Jerusalem")
    assert form.columns.process_number == ListFormat().columns.process_number


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[columns", "expected TOML"),
        ('[columns]\nnumber = "#"', "at columns.number"),
        ("[columns]\ncreated = []", "at columns.created: expected at least one"),
        ("[columns]\nprocess_number = []\ntransaction_number = []", "at columns.process_number"),
        ('[columns]\nstatus = "CREATED"', "at columns: expected each word to have one meaning, but 'created'"),
        ('[statuses]\nopen = "Done"', "at statuses: expected each word to have one meaning, but 'done'"),
        ('timezone = "Asia/Atlantis"', "at timezone: expected a time zone"),
        ('timezone = "../../etc/passwd"', "at timezone: expected a time zone"),
        ("tolerance_s = -1", "at tolerance_s"),
        ('encoding = "ebcdic"', "at encoding"),
        ('delimiter = ";;"', "at delimiter"),
    ],
)
def test_wrong_text_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(Refused) as refused:
        read_list_format(text)
    assert said in str(refused.value)
    assert str(refused.value).startswith("BAD_LIST_COLUMNS")
