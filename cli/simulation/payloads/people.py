"""The people of the simulation: invented names, mails of the example domains, fictional telephone numbers."""

from dataclasses import dataclass
from random import Random
from typing import Literal

Language = Literal["he", "en"]

# name as the person writes it, the same in Latin letters (for PDF text in Helvetica), local part of the mail
_NAMES: dict[Language, tuple[tuple[str, str, str], ...]] = {
    "he": (
        ("נועה לוי", "Noa Levi", "noa.levi"),
        ("יוסי כהן", "Yossi Cohen", "yossi.cohen"),
        ("מיכל אברהמי", "Michal Avrahami", "michal.avrahami"),
        ("איתי בן־דוד", "Itai Ben-David", "itai.bendavid"),
        ("תמר פרידמן", "Tamar Friedman", "tamar.friedman"),
        ("אורי מזרחי", "Uri Mizrahi", "uri.mizrahi"),
        ("שירה גולן", "Shira Golan", "shira.golan"),
        ('ד"ר דניאל צ׳רניחובסקי', "Dr. Daniel Tchernichovsky", "daniel.t"),
    ),
    "en": (
        ("Sarah O'Connor", "Sarah O'Connor", "sarah.oconnor"),
        ("David Miller", "David Miller", "david.miller"),
        ("Priya Raman", "Priya Raman", "priya.raman"),
        ("José Álvarez", "José Álvarez", "jose.alvarez"),
        ("Anna-Lena Weiß", "Anna-Lena Weiß", "anna.weiss"),
        ("Tom Baker", "Tom Baker", "tom.baker"),
        ("Grace Kim", "Grace Kim", "grace.kim"),
        ("Samuel Adeyemi", "Samuel Adeyemi", "samuel.adeyemi"),
    ),
}


@dataclass(frozen=True)
class Place:
    address: str
    hebrew_address: str
    latitude: float
    longitude: float


_PLACES = (
    Place("Arlozorov St 160, Tel Aviv-Yafo", "ארלוזורוב 160, תל אביב-יפו, ישראל", 32.0823, 34.7952),
    Place("Jaffa St 97, Jerusalem", "יפו 97, ירושלים, ישראל", 31.7866, 35.2121),
    Place("HaNassi Blvd 120, Haifa", "שדרות הנשיא 120, חיפה, ישראל", 32.8068, 34.9863),
    Place("Rager Blvd 22, Be'er Sheva", "שדרות רגר 22, באר שבע, ישראל", 31.2518, 34.7913),
    Place("Tel Hai St 8, Kiryat Shmona", "תל חי 8, קריית שמונה, ישראל", 33.2073, 35.5721),
)


@dataclass(frozen=True)
class Device:
    kind: Literal["mobile", "tablet", "desktop"]
    user_agent: str
    accuracy_m: int


_SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1"
_CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0"
_DEVICES = (
    Device("mobile", f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) {_SAFARI}", 12),
    Device("mobile", f"Mozilla/5.0 (Linux; Android 15; Pixel 9) {_CHROME} Mobile Safari/537.36", 25),
    Device("tablet", f"Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) {_SAFARI}", 65),
    Device("desktop", f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Safari/537.36", 1000),
)


@dataclass(frozen=True)
class Person:
    """`latin_name` is the name in letters of ISO 8859-1. `ip` is of a range kept for documentation (RFC 5737)."""

    name: str
    latin_name: str
    mail: str
    phone: str
    place: Place
    device: Device
    ip: str


def people(rng: Random, language: Language, count: int) -> list[Person]:
    """Return `count` people with different names (there are eight in each language)."""
    return [_person(rng, name) for name in rng.sample(_NAMES[language], count)]


def _person(rng: Random, name: tuple[str, str, str]) -> Person:
    written, latin, local_part = name
    return Person(
        name=written,
        latin_name=latin,
        mail=f"{local_part}@{rng.choice(('example.com', 'example.org'))}",
        phone=f"+1202555{rng.randrange(100, 200):04}",  # 555-0100 to 555-0199 are kept for fiction
        place=rng.choice(_PLACES),
        device=rng.choice(_DEVICES),
        ip=f"{rng.choice(('192.0.2', '198.51.100', '203.0.113'))}.{rng.randrange(1, 255)}",
    )
