"""Columns with their kind said by hand: what holds personal data, under telling names and others, and what does not.

A line is a table: named | misleading | harmless; a column is ``name=maker`` or ``name:type=maker``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from psycopg2.extras import execute_values

from kitchen.adapters.postgres.connection import PgSession
from tests.contracts import invented as i
from tests.contracts import invented_abroad as a

ROWS = 400
NAMED, MISLEADING, HARMLESS = "named", "misleading", "harmless"

MAKERS: dict[str, i.Make] = {
    "given": i.pick(i.LATIN_WEST[0]),
    "family": i.pick(i.LATIN_WEST[1]),
    "full": i.names(i.LATIN_WEST),
    "full_world": i.names(i.LATIN_WEST, i.CYRILLIC, i.GREEK),
    "full_russian": i.names(i.CYRILLIC),
    "family_first": i.names(i.LATIN_WEST, form="{f}, {g}"),
    "full_han": i.names(i.HAN, form="{f}{g}"),
    "family_russian": i.pick(i.CYRILLIC[1]),
    "full_greek": i.names(i.GREEK),
    "full_caps": lambda r, n: str(i.names(i.LATIN_WEST)(r, n)).upper(),
    "email": i.email,
    "login": i.login,
    "natural_key": i.natural_key,
    "city": lambda r, _: r.choice(i.CITIES.split()),
    "phone": i.phone_world,
    "phone_de": i.phone_german,
    "phone_fr": i.phone_french,
    "phone_us": i.phone_american,
    "phone_bare": i.phone_bare,
    "card": i.card,
    "card_spaced": i.card_spaced,
    "iban": i.iban,
    "iban_spaced": i.iban_spaced,
    "ssn": i.us_ssn,
    "nino": i.uk_nino,
    "dni": i.spanish_dni,
    "nir": i.french_nir,
    "tax_id": i.german_tax_id,
    "ipv4": i.ipv4,
    "ipv6": i.ipv6,
    "mac": i.mac,
    "mac_dashes": i.mac_dashes,
    "born": i.born,
    "born_at": i.born_at,
    "born_iso": i.born_as("%Y-%m-%d"),
    "born_german": i.born_as("%d.%m.%Y"),
    "born_us": i.born_as("%m/%d/%Y"),
    "street_en": i.street_english,
    "street_de": i.street_german,
    "street_fr": i.street_french,
    "street_es": i.street_spanish,
    "prose": i.prose,
    "prose_mail": i.prose_with_mail,
    "short_note": i.short_note,
    "agent": i.agent,
    "url_token": i.url_token,
    "url_path": i.url_path,
    "bcrypt": i.bcrypt,
    "jwt": i.jwt,
    "lat": i.latitude,
    "lon": i.longitude,
    "position": i.position,
    "person_json": i.person_json,
    "address_json": i.address_json,
    "emails": i.listed(i.email),
    "phones": i.listed(i.phone_world),
    "full_list": i.listed(i.names(i.LATIN_WEST)),
    "mail_bytes": i.in_bytes(i.email),
    "picture": i.picture,
    "postcode_uk": i.filled("LS# #??", "M## #??"),
    "postcode_de": i.filled("%####"),
    "salary": i.whole(21000, 140000),
    "age": i.whole(18, 90),
    "sex": i.pick("m f d"),
    "passport": i.filled("C##?##%?#"),
    "given_pl": i.pick(a.POLISH[0]),
    "family_pl": i.pick(a.POLISH[1]),
    "full_tr": i.names(a.TURKISH),
    "full_pt": i.names(a.PORTUGUESE),
    "full_ar": i.names(a.ARABIC),
    "full_ja": i.names(a.JAPANESE, form="{f} {g}"),
    "full_ko": i.names(a.KOREAN, form="{f}{g}"),
    "full_hi": i.names(a.HINDI),
    "full_he": i.names(a.HEBREW),
    "full_vi": i.names(a.VIETNAMESE, form="{f} {g}"),
    "given_sv": i.pick(a.SWEDISH[0]),
    "family_sv": i.pick(a.SWEDISH[1]),
    "given_it": i.pick(a.ITALIAN[0]),
    "family_it": i.pick(a.ITALIAN[1]),
    "initialled": a.initialled(i.LATIN_WEST, a.SWEDISH),
    "phone_pl": a.phone_polish,
    "phone_tr": a.phone_turkish,
    "phone_digits": a.phone_digits,
    "pesel": a.polish_pesel,
    "bsn": a.dutch_bsn,
    "nhs": a.english_nhs,
    "cpf": a.brazilian_cpf,
    "codice": a.italian_code,
    "personnummer": a.swedish_number,
    "street_pl": a.street_polish,
    "street_tr": a.street_turkish,
    "street_nl": a.street_dutch,
    "street_sv": a.street_swedish,
    "street_ja": a.street_japanese,
    "mail_shown": a.mail_shown,
    "mail_tagged": a.mail_tagged,
    "ip_port": a.ip_port,
    "people_json": a.people_json,
    "born_number": a.born_number,
    "born_words": i.born_as("%b %d, %Y"),
    "gossip": a.gossip,
    "profile_url": a.profile_url,
    "degrees": a.degrees_text,
    "point": a.point,
    "icd": a.icd,
    "plate": a.plate,
    "ips": i.listed(i.ipv4),
    "full_fi": i.names(a.FINNISH),
    "full_hu": i.names(a.HUNGARIAN, form="{f} {g}"),
    "family_cz": i.pick(a.CZECH[1]),
    "full_cz": i.names(a.CZECH),
    "full_bg": i.names(a.BULGARIAN),
    "full_th": i.names(a.THAI),
    "full_id": i.names(a.INDONESIAN),
    "full_ng": i.names(a.NIGERIAN),
    "phone_br": a.phone_brazil,
    "phone_in": a.phone_india,
    "phone_ng": a.phone_nigeria,
    "phone_ch": a.phone_swiss,
    "phone_ten": a.phone_ten,
    "street_fi": a.street_finnish,
    "street_hu": a.street_hungarian,
    "street_br": a.street_brazilian,
    "street_in": a.street_indian,
    "street_id": a.street_indonesian,
    "ahv": a.swiss_ahv,
    "pan_in": a.indian_pan,
    "handle": a.handle,
    "mac_bare": a.mac_bare,
    "imei": a.imei,
    "hetu": a.finnish_hetu,
    "cpf_bare": a.cpf_bare,
    "sin": a.canadian_sin,
    "ipv6_full": a.full_ipv6,
    "titled": a.titled,
    "airline": a.airline,
    "labelled_address": a.labelled_address,
    "town": a.town,
    "born_short": a.born_short,
    "born_slash": i.born_as("%Y/%m/%d"),
    "chat": a.chat,
    "resume": a.resume,
    "wkt": a.wkt,
    "markup": a.markup,
    "mails_text": i.email,
    # nobody's
    "count": i.whole(0, 500),
    "few": i.whole(0, 5),
    "price": i.money(900),
    "rate": i.money(2, 6),
    "sku": i.filled("??-####-%"),
    "sku_words": i.filled("SHIRT-BLU-##", "MUG-RED-##", "SOCK-GRN-##"),
    "status": i.pick("new paid shipped returned"),
    "md5": i.md5,
    "sha1": i.sha1,
    "uuid": i.uuid,
    "recent": i.recent,
    "recent_day": i.recent_day,
    "old_day": i.old_day,
    "recent_text": i.recent_as("%Y-%m-%d %H:%M"),
    "clock": i.recent_as("%H:%M:%S"),
    "country": i.pick("DE FR AT PL US"),
    "currency": i.pick("EUR USD GBP"),
    "version": i.version,
    "build": i.build,
    "order_no": i.numbered("2024-{:06}"),
    "invoice_no": i.numbered("INV{:07}"),
    "isbn": i.filled("978-3-##-%#####-#"),
    "ean": i.ean,
    "flag": i.flag,
    "language": i.pick("en de fr es"),
    "percent": i.whole(0, 101),
    "big": i.whole(10**9, 10**12),
    "mime": i.pick("image/png text/html application/pdf"),
    "path": i.numbered("/var/data/part-{:05}.parquet"),
    "colour": i.filled("#%%%%%%"),
    "settings": i.settings_json,
    "serial": i.numbered("{}"),
    "http": i.pick("200 301 404 500"),
    "product": i.pick("Hammer Schraube Nagel Bohrer Zange Säge Feile Hobel"),
    "unit": i.pick("kg g l m pcs"),
    "zone": i.pick("Europe/Berlin Europe/Paris America/New_York"),
    "grade": i.pick("A B C D"),
    "etag": i.etag,
    "euros": i.euros,
    "shirt": i.shirt,
    "blurb": i.blurb,
    "isin": i.filled("DE000??????#", "US##########"),
    "container": i.filled("MSKU#######", "TCLU#######"),
    "tracking": i.filled("DE-2024-1#-######", "1Z%??###%%########"),
    "thousands": i.filled("#.###.###", "##.###"),
    "candidate": i.filled("#.##.#-rc.#", "#.#.##"),
    "quarter": i.pick("Q1-2024 Q2-2024 Q3-2024"),
    "cron": lambda r, _: f"{r.randrange(60)} {r.randrange(24)} * * *",
    "size": i.filled("##x##x#", "1##x##x##"),
    "kilos": lambda r, _: f"{r.randrange(1, 90)} kg",
    "pair": i.pick("EUR/USD GBP/USD EUR/JPY"),
    "band": i.pick("0-10 10-20 20-50"),
    "team": i.pick("Marketing Sales Finance Logistics Support"),
    "event": i.pick("click view purchase add_to_cart"),
    "airport": i.pick("VIE CDG FRA JFK NRT"),
    "state": i.pick("open closed waiting"),
    "bin": i.filled("A-##-#", "B-##-#"),
    "pointer": i.filled("0x7ff%####%#%#"),
    "host": i.filled("web-##.internal", "db-##.internal"),
    "file": i.numbered("export_{:04}.csv"),
    "docs": i.numbered("https://docs.example.org/articles/{}"),
    "card_type": i.pick("visa master amex"),
    "country_name": i.pick("Germany France Austria Japan Poland"),
    "float": lambda r, _: r.gauss(20, 300),
    "week": i.filled("2024-W##"),
    "plant": a.plant,
    "pod": a.pod,
    "failure": a.failure,
    "image": i.filled("repo/app:1.##.#", "team/db:#.#"),
    "class": i.pick("com.example.Orders org.acme.Billing$Job"),
    "dollars": i.filled("USD %#.##", "USD %##.##"),
    "ratio_text": i.pick("16:9 4:3 21:9"),
    "interval_text": i.filled("P#DT#H", "PT##M"),
    "hs_code": i.filled("84##.##.##"),
    "cas": i.filled("%#-##-#", "%###-##-#"),
    "part": i.filled("???-###-?"),
    "ral": i.filled("RAL 70##", "RAL 90##"),
    "month": i.pick("January February March April May June"),
    "offset": i.pick("+02:00 -05:00 +00:00"),
    "crc": i.filled("%?#f##a#"),
    "fiscal": i.pick("FY2022 FY2023 FY2024"),
    "brand": i.pick("Bosch Makita Hilti Metabo Stihl"),
    "port": i.whole(1024, 65535),
    "stars": i.filled("#.#"),
    "continent": i.pick("Europe Asia Africa"),
    "percent_text": i.filled("##.#%", "#.#%"),
    "ulid": i.filled("01H#?##?##?##?##?##?##?##?"),
    "decimal": i.money(90000, 3),
    "epoch": i.whole(1_600_000_000, 1_730_000_000),
    "seconds": i.money(60, 9),
}

FIRST = """
customer: first_name=given last_name=family email=email phone=phone street=street_en city=city
  postcode=postcode_uk birth_date:date=born iban=iban notes=prose_mail | c17=full c18=email c19=phone_de
  c20:date=born | created_at:timestamptz=recent active:boolean=flag order_count:integer=count
