"""What the names of tables and columns say, in the words of several languages."""

from __future__ import annotations

import re

from kitchen.domain.catalogue import SourceColumn, SourceTable
from kitchen.domain.masking import MaskKind

# Kinds that belong to one person, so that the person's key may decide them together.
OF_A_PERSON = frozenset(
    {MaskKind.FIRST_NAME, MaskKind.LAST_NAME, MaskKind.FULL_NAME, MaskKind.EMAIL, MaskKind.PHONE, MaskKind.STREET,
     MaskKind.ADDRESS, MaskKind.POSTCODE, MaskKind.CITY, MaskKind.REGION, MaskKind.USER_NAME, MaskKind.DATE}
)  # fmt: skip
NUMERIC_KINDS = frozenset(
    {MaskKind.CARD, MaskKind.PHONE, MaskKind.NATIONAL_ID, MaskKind.POSTCODE, MaskKind.NUMBER, MaskKind.HASH}
)

# The first that matches decides; `_` stands at both ends and between words.
_KINDS: tuple[tuple[str, MaskKind], ...] = (
    ("password|passwd|pwd|passphrase|pin|pin_?code|secret|token|api_?key|auth|salt|otp|cvv2?|cvc|kennwort|passwort"
     "|mot_de_passe|session_?id|cookie|private_key|signature|security_answer", MaskKind.BLANK),
    ("picture|photo|image|avatar|portrait|fingerprint|biometric|foto|bild|lat|latitude|lng|lon|longitude|geo|location"
     "|coordinates", MaskKind.BLANK),
    ("e?_?mails?|e_?mail_?addr(ess)?|correo|courriel|mailbox", MaskKind.EMAIL),
    ("ip|ip_?addr(ess)?|ipv4|ipv6|client_ip|remote_addr|host_ip|last_ip", MaskKind.IP),
    ("mac|mac_?addr(ess)?", MaskKind.MAC),
    ("phone|telephone|tel|mobile|cell|cellphone|fax|msisdn|telefon|telefono|handy|phone_?(no|nr|number|num)|whatsapp",
     MaskKind.PHONE),
    ("iban|bank_?account|account_?iban|kontonummer", MaskKind.IBAN),
    ("card_?(no|nr|number|num)|credit_?card|cc_?(no|nr|number|num)|pan|kreditkarte|debit_card", MaskKind.CARD),
    ("ssn|social_security(_.*)?|national_?(id|insurance)(_.*)?|nino|nin|tax_?(id|no|nr|number)|vat_?(id|no|nr|number)|steuer_?(id|nr|nummer)"
     "|passport(_.*)?|driving_licen[cs]e|driver_?s?_licen[cs]e(_.*)?|licen[cs]e_?(no|nr|number|plate)|personnummer|bsn|cpf|curp|dni|nie|insee|id_?card(_.*)?"
     "|identity_(no|number|card)|insurance_?(no|nr|number)|medical_record(_.*)?|mrn|nhs(_.*)?|aadhaar|pesel|codice_fiscale|id_number", MaskKind.NATIONAL_ID),
    ("dob|birth|birth_?date|birth_?day|date_of_birth|born|born_(on|at|date)|geburts?(datum|tag)|geboren|fecha_nacimiento"
     "|date_naissance|naissance|death_date|date_of_death|birth_?year|year_of_birth", MaskKind.DATE),
    ("salary|wages?|income|gehalt|lohn|salaire|sueldo|net_worth|credit_score|weight|height|bmi|iq|age|pay_rate|bonus|commission_pct",
     MaskKind.NUMBER),
    ("first_?name|fname|given_?names?|forename|vorname|prenom|nombre|middle_?names?|nick_?name|christian_name", MaskKind.FIRST_NAME),
    ("last_?name|lname|sur_?name|family_?name|nachname|familienname|nom|nom_de_famille|apellidos?|maiden_?name|birth_name",
     MaskKind.LAST_NAME),
    ("full_?name|display_?name|person_?name|contact_?name|customer_?name|client_?name|employee_?name|card_?holder(_name)?|account_?holder"
     "|recipient|consignee|manager|manager_name|sales_?rep(_name)?|owner_name|author|signed_by|ship_?name|beneficiary|reports_to_name"
     "|emergency_contact|spouse|mother|father|patient_?name|contact_person|ansprechpartner|name_on_card|attention|assignee_name|guardian",
     MaskKind.FULL_NAME),
    ("user_?names?|user_?id|login|login_?name|log_?in|screen_?name|handle|benutzer(name)?|account_?name|skype|twitter|instagram|facebook|linkedin|created_by|updated_by|modified_by",
     MaskKind.USER_NAME),
    ("postal_?code|post_?code|zip|zip_?code|plz|postleitzahl|code_postal|cp|cap", MaskKind.POSTCODE),
    ("street|street_?(name|address|no|number|line)|strasse|strassenname|rue|calle|via|house_?(no|nr|number)|hausnummer|addr(ess)?_?(line)?_?[1-4]?"
     "|line_?[12]|adresse|direccion|address_street|po_box|residence", MaskKind.STREET),
    ("city|town|village|municipality|ort|stadt|ville|ciudad|place_of_birth|birth_?place|geburtsort|suburb|locality", MaskKind.CITY),
    ("state|province|region|district|county|bundesland|departement|provincia|state_province|kanton", MaskKind.REGION),
    ("company|company_?name|employer|organi[sz]ation|firm|firma|business_?name|entreprise|empresa|legal_name|vendor_name|supplier_name|merchant", MaskKind.COMPANY),
    ("url|uri|website|web_?site|homepage|home_page|profile_url|link|blog", MaskKind.URL),
    ("notes?|comments?|remarks?|description|desc|bio|biography|message|body|text|free_?text|memo|feedback|review|bemerkung"
     "|kommentar|summary|subject|reason|diagnosis|medical|allergies|transcript|content|instructions|prompt|question|answer|title_text|trigger_brief"
     "|religion|ethnicity|race|nationality|disability|political|sexual_orientation|gender_identity|occupation|job_?title|profession|beruf", MaskKind.TEXT),
    ("external_?id|device_?id|advertising_id|idfa|imei|imsi|serial_?(no|number)|customer_?(no|nr|number|code)|member_?(no|nr|number|code)"
     "|employee_?(no|nr|number|code)|account_?(no|nr|number)|policy_?(no|number)|kundennummer|vin|loyalty_?(no|card|number)|bic|swift|routing_number|sort_code",
     MaskKind.HASH),
)  # fmt: skip
_COMPILED = tuple((re.compile(rf"(?:.*_)?(?:{pattern})(?:_[0-9]+)?(?:_(?:enc|old|new|hash|hashed|raw|home|work|private|primary|secondary))?"), kind)
                  for pattern, kind in _KINDS)  # fmt: skip
