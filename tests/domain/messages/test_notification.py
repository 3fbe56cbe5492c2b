"""Each message keeps its id forever."""

from domain.messages.notification import message_id_of


def test_message_id_never_changes() -> None:
    """Receivers store these ids, so no release may compute them in another way."""
    assert message_id_of("ab" * 32, "https://erp.example/hook") == "msg_56145031949ff64e91f16a84743d2392"


def test_message_id_differs_by_receipt_and_by_endpoint() -> None:
    ids = {
        message_id_of(receipt, url)
        for receipt in ("a" * 64, "b" * 64)
        for url in ("https://a.example", "https://b.example")
    }

    assert len(ids) == 4