employees: FullName=full_world EMail=email HomePhone=phone_us Salary:integer=salary PassportNo=passport
  Photo:bytea=picture | field_1=family_first field_2=street_de field_3=iban_spaced field_4=ssn
  field_5=full_han | HireDate:date=recent_day Level:integer=few
kunden: vorname=given nachname=family strasse=street_de plz=postcode_de ort=city geburtsdatum:date=born
  telefon=phone_de | wert=tax_id merkmal_1=family_russian feld7=born_german schluessel=natural_key |
  anzahl:integer=count status=status
clientes: nombre=given apellidos=family correo=email direccion=street_es dni=dni fecha_nacimiento:date=born |
  dato1=street_es dato2=dni campo_3=full_greek | total:numeric=price moneda=currency
clients: prenom=given nom=family courriel=email adresse=street_fr telephone=phone_fr | valeur=phone_fr
  attribut_2=nir donnee=street_fr | quantite:integer=count devise=currency
sessions: ip_address=ipv4 client_mac=mac user_agent=agent session_token=jwt password_hash=bcrypt
  remote_addr:inet=ipv4 | a1=ipv4 a2=ipv6 a3=mac_dashes a4=agent a5=url_token a6=url_path a7=bcrypt |
  started_at:timestamptz=recent duration:numeric=seconds http_status=http build=build
