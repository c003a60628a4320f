"""Invented values of many kinds, shaped like those of real people, and of what is nobody's: by row, from a seed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from random import Random

Make = Callable[[Random, int], object]

# Names of some languages: given | family.
LATIN_WEST = (
    (
        "Olivia Hamish Gwendolyn Rupert Fiona Jürgen Anneliese Dieter Uschi Torsten Céline Benoît Margaux Thibault"
        " Élodie Íñigo Rocío Álvaro Itziar Nuria Giuseppe Chiara Matteo Ludovica Lorenzo"
    ),
    (
        "Whitcombe Pemberton Okafor Thistlewood MacAllister Müller Schröder Großkopf Vogt Kühn Lefèvre Beauchamp"
        " Rousseau Désormeaux Girard Fernández Ibáñez Echeverría Núñez Gallego Bianchi Esposito Lombardi D'Angelo"
    ),
)
CYRILLIC = (
    "Александр Екатерина Дмитрий Ольга Сергей Наталья Андрей Татьяна Алексей Ирина Михаил Светлана",
    "Иванов Смирнова Кузнецов Попова Васильев Петрова Соколов Михайлова Новиков Фёдорова Морозов Волкова",
)
GREEK = (
    "Γιώργος Μαρία Δημήτρης Ελένη Κώστας Αικατερίνη Γιάννης Βασιλική Νίκος Σοφία",
    "Παπαδόπουλος Παππά Καραγιάννης Βλάχου Ιωάννου Οικονόμου Παπαγεωργίου Μακρής Κωνσταντινίδης Δημητρίου",
)
HAN = ("伟 芳 娜 秀英 敏 静 丽 强 磊 军 洋 勇 艳 杰 娟 涛 明 超", "王 李 张 刘 陈 杨 赵 黄 周 吴 徐 孙")

CITIES = "Leeds Göttingen Toulouse Zaragoza Bologna Łódź Malmö Kraków Porto Graz Utrecht Bruges Cork Aarhus"
WORDS = (
    "order arrived late again asked about refund spoke with her husband today prefers calls after six lives near old"
    " mill dog bites courier please ring twice wants invoice by post moved in spring complained about noise"
)
DOMAINS = "gmx-mail.de webpost.fr correo-libre.es mail.example.org posta.it uni-mail.ac.uk"


def pick(*texts: str) -> Make:
    """Return one word of the texts."""
    words = " ".join(texts).split()
    return lambda rng, _: rng.choice(words)


def names(*pools: tuple[str, str], form: str = "{g} {f}") -> Make:
    """Return whole names, given and family name of one language."""
    return lambda rng, _: name_of(rng, rng.choice(pools), form)


def name_of(rng: Random, pool: tuple[str, str], form: str) -> str:
    return form.format(g=rng.choice(pool[0].split()), f=rng.choice(pool[1].split()))


def ascii_name(rng: Random, pool: tuple[str, str] = LATIN_WEST) -> tuple[str, str]:
    """Return a given and a family name in plain letters."""
    plain = str.maketrans("àáâäçèéêëíîïñóôöúûüłøåÉÍÁß'", "aaaaceeeeiiinooouuuloaEIAs ")
    given, family = (rng.choice(part.split()).translate(plain).replace(" ", "") for part in pool)
    return given, family


def email(rng: Random, n: int) -> str:
    given, family = ascii_name(rng)
    return f"{given}.{family}{n % 97}@{rng.choice(DOMAINS.split())}".lower()


def login(rng: Random, n: int) -> str:
    given, family = (part.lower() for part in ascii_name(rng))
    return rng.choice([f"{given[0]}{family}{n}", f"{given}.{family}{n}", f"{family}{given[0]}{n}", f"{given}_{n}"])


def natural_key(rng: Random, n: int) -> str:
    given, family = (part.upper() for part in ascii_name(rng))
    return f"{family[:5]}{given[0]}{n:03}"


def digits(rng: Random, count: int) -> str:
    return "".join(str(rng.randrange(10)) for _ in range(count))


def filled(*forms: str) -> Make:
    """Return a form with a digit for each #, a letter for each ?, a digit from 2 to 9 for each %."""

    def make(rng: Random, _: int) -> str:
        letters = {"#": "0123456789", "?": "ABCDEFGHJKLMNPRSTUVWXYZ", "%": "23456789"}
        return "".join(rng.choice(letters[c]) if c in letters else c for c in rng.choice(forms))

    return make


phone_world = filled(
    "+49 30 %######", "+33 6 ## ## ## ##", "+44 7%## ######", "+1 (%##) %##-####", "+34 6## ### ###", "+39 3## #######",
    "+43 664 #######", "0049 171 #######", "+420 6## ### ###", "+81 90-####-####",
)  # fmt: skip
phone_german = filled("030/%######", "0171 %######", "(089) %### ####", "0221-%#####", "+49 (0)40 %######")
phone_french = filled("06 ## ## ## ##", "07.##.##.##.##", "01 4# ## ## ##", "06########")
phone_american = filled("(%##) %##-####", "%##-%##-####", "%##.%##.####", "1-%##-%##-####", "%##-%##-#### x###")
phone_bare = filled("0%#########", "07%########")


