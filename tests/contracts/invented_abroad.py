# ruff: noqa: RUF001 - names of Turkey have a letter without its dot
"""Invented values of further languages and countries, written when the first ones were recognised."""

from __future__ import annotations

import json
from random import Random

from tests.contracts.invented import (
    CITIES,
    LATIN_WEST,
    Make,
    ascii_name,
    born,
    digits,
    email,
    filled,
    ipv4,
    latitude,
    login,
    longitude,
    luhn,
    name_of,
    phone_world,
    prose,
    street_german,
    streets,
)

# The second set: other languages, other countries, other ways of writing.
POLISH = (
    "Agnieszka Grzegorz Małgorzata Zbigniew Wiesława Bożena Przemysław Danuta Ryszard Halina",
    "Wiśniewska Kowalczyk Szczepański Dąbrowska Gąsior Pawlak Źrebiec Wróblewska Sikora Błaszczyk",
)
TURKISH = ("Ayşegül Kerem Tuğba Serkan Gülşen Oğuz Nurhan Volkan", "Yıldırım Aksoy Karadağ Güneş Bozkurt Erdoğan Tekin")
PORTUGUESE = ("Inês Duarte Leonor Gonçalo Matilde Afonso", "Figueiredo Saraiva Pacheco Machado Antunes Coelho Lourenço")
ARABIC = ("طارق سلمى هدى كريم ياسمين باسل", "الهاشمي العلي منصور حداد الخطيب نصار")
JAPANESE = ("健太 美咲 翔太 陽子 大輔 由美子", "佐々木 岡本 藤井 三浦 松田 田村 中島")
KOREAN = ("지훈 서연 민준 하은 도윤 수빈", "김 이 박 최 정 강 남궁")
HINDI = ("आरव दिया विवान अदिति ईशान कावेरी", "शर्मा त्रिपाठी चौहान अग्रवाल सक्सेना")
HEBREW = ("איתמר ליאור הדס עמית רותם", "בן־דוד שפירא גולדברג אזולאי כץ")
VIETNAMESE = ("Ngọc Bảo Thúy Quang Hạnh Đức", "Nguyễn Trần Lý Đinh Lương Mai")
SWEDISH = ("Astrid Torbjörn Linnéa Håkan Göran Ebba", "Sjöberg Åkesson Norling Björklund Ekström Wallin")
ITALIAN = (
    "Ginevra Tommaso Ilaria Fabrizio Noemi",
    "Pellegrini DeLuca Marchetti Sorrentino Bassi",
)

phone_polish = filled("+48 5## ### ###", "5## ### ###", "(22) %## ## ##", "+48-6##-###-###")
phone_turkish = filled("0 (532) ### ## ##", "+90 5## ### ## ##", "0212 ### ## ##")
phone_digits = filled("4915#########", "4366########", "3361########")


def initialled(*pools: tuple[str, str]) -> Make:
    """Return a family name with an initial."""

    def make(rng: Random, _: int) -> str:
        given, family = rng.choice(pools)
        return f"{rng.choice(family.split())} {rng.choice(given.split())[0]}."

    return make


def polish_pesel(rng: Random, _: int) -> str:
    body = f"{rng.randrange(40, 99)}{rng.randrange(1, 13):02}{rng.randrange(1, 29):02}{digits(rng, 4)}"
    total = sum(int(c) * w for c, w in zip(body, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3), strict=True))
    return body + str(-total % 10)


def dutch_bsn(rng: Random, n: int) -> str:
    while True:
        body = digits(rng, 8)
        rest = sum(int(c) * w for c, w in zip(body, range(9, 1, -1), strict=True)) % 11
        if rest < 10:
            return body + str(rest)


def english_nhs(rng: Random, n: int) -> str:
    while True:
        body = str(rng.randrange(4, 8)) + digits(rng, 8)
        check = -sum(int(c) * w for c, w in zip(body, range(10, 1, -1), strict=True)) % 11
        if check < 10:
            return f"{body[:3]} {body[3:6]} {body[6:]}{check}"