payments: card_number=card cardholder_name=full_caps account_iban=iban | val=card val2=card_spaced
  x9:bigint=card | amount:numeric=price currency=currency paid_at:timestamptz=recent
places: latitude:numeric=lat longitude:numeric=lon home_location=position | p1=position p2:numeric=lat |
  distance:numeric=decimal country_code=country
documents: payload:jsonb=person_json contact_emails:text[]=emails author=full | blob1:bytea=mail_bytes
  d1:jsonb=address_json d2:text[]=phones d3:text[]=full_list d4=prose d5=short_note d6=born_iso
  d7:timestamp=born_at d8=login d9=nino d10=phone_bare | md5=md5 size_bytes:integer=count mime_type=mime
  path=path
products: | | sku=sku price:numeric=price stock:integer=count weight:numeric=decimal ean=ean isbn=isbn
  version=version colour=colour unit=unit product=product grade=grade vat_rate:numeric=percent code=sku_words
  options:jsonb=settings
orders: | | order_no=order_no invoice_no=invoice_no status=status ordered_at:timestamptz=recent
  shipped_on:date=recent_day quantity:integer=count discount:numeric=percent exchange_rate:numeric=rate
  currency=currency country=country ref:uuid=uuid checksum=sha1 language=language epoch:bigint=epoch