def card(rng: Random, _: int) -> str:
    """Return a number with Luhn's check digit."""
    body = rng.choice(["4539", "5412", "4916", "5301"]) + digits(rng, 11)
    return body + luhn(body)


def luhn(body: str) -> str:
    total = 0
    for place, digit in enumerate(reversed(body)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return str(-total % 10)


def card_spaced(rng: Random, n: int) -> str:
    number = card(rng, n)
    return " ".join(number[at : at + 4] for at in range(0, 16, 4))


def iban(rng: Random, _: int) -> str:
    """Return an account number with its check digits."""
    country, length = rng.choice([("DE", 18), ("AT", 16), ("BE", 12), ("PT", 21), ("ES", 20)])
    body = digits(rng, length)
    number = "".join(str(int(c, 36)) for c in f"{body}{country}00")
    return f"{country}{98 - int(number) % 97:02}{body}"


def iban_spaced(rng: Random, n: int) -> str:
    number = iban(rng, n)
    return " ".join(number[at : at + 4] for at in range(0, len(number), 4))


us_ssn = filled("%##-%#-%###")
uk_nino = filled("AB ## ## ## C", "JR######A", "CE ## ## ## D")


def spanish_dni(rng: Random, _: int) -> str:
    body = digits(rng, 8)
    return body + "TRWAGMYFPDXBNJZSQVHLCKE"[int(body) % 23]


def french_nir(rng: Random, _: int) -> str:
    head = rng.choice("12") + f"{rng.randrange(30, 99)}{rng.randrange(1, 13):02}"
    body = f"{head}{rng.randrange(1, 95):02}{rng.randrange(1, 400):03}{rng.randrange(1, 999):03}"
    return f"{body}{97 - int(body) % 97:02}"


def german_tax_id(rng: Random, _: int) -> str:
    digits = [rng.randrange(1, 10), *(rng.randrange(10) for _ in range(9))]
    product = 10
    for digit in digits:
        product = ((digit + product) % 10 or 10) * 2 % 11
    return "".join(map(str, digits)) + str((11 - product) % 10)


def ipv4(rng: Random, _: int) -> str:
    return f"{rng.randrange(11, 223)}.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"


def ipv6(rng: Random, _: int) -> str:
    return f"2a02:{rng.randrange(65536):x}::{rng.randrange(65536):x}:{rng.randrange(1, 65536):x}"


def mac(rng: Random, _: int) -> str:
    return ":".join(f"{rng.randrange(256):02x}" for _ in range(6))


def mac_dashes(rng: Random, _: int) -> str:
    return "-".join(f"{rng.randrange(256):02X}" for _ in range(6))


def born(rng: Random, _: int) -> date:
    return date(1938, 1, 1) + timedelta(days=rng.randrange(365 * 65))


def born_as(form: str) -> Make:
    """Return a date of birth as text."""
    return lambda rng, n: born(rng, n).strftime(form)


def born_at(rng: Random, n: int) -> datetime:
    return datetime.combine(born(rng, n), datetime.min.time())


def streets(*forms: str) -> Make:
    """Return lines of an address; # is the number of a house."""
    return lambda rng, _: rng.choice(forms).replace("#", str(rng.randrange(1, 180)))


street_english = streets("# Mill Lane", "# Oakfield Road", "Flat 3, # Queens Avenue", "# Elm St.", "#b Station Rd")
street_german = streets(
    "Lindenstraße #", "Am Alten Markt #", "Goethestr. #", "Kirchweg #a", "Rosengasse #", "Hauptplatz #"
)
street_french = streets("# rue des Lilas", "# bis avenue Foch", "# boulevard Voltaire", "# impasse du Moulin")
street_spanish = streets("Calle Mayor #", "Avda. de la Paz #", "C/ Serrano, #", "Plaza Nueva #", "Paseo del Prado #")


def prose(rng: Random, _: int) -> str:
    return " ".join(rng.choice(WORDS.split()) for _ in range(rng.randrange(6, 22))).capitalize() + "."


def prose_with_mail(rng: Random, n: int) -> str:
    return f"{prose(rng, n)} Reach me: {email(rng, n)}" if n % 11 == 0 else prose(rng, n)


def short_note(rng: Random, n: int) -> str:
    return f"call {phone_world(rng, n)}" if n % 5 == 0 else " ".join(rng.choice(WORDS.split()) for _ in range(3))


def agent(rng: Random, _: int) -> str:
    version = f"{rng.randrange(90, 131)}.0.{rng.randrange(9999)}"
    system = rng.choice(
        ["Windows NT 10.0; Win64; x64", "X11; Linux x86_64", "iPhone; CPU iPhone OS 17_1 like Mac OS X"]
    )
    return f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version} Safari/537.36"