brazilian_cpf = filled("###.###.###-##")
italian_code = filled("RSSMRA8#A##H50#Z", "VRDLGU6#C##F20#K", "BNCPLA9#T##L21#R")


def swedish_number(rng: Random, n: int) -> str:
    return f"{born(rng, n):%Y%m%d}-{digits(rng, 4)}"


street_polish = streets("ul. Długa #", "al. Jana Pawła II #", "os. Kolorowe #/#", "Plac Wolności #")
street_turkish = streets("Atatürk Cad. No: #", "Gül Sok. # D:3", "Barbaros Bulvarı #")
street_dutch = streets("Prinsengracht #", "Kerkstraat #-II", "Laan van Meerdervoort #", "Dorpsplein #")
street_swedish = streets("Storgatan #", "Kungsvägen #B", "Björkstigen #")
street_japanese = streets("東京都新宿区西新宿2丁目8番#号", "大阪市北区梅田3丁目1番#号")


def mail_shown(rng: Random, n: int) -> str:
    given, family = ascii_name(rng)
    return f"{given} {family} <{given[0]}.{family}@web-mail.org>"


def mail_tagged(rng: Random, n: int) -> str:
    return email(rng, n).replace("@", "+shop@").upper()


def ip_port(rng: Random, n: int) -> str:
    return f"{ipv4(rng, n)}:{rng.randrange(1024, 65535)}"


def people_json(rng: Random, n: int) -> str:
    return json.dumps([{"who": name_of(rng, LATIN_WEST, "{g} {f}"), "tel": phone_world(rng, n)}])


def born_number(rng: Random, n: int) -> int:
    return int(born(rng, n).strftime("%Y%m%d"))


def gossip(rng: Random, n: int) -> str:
    return f"{name_of(rng, LATIN_WEST, '{g}')} {rng.choice(['is ill', 'left', 'divorced', 'on leave'])}"


def profile_url(rng: Random, n: int) -> str:
    return f"www.linkmates.example/in/{login(rng, n)}"


degrees_text = filled("4%°##'##\"N 1#°##'##\"E")
point = filled("(4%.####,1#.####)")
icd = filled("E11.#", "F3%.#", "I10", "J45.#", "C50.#")
plate = filled("W-####?", "M-?? ###", "B ?? ####")


# The third set, met unseen once: further languages and ways of writing.
FINNISH = ("Aino Eetu Helmi Onni Pekka Ritva Väinö", "Järvinen Laaksonen Heikkilä Rantanen Salonen Kallio")
HUNGARIAN = ("Boglárka Levente Zsófia Csaba Réka", "Fehér Bíró Lukács Gulyás Somogyi Veres")
CZECH = ("Vendula Radek Jiřina Bohumil Šárka", "Hájek Říhová Blažek Sedláčková Kolář")
BULGARIAN = ("Тодор Радка Пламен Снежана Калин", "Димитров Тодорова Стоянов Колева Ангелов")
THAI = ("สมชาย สุภาพร อนันต์ มาลี กมล", "แสงทอง วงศ์สวัสดิ์ ศรีสุข บุญมา ทองดี")
INDONESIAN = ("Budi Siti Agus Dewi Putra Wulan", "Santoso Wijaya Hidayat Lestari Nugroho")
NIGERIAN = ("Chinedu Ngozi Oluwaseun Adaeze Emeka", "Okonkwo Adebayo Nwosu Eze Balogun")