metrics: | | x1:integer=count x2:numeric=rate x3=status x4=md5 x5:timestamptz=recent x6=version x7:uuid=uuid
  x8=clock x9=recent_text x10=order_no x11:date=old_day x12=sku x13=build x14:bigint=big x15=zone
"""

SECOND = """
patients: surname=family_sv given_name=given_sv dob:timestamp=born_at nhs_number=nhs diagnosis=prose
  icd_code=icd next_of_kin=full_pt blood_pressure_note=short_note emergency_contact=phone_tr | v01=nhs v02=icd
  v03=gossip v04=initialled v05=phone_tr | admitted_on:date=recent_day ward=team bed:integer=few
osoby: imie=given_pl nazwisko=family_pl numer_telefonu=phone_pl pesel=pesel adres=street_pl
  data_urodzenia:date=born | pole_1=street_pl pole_2=pesel pole_3=phone_pl pole_4=family_pl |
  liczba:integer=count kwota:numeric=price
clienti: nome=given_it cognome=family_it indirizzo=street_es codice_fiscale=codice data_di_nascita:date=born
  cellulare=phone | dato_a=codice dato_b=given_it | quantita:integer=count prezzo:numeric=price
personen: voornaam=given_sv achternaam=family_sv woonplaats=city geboortedatum:date=born bsn=bsn
  straatnaam=street_nl | kenmerk=bsn waarde=street_nl extra_1=street_sv extra_2=personnummer |
  aantal:integer=count
accounts: cust_email=mail_tagged usr_login=login last_ip_address=ipv4 bank_acct=iban
  vehicle_registration=plate shipping_address=street_tr billing_name=full_tr twitter_handle=login
  social_sec_no=ssn tel_no=phone_us cpf=cpf | s1=mail_shown s2=mail_tagged s3=full_tr s4=full_pt s5=full_ar
  s6=full_ja s7=full_ko s8=full_hi s9=full_he s10=full_vi s11=street_tr s12=street_ja s13=cpf s14=ip_port
  s15:bigint=phone_digits s16:bigint=nir s17=profile_url s18:jsonb=people_json s19:text[]=ips s20=born_words
  s21:integer=born_number s22=degrees s23:point=point s24=plate s25:char(24)=full s26:float8=lon |
  created:timestamptz=recent card_type=card_type email_sent:boolean=flag
stock: | | title=shirt description=blurb sku_code=sku_words location=bin state=state size=size gross=kilos
  price_text=euros isin=isin container=container tracking_no=tracking etag=etag firmware=candidate
  docs_url=docs airport=airport name=shirt qty_on_hand:integer=count reorder_level:integer=few