def url_token(rng: Random, n: int) -> str:
    return f"https://shop.example.com/reset?user={n}&token={rng.randrange(16**20):020x}"


def url_path(rng: Random, n: int) -> str:
    return f"/account/reset?mail={email(rng, n)}&token={rng.randrange(16**12):012x}"


def bcrypt(rng: Random, _: int) -> str:
    alphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    return "$2b$12$" + "".join(rng.choice(alphabet) for _ in range(53))


def jwt(rng: Random, n: int) -> str:
    return f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI{n:08}.{rng.randrange(16**40):040x}"


def latitude(rng: Random, _: int) -> str:
    return f"{rng.uniform(36.0, 58.0):.6f}"


def longitude(rng: Random, _: int) -> str:
    return f"{rng.uniform(-9.0, 28.0):.6f}"


def position(rng: Random, n: int) -> str:
    return f"{latitude(rng, n)}, {longitude(rng, n)}"


def person_json(rng: Random, n: int) -> str:
    given, family = ascii_name(rng)
    return json.dumps({"customer": {"first_name": given, "last_name": family, "email": email(rng, n)}, "n": n})


def address_json(rng: Random, n: int) -> str:
    return json.dumps({"shipping": {"street": street_german(rng, n), "city": rng.choice(CITIES.split())}})


def listed(make: Make) -> Make:
    """Return an array with up to three values."""
    return lambda rng, n: [make(rng, n + more) for more in range(rng.randrange(1, 4))]


def in_bytes(make: Make) -> Make:
    """Return a text as bytes."""
    return lambda rng, n: str(make(rng, n)).encode()


def picture(rng: Random, _: int) -> bytes:
    return b"\xff\xd8\xff\xe0" + rng.randbytes(40)


# What is nobody's.


def whole(low: int, high: int) -> Make:
    return lambda rng, _: rng.randrange(low, high)


def money(high: float, places: int = 2) -> Make:
    return lambda rng, _: f"{rng.uniform(0.01, high):.{places}f}"


def numbered(form: str, start: int = 1) -> Make:
    """Return a form with the number of the row."""
    return lambda _, n: form.format(start + n)


def md5(rng: Random, _: int) -> str:
    return hashlib.md5(rng.randbytes(8), usedforsecurity=False).hexdigest()


def sha1(rng: Random, _: int) -> str:
    return hashlib.sha1(rng.randbytes(8), usedforsecurity=False).hexdigest()


def uuid(rng: Random, _: int) -> str:
    hexa = f"{rng.randrange(16**32):032x}"
    return f"{hexa[:8]}-{hexa[8:12]}-4{hexa[13:16]}-a{hexa[17:20]}-{hexa[20:]}"


def recent(rng: Random, _: int) -> datetime:
    return datetime(2022, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(3 * 365 * 86400))


def recent_day(rng: Random, n: int) -> date:
    return recent(rng, n).date()


def old_day(rng: Random, _: int) -> date:
    return date(1998, 1, 1) + timedelta(days=rng.randrange(365 * 9))


def recent_as(form: str) -> Make:
    return lambda rng, n: recent(rng, n).strftime(form)


def flag(rng: Random, _: int) -> bool:
    return rng.random() < 0.5


def version(rng: Random, _: int) -> str:
    return f"{rng.randrange(5)}.{rng.randrange(20)}.{rng.randrange(30)}"


def build(rng: Random, _: int) -> str:
    return f"{rng.randrange(1, 4)}.{rng.randrange(12)}.{rng.randrange(30)}.{rng.randrange(9)}"


def ean(rng: Random, _: int) -> str:
    body = "40" + digits(rng, 10)
    total = sum(int(c) * (3 if place % 2 else 1) for place, c in enumerate(body))
    return body + str(-total % 10)


def settings_json(rng: Random, _: int) -> str:
    return json.dumps({"theme": rng.choice(["dark", "light"]), "page_size": rng.randrange(10, 100)})


def etag(rng: Random, _: int) -> str:
    return f'W/"{rng.randrange(16**8):x}-{rng.randrange(16**6):x}"'


def euros(rng: Random, _: int) -> str:
    return f"{rng.uniform(1, 2000):,.2f} €".replace(",", " ").replace(".", ",")


def shirt(rng: Random, _: int) -> str:
    kind = rng.choice(["Shirt", "Hammer", "Kettle", "Lamp", "Chair", "Table", "Mug", "Bolt"])
    return f"{rng.choice(['Cotton', 'Steel', 'Plastic', 'Wooden', 'Large', 'Foldable'])} {kind}"


def blurb(rng: Random, _: int) -> str:
    return f"{shirt(rng, 0)} made of recycled material, {rng.randrange(2, 40)} cm wide"
