"""Detection on a labelled set of columns: what holds personal data is found, and what is missed is masked anyway."""

from __future__ import annotations

import pytest

from kitchen.domain.catalogue import Catalogue, Evidence, ForeignKey, SourceColumn, SourceTable
from kitchen.domain.layout import TableName
from kitchen.domain.masking import Decision, MaskKind, Policy, TablePolicy
from kitchen.masking import words
from kitchen.masking.check import check
from kitchen.masking.classify import propose
from kitchen.masking.domains import components
from kitchen.masking.select import masked_select

# table: columns that hold personal data | columns that do not; `name` is text, `name:type` another type
LABELLED = """
customer: first_name last_name full_name email phone mobile street city postcode state birth_date:date iban
  notes password user_name | customer_id:integer created_at:timestamptz active:boolean
employees: FirstName LastName EMail HomePhone Address PostalCode BirthDate:timestamp SSN Salary:numeric
  Photo:bytea Notes Extension | EmployeeID:integer HireDate:date
patients: name surname given_name dob:date national_id insurance_no diagnosis allergies gender_identity religion
  phone_home emergency_contact mother address_line_1 address_line_2 town county zip_code fax weight:numeric
  height:numeric | patient_id:integer admitted_on:date discharged:boolean
users: login e_mail display_name avatar:bytea last_ip:inet mac_address:macaddr homepage bio twitter api_key
  session_id passwd salt device_id latitude:numeric longitude:numeric | id:bigint is_admin:boolean
  updated_at:timestamptz
payments: card_number cardholder_name cc_no bank_account account_holder billing_email iban_code bic cvv |
  payment_id:bigint amount:numeric paid_at:timestamptz currency quantity:integer
kunden: vorname nachname strasse hausnummer plz ort telefon geburtsdatum:date bemerkung steuernummer
  kundennummer firma | kunde_id:integer anzahl_count:integer
clientes: nombre apellido correo telefono direccion ciudad fecha_nacimiento:date dni | cliente_id:integer
  total:numeric
orders: ship_name ship_address ship_city ship_region ship_postal_code recipient delivery_instructions
  contact_email contact_phone gift_message customer_no remote_addr | order_id:integer shipped_date:date
  freight:numeric tax_amount:numeric status
suppliers: company_name contact_name contact_title_text supplier_email website vat_number | supplier_id:integer
  discontinued:boolean rating:integer
events: user_id_text payload:jsonb ip_address user_agent_text message body comment feedback trigger_brief
  summary | event_id:bigint occurred_at:timestamptz duration:integer
staff: staff_email work_phone home_phone licence_plate drivers_license passport_no tax_id insurance_number
  job_title nationality signature | staff_id:integer store_id:integer level:integer
"""
CATEGORIES = {
    "text": "S", "integer": "N", "bigint": "N", "numeric": "N", "date": "D", "timestamp": "D", "timestamptz": "D",
    "boolean": "B", "bytea": "U", "jsonb": "U", "inet": "I", "macaddr": "U",
}  # fmt: skip
BASES = {"integer": "int4", "bigint": "int8", "boolean": "bool"}


def _column(said: str, *, key: bool = False) -> SourceColumn:
    name, _, kind = said.partition(":")
    kind = kind or "text"
    return SourceColumn(name, kind, BASES.get(kind, kind), CATEGORIES[kind], not_null=key)


def _tables() -> list[tuple[SourceTable, frozenset[str], frozenset[str]]]:
    found = []
    for line in LABELLED.strip().replace("\n  ", " ").splitlines():
        name, _, rest = line.partition(": ")
        personal, harmless = (part.split() for part in rest.split(" | "))
        key = harmless[0].partition(":")[0]
        columns = [_column(said, key=said == harmless[0]) for said in [*harmless, *personal]]
        table = TableName("public", name)
        found.append(
            (
                SourceTable(table, table, tuple(columns), primary_key=(key,), uniques=((key,),)),
                frozenset(said.partition(":")[0] for said in personal),
                frozenset(said.partition(":")[0] for said in harmless),
            )
        )
    return found


CODE = Evidence(rows=2000, filled=2000, distinct=4, longest=8, average=5, shapes={"code": 1.0})