jobs: | | host_name=host schedule=cron memory_address=pointer file_name=file started:timestamptz=recent
  exit_code:integer=few event_type=event team=team week=week quarter=quarter region_code=airport pair=pair
  band=band load:float8=float duration_ms:bigint=epoch country=country_name
anything: | | y1=tracking y2=thousands y3=candidate y4=euros y5=isin y6=container y7=cron y8=size y9=shirt
  y10=etag y11=bin y12:float8=float y13=file y14=host y15=team y16:bigint=epoch y17=docs y18=uuid
  y19:numeric=rate y20=pointer
"""

THIRD = """
henkilot: etunimi=given_sv sukunimi=family_cz kokonimi=full_fi osoite=street_fi henkilotunnus=hetu
  puhelin=phone_ng syntymapaiva:date=born sahkoposti=email | q1=full_fi q2=hetu q3=street_fi q4=born_slash |
  maara:integer=count
szemelyek: teljes_nev=full_hu lakcim=street_hu telefonszam=phone_pl | r1=full_hu r2=street_hu r3=full_cz
  r4=family_cz | darab:integer=count
pessoas: nome_completo=full_pt endereco=street_br celular=phone_br cpf=cpf_bare nascimento:date=born |
  t1=cpf_bare t2=phone_br t3=street_br t4=full_ng | quantidade:integer=count
bookings: passenger_name=airline contact_no=phone_in guest_email=email billing_address=street_in | u1=airline
  u2=phone_in u3=street_in u4=pan_in u5=titled u6=full_th u7=full_id u8=full_bg | seats:integer=few
  fare:numeric=price booked_at:timestamptz=recent
devices: imei=imei wifi_mac=mac_bare last_seen_ip=ipv6_full owner=titled | w1=ipv6_full w2=mac_bare w3=imei
  w4=handle w5=phone_ten | os_version=version port:integer=port
letters: salutation=titled content=markup address_block=labelled_address | z1=labelled_address z2=markup
  z3=chat z4=town z5=resume z6=wkt z7=sin z8=ahv z9=phone_ch z10=born_short z11=phone_ng z12=street_id
  z13:text[]=full_list z14=mails_text | sent_at:timestamptz=recent pages:integer=few
catalogue: | | plant=plant brand=brand hs_code=hs_code cas_number=cas part_no=part colour=ral price=dollars
  aspect=ratio_text rating=stars lead_time=interval_text share=percent_text
cluster: | | pod=pod image=image class=class error=failure utc_offset=offset checksum=crc trace=ulid
  port:integer=port
metrics_2: | | k1=plant k2=brand k3=hs_code k4=cas k5=part k6=ral k7=dollars k8=pod k9=image k10=class
  k11=failure k12=crc k13=fiscal k14=month k15=continent k16=ulid k17=percent_text k18:integer=port
"""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One column of the set."""

    table: str
    name: str
    type: str
    maker: str
    group: str

    @property
    def personal(self) -> bool:
        """Say whether a reviewer would call what is in it personal."""
        return self.group != HARMLESS

    def __str__(self) -> str:
        return f"{self.table}.{self.name} ({self.maker})"


def columns_of(text: str) -> Iterator[Labelled]:
    """Yield the columns that a text lists."""
    for line in text.strip().replace("\n  ", " ").splitlines():
        table, _, rest = line.partition(": ")
        for group, part in zip((NAMED, MISLEADING, HARMLESS), rest.split("|"), strict=True):
            for said in part.split():
                named, _, maker = said.partition("=")
                name, _, kind = named.partition(":")
                yield Labelled(table, name, kind or "text", maker, group)


def load(session: PgSession, columns: list[Labelled], seed: int) -> None:
    """Make the tables and fill them."""
    rng = Random(seed)  # noqa: S311 - invented values, the same ones each time
    tables = dict.fromkeys(column.table for column in columns)
    for table in tables:
        own = [column for column in columns if column.table == table]
        shown = ", ".join(f'"{column.name}" {column.type}' for column in own)
        session.execute(f"CREATE TABLE public.{table} (id integer PRIMARY KEY, {shown})")
        rows = [(n, *(MAKERS[column.maker](rng, n) for column in own)) for n in range(1, ROWS + 1)]
        places = ", ".join(["%s", *(f"%s::{column.type}" for column in own)])
        with session.connection.cursor() as cursor:
            execute_values(cursor, f"INSERT INTO public.{table} VALUES %s", rows, f"({places})", ROWS)
        session.execute(f"ANALYZE public.{table}")