_PEOPLE = re.compile(
    r".*(customer|client|person|people|user|staff|employee|contact|patient|member|guest|passenger|student|teacher|actor|artist"
    r"|author|driver|subscriber|applicant|candidate|lead|donor|visitor|tenant|owner|doctor|nurse|agent|kunde|mitarbeiter|profile).*"
)
_FIRMS = re.compile(r".*(compan|supplier|vendor|shipper|organi[sz]ation|partner|merchant|employer|firm|lieferant).*")
_KEY = re.compile(r"(.*_)?(id|key|pk|fk|sk|oid|rowid|seq)|.*(_id|_key|_fk)")
_EVENT = re.compile(
    r".*(creat|updat|modif|insert|delet|order|ship|paid|pay|sent|releas|hire|rental|return|login|visit|valid|expir|start|end|due|invoice|posted|event|load|process|sign|publish).*"
)
_MEASURES: tuple[tuple[str, str], ...] = (
    (r".*(amount|price|cost|total|revenue|profit|margin|tax|fee|discount|rate|subtotal|freight|balance|value|sales|budget|turnover).*",
     "an amount"),
    (r".*(quantity|qty|count|number_of|num|nr_of|units|stock|inventory|points|votes|rating|score|rank|position|line|level|version|sequence|priority|reorder.*)",
     "a count"),
    (r".*(length|width|size|duration|minutes|hours|seconds|days|bytes|milliseconds|distance|capacity|volume|percent|ratio|pct|share|temperature|depth)",
     "a measure"),
    (r"(.*_)?(active|enabled|is_.*|has_.*|flag|status|year|month|day|week|quarter|release_year|weekday|hour|discontinued|deleted|type|kind|term)",
     "a flag or period"),
)  # fmt: skip
_CODE = re.compile(
    r"(.*_)?(status|state|type|kind|category|currency|currency_code|channel|segment|language|language_code|lang|locale|unit|uom|size|colou?r|method|mode|priority"
    r"|level|tier|class|grade|stage|phase|plan|country|country_code|rating|code|timezone|source|medium|platform|gender_code|payment_method|frequency|department)"
)
_COUNTRY = re.compile(r"(.*_)?(country|country_?code|country_?name|land|pays|pais|nation|iso_?[23]?)")


def normal(name: str) -> str:
    """Return a name as words in small letters between underscores."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    spaced = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", spaced)
    return re.sub(r"[^a-z0-9äöüßéèñ]+", "_", spaced.lower()).strip("_")


def kind_of(table: str, column: str) -> MaskKind | None:
    """Return the kind of personal data that a name says, or None."""
    name = normal(column)
    for pattern, kind in _COMPILED:
        if pattern.fullmatch(name):
            return kind
    if name in ("name", "names", "bezeichnung") or name == f"{normal(table).rstrip('s')}_name":
        if _PEOPLE.fullmatch(normal(table)):
            return MaskKind.FULL_NAME
        if _FIRMS.fullmatch(normal(table)):
            return MaskKind.COMPANY
    return None


def subject_of(table: SourceTable, column: SourceColumn) -> str | None:
    """Return the key of the person to whom the rows of a table belong, where it is one column."""
    if len(table.primary_key) != 1 or table.primary_key[0] == column.name:
        return None
    key = table.column(table.primary_key[0])
    return key.name if key is not None and key.not_null and not key.generated else None


def is_key(column: str) -> bool:
    """Say whether a name is one of a key."""
    return _KEY.fullmatch(normal(column)) is not None


def is_event(column: str) -> bool:
    """Say whether a name is one of the moment of an event."""
    return _EVENT.fullmatch(normal(column)) is not None


def is_code(column: str) -> bool:
    """Say whether a name is one of a code."""
    return _CODE.fullmatch(normal(column)) is not None


def is_country(column: str) -> bool:
    """Say whether a name is one of a country."""
    return _COUNTRY.fullmatch(normal(column)) is not None


def measure(column: str) -> str | None:
    """Return what is measured where a name says so."""
    name = normal(column)
    return next((what for pattern, what in _MEASURES if re.fullmatch(pattern, name)), None)