def test_recall_on_the_labelled_set_and_what_is_missed_is_masked() -> None:
    personal = kept = recognised = columns = 0
    missed: list[str] = []
    for table, secret, _harmless in _tables():
        columns += len(table.columns)
        proposals = propose(Catalogue((table,)), Policy(), {})[table.name]
        for name in secret:
            personal += 1
            column = table.column(name)
            assert column is not None
            if words.kind_of(table.name.name, name) is not None or column.base in ("jsonb", "inet", "macaddr", "bytea"):
                recognised += 1
            else:
                missed.append(f"{table.name.name}.{name}")
            kept += proposals[name].mask is MaskKind.KEEP
    assert columns >= 150
    assert personal >= 100
    assert kept == 0
    assert recognised / personal >= 0.95, missed


def test_what_is_harmless_is_kept_so_that_work_can_be_done() -> None:
    masked = []
    for table, _secret, harmless in _tables():
        evidences = {(table.name, name): CODE for name in ("status", "currency")}
        proposals = propose(Catalogue((table,)), Policy(), evidences)[table.name]
        masked += [name for name in harmless if proposals[name].mask is not MaskKind.KEEP]
    assert masked == []


@pytest.mark.parametrize(
    ("shapes", "mask"),
    [
        ({"email": 0.9}, MaskKind.EMAIL),
        ({"email": 0.05, "sentence": 0.9}, MaskKind.TEXT),
        ({"card": 0.9, "digits": 1.0}, MaskKind.CARD),
        ({"iban": 0.8}, MaskKind.IBAN),
        ({"phone": 0.9}, MaskKind.PHONE),
        ({"ip": 1.0}, MaskKind.IP),
        ({"mac": 1.0}, MaskKind.MAC),
        ({"url": 1.0}, MaskKind.URL),
        ({"street": 0.8}, MaskKind.STREET),
        ({"national_id": 0.7}, MaskKind.NATIONAL_ID),
        ({"known_name": 0.4, "person": 0.9}, MaskKind.FULL_NAME),
        ({"known_name": 0.4}, MaskKind.LAST_NAME),
    ],
    ids=str,
)
def test_values_tell_what_a_name_hides(shapes: dict[str, float], mask: MaskKind) -> None:
    decision = _one(_column("x17"), Evidence(2000, 2000, 1900, 60, 30.0, shapes))
    assert decision.mask is mask


def test_a_birth_date_is_seen_by_its_values_and_an_event_by_its_name() -> None:
    old = Evidence(2000, 2000, 1500, 10, 10.0, {"birth": 0.95}, years=40)
    assert _one(_column("d1:timestamp"), old).mask is MaskKind.DATE
    assert _one(_column("created_at:timestamp"), old).mask is MaskKind.KEEP
    cohort = Evidence(2000, 2000, 300, 10, 10.0, {"birth": 0.95}, years=2)  # of one year at school, or of old sales
    assert _one(_column("d1:timestamp"), cohort).mask is MaskKind.DATE
    assert _one(_column("d1:timestamp"), Evidence(2000, 2000, 300, 10, 10.0, {}, years=2)).mask is MaskKind.KEEP


@pytest.mark.parametrize(
    "said", ["x17", "x17:integer", "x17:numeric", "x17:jsonb", "x17:bytea", "x17:inet", "x17:macaddr", "name", "value"]
)
def test_unknown_is_never_kept(said: str) -> None:
    evidence = Evidence(2000, 2000, 1900, 12, 8.0, {"code": 1.0})
    assert _one(_column(said), evidence).mask is not MaskKind.KEEP
    unique = SourceTable(T, T, (_column("id:integer", key=True), _column(said)), uniques=((_column(said).name,),))
    assert propose(Catalogue((unique,)), Policy(), {})[T][_column(said).name].mask is not MaskKind.KEEP


T = TableName("public", "things")


def _one(column: SourceColumn, evidence: Evidence) -> Decision:
    table = SourceTable(T, T, (_column("id:integer", key=True), column), primary_key=("id",), uniques=(("id",),))
    return propose(Catalogue((table,)), Policy(), {(T, column.name): evidence})[T][column.name]