phone_brazil = filled("+55 (11) 9####-####", "(21) 9%###-####", "+55 31 9####-####")
phone_india = filled("+91 9#### #####", "+91-8###-######", "098########")
phone_nigeria = filled("0803 ### ####", "+234 80# ### ####", "0705-###-####")
phone_swiss = filled("079 ### ## ##", "+41 79 ### ## ##", "044 ### ## ##")
phone_ten = filled("%##%######")
street_finnish = streets("Mannerheimintie #", "Aleksanterinkatu # A #", "Hämeentie # B")
street_hungarian = streets("Fő utca #.", "Váci út #.", "Kossuth Lajos tér #/b")
street_brazilian = streets("Rua Augusta, #", "Av. Paulista, # - ap. #", "Travessa do Ouvidor #")
street_indian = streets("#, MG Road", "Flat #, Nehru Nagar", "Plot No. #, Anna Salai")
street_indonesian = streets("Jl. Sudirman No. #", "Jalan Melati #", "Gang Mawar II No. #")
swiss_ahv = filled("756.####.####.##")
indian_pan = filled("ABCPK####L", "BNZPM####Q", "AFHPS####D")
handle = filled("@anna_k##", "@bigjoe#", "@maria.lens", "@tomtom##", "@lucy_in_the_sky#")
mac_bare = filled("3c22fbca##%#", "f0189852####")
imei = filled("35######%######")


def finnish_hetu(rng: Random, n: int) -> str:
    return f"{born(rng, n):%d%m%y}-{rng.randrange(2, 900):03}{rng.choice('ABCDEFHJKLMNPRSTUVWXY')}"


def cpf_bare(rng: Random, _: int) -> str:
    digits = [rng.randrange(10) for _ in range(9)]
    for length in (10, 11):
        rest = sum(d * w for d, w in zip(digits, range(length, 1, -1), strict=True)) * 10 % 11
        digits.append(rest % 10)
    return "".join(map(str, digits))


def canadian_sin(rng: Random, _: int) -> str:
    body = str(rng.randrange(1, 8)) + digits(rng, 7)
    number = body + luhn(body)
    return f"{number[:3]} {number[3:6]} {number[6:]}"


def full_ipv6(rng: Random, _: int) -> str:
    return ":".join(f"{rng.randrange(65536):x}" for _ in range(8))


def titled(rng: Random, _: int) -> str:
    given, family = rng.choice(LATIN_WEST[0].split()), rng.choice(LATIN_WEST[1].split())
    return rng.choice([f"Mr. {given} {family}", f"Dr. {given} {family}", f"Mrs {family}", f"Frau {given} {family}"])


def airline(rng: Random, n: int) -> str:
    given, family = ascii_name(rng)
    return f"{family}/{given} {rng.choice(['MR', 'MS'])}".upper()


def labelled_address(rng: Random, n: int) -> str:
    return f"{name_of(rng, LATIN_WEST, '{g} {f}')}\n{street_german(rng, n)}\n{rng.randrange(10000, 99999)} Berlin"


def town(rng: Random, _: int) -> str:
    return f"{rng.randrange(10000, 99999)} {rng.choice(CITIES.split())}"


def born_short(rng: Random, n: int) -> str:
    return born(rng, n).strftime("%d-%b-%y")


def chat(rng: Random, n: int) -> str:
    return rng.choice(
        [
            "ok thx!!",
            "lol no way 😂",
            "see you at 8?",
            "can you call me back pls",
            f"hi {name_of(rng, LATIN_WEST, '{g}')}",
        ]
    )


def resume(rng: Random, n: int) -> str:
    given, family = ascii_name(rng)
    return f"cv_{given}_{family}_{n}.pdf".lower()


def wkt(rng: Random, n: int) -> str:
    return f"POINT({longitude(rng, n)} {latitude(rng, n)})"


def markup(rng: Random, n: int) -> str:
    return f"<p>Dear {name_of(rng, LATIN_WEST, '{g} {f}')},</p><p>{prose(rng, n)}</p>"


def plant(rng: Random, _: int) -> str:
    kinds, forms = "Quercus Acer Rosa Salix Betula Pinus", "robur alba nigra repens minor"
    return f"{rng.choice(kinds.split())} {rng.choice(forms.split())}"


def pod(rng: Random, _: int) -> str:
    return f"web-{rng.randrange(16**8):08x}-{rng.choice('bcdfg')}{rng.randrange(9)}xq{rng.randrange(9)}"


def failure(rng: Random, _: int) -> str:
    return rng.choice(
        ["connection refused by upstream", "no space left on device", "timeout after 30 seconds waiting for lock"]
    )