def test_every_proposal_passes_the_check_and_can_be_built() -> None:
    for table, _secret, _harmless in _tables():
        catalogue = Catalogue((table,))
        proposals = propose(catalogue, Policy(), {})
        policy = Policy({table.name.name: TablePolicy(proposals[table.name])})
        assert [str(finding) for finding in check(policy, catalogue, {}) if finding.stops] == []
        select = masked_select(policy, table, components(catalogue, policy))
        assert len(select.columns) == len(table.columns)


def test_notes_stay_notes_though_many_hold_an_address() -> None:
    mails = Evidence(2000, 2000, 1900, 60, 30.0, {"email": 0.9, "email_inside": 0.9})
    assert _one(_column("note"), mails).mask is MaskKind.TEXT


def test_what_an_order_says_of_its_customer_is_that_customers() -> None:
    people, orders = TableName("public", "customers"), TableName("public", "orders")
    customers = SourceTable(people, people, (_column("id:integer", key=True), _column("email")), primary_key=("id",))
    table = SourceTable(
        orders, orders, (_column("id:integer", key=True), _column("customer_id:integer", key=True), _column("email"),
                         _column("agent_id:integer")),
        primary_key=("id",),
    )  # fmt: skip
    key = ForeignKey(orders, ("customer_id",), people, ("id",))
    proposals = propose(Catalogue((customers, table), (key,)), Policy(), {})
    assert proposals[people]["email"].subject == "id"
    assert proposals[orders]["email"].subject == "customer_id"
    second = ForeignKey(orders, ("agent_id",), people, ("id",))  # whose of the two nobody knows
    assert propose(Catalogue((customers, table), (key, second)), Policy(), {})[orders]["email"].subject == "id"


def test_a_number_of_a_person_that_is_a_key_is_permuted() -> None:
    number = _column("card_number:bigint", key=True)
    table = SourceTable(T, T, (number,), primary_key=("card_number",), uniques=(("card_number",),))
    assert propose(Catalogue((table,)), Policy(), {})[T]["card_number"].mask is MaskKind.PERMUTE


@pytest.mark.parametrize("name", ["order_count", "num_items", "anzahl", "visits", "qty_on_hand", "cnt", "items_count"])
def test_counts_are_kept_as_counts(name: str) -> None:
    assert _one(_column(f"{name}:integer"), Evidence(2000, 2000, 300, 3, 2.0)).why == "a count"


@pytest.mark.parametrize("name", ["phone_us", "num_secu", "x_ms"])
def test_a_number_that_is_a_person_s_is_no_measure_whatever_its_name(name: str) -> None:
    cards = Evidence(2000, 2000, 1900, 16, 16.0, {"card": 1.0, "digits": 1.0})
    assert _one(_column(f"{name}:bigint"), cards).mask is MaskKind.CARD


@pytest.mark.parametrize("name", ["num_pass", "n_points", "visits", "version", "status"])
def test_long_numbers_that_all_differ_are_no_counts(name: str) -> None:
    numbers = Evidence(2000, 2000, 1990, 9, 9.0, {"digits": 1.0})
    assert _one(_column(f"{name}:integer"), numbers).mask is not MaskKind.KEEP


def test_names_in_a_short_list_are_kept_unless_they_may_be_peoples() -> None:
    kinds, things = TableName("public", "kinds"), TableName("public", "things")
    listed = SourceTable(kinds, kinds, (_column("id:integer", key=True), _column("name")), primary_key=("id",), rows=16)
    table = SourceTable(things, things, (_column("id:integer", key=True), _column("kind_id:integer")))
    catalogue = Catalogue((listed, table), (ForeignKey(things, ("kind_id",), kinds, ("id",)),))

    def mask(shapes: dict[str, float], rows: int = 16) -> MaskKind:
        evidence = Evidence(rows, rows, rows, 12, 8.0, shapes)
        return propose(catalogue, Policy(), {(kinds, "name"): evidence})[kinds]["name"].mask

    assert mask({"words": 1.0}) is MaskKind.KEEP
    for shapes, rows in (({"known_name": 0.1}, 16), ({"person": 0.5}, 16), ({"words": 1.0}, 500)):
        assert mask(shapes, rows) is not MaskKind.KEEP
