"""What values may look like, as conditions of SQL on a value ``v``, whose spaces at both ends are taken off.

Letters are what is neither space, digit nor punctuation: a server's classes know only ASCII under some locales.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

_L = r"[^[:space:]0-9!-&(-,/:-@\[-`{-~]"  # a letter of any script, or one of ' - .
_U = r"[^[:space:]0-9!-/:-@\[-`a-z{-~]"  # such a letter, but no small one of ASCII
_MAIL = r"[[:alnum:]._%+-]+@[[:alnum:]-]+(\.[[:alnum:]-]+)*\.[[:alpha:]]{2,}"
_BARE = r"regexp_replace(v, '[^0-9]', '', 'g')"
_COMPACT = r"regexp_replace(v, '[ -]', '', 'g')"
_DATE = (
    r"v ~ '^[0-9]{4}[-/][0-9]{2}[-/][0-9]{2}' OR v ~ '^[0-9]{1,2}[./-][0-9]{1,2}[./-][0-9]{4}'"
    r" OR v ~* '^([a-z]{3,9}[. ]+[0-9]{1,2},? |[0-9]{1,2}[. -]+[a-z]{3,9}[. -]+)(19|20)[0-9]{2}$'"
    r" OR v ~ '^(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])$'"
    r" OR v ~* '^[0-9]{1,2}[ -](jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[ -][0-9]{2}$'"
)

YEAR = (  # of two digits: the last such year
    "coalesce(substring(v from '(?:19|20)[0-9]{2}'), CASE WHEN v ~ '[0-9]{2}$' THEN CASE WHEN '20' || right(v, 2) >"
    " extract(year FROM current_date)::text THEN '19' ELSE '20' END || right(v, 2) END)::int"
)

# Given as one number with signs between its groups, or begun as dialled: with + or 0 or a bracket.
_PHONE = (
    r"v ~* '^(tel[.:]* ?|phone:? ?)?[+(]?[0-9][0-9 ()./-]{5,20}[0-9]( ?(x|ext\.?) ?[0-9]+)?$'"
    rf" AND length({_BARE}) BETWEEN 7 AND 17 AND v !~ '^[0-9]+\.[0-9]+$' AND v !~ '^97[89][- ]'"
    rf" AND v !~ '^[0-9]{{1,3}}(\.[0-9]{{3}})+$' AND NOT ({_DATE})"
    r" AND (v ~ '[^0-9]' OR v ~ '^0[1-9][0-9]{8,10}$')"
    r" AND (v ~* '^(tel[.:]* ?|phone:? ?)?([+(]|0[0-9(])' OR v ~ '^[0-9]{3}[ .-][0-9]{4}$'"
    rf" OR length({_BARE}) > 8 AND v ~ '^[0-9]{{1,4}}[ )./-]+[0-9]{{2,4}}[ ./-]+[0-9]{{2}}')"
)
_LUHN = (
    r"(SELECT sum(CASE WHEN o % 2 = 1 THEN d ELSE d * 2 - CASE WHEN d > 4 THEN 9 ELSE 0 END END) % 10 = 0"
    r" FROM (SELECT c::int AS d, row_number() OVER (ORDER BY p DESC) AS o"
    rf" FROM unnest(string_to_array({_BARE}, NULL)) WITH ORDINALITY x(c, p)) y)"
)


def _weighed(weights: str, modulus: int) -> str:
    """Return a sum of a number's digits by their weights, modulo something."""
    return (
        f"(SELECT sum(c::int * w) % {modulus} FROM unnest(string_to_array({_BARE}, NULL),"
        f" ARRAY[{weights}]) x(c, w) WHERE w IS NOT NULL)"
    )


_GERMAN = (  # ISO 7064, mod 11, 10
    "(WITH RECURSIVE r(i, p) AS (SELECT 0, 10 UNION ALL SELECT i + 1,"
    f" ((substr({_BARE}, i + 1, 1)::int + p + 9) % 10 + 1) * 2 % 11 FROM r WHERE i < 10)"
    f" SELECT (11 - p) % 10 = right({_BARE}, 1)::int FROM r WHERE i = 10)"
)
# CASE, because only that promises the order: arithmetic is done where the form is right.
_NATIONAL_IDS = (
    "CASE"
    r" WHEN v ~ '^[0-9]{3}-[0-9]{2}-[0-9]{4}$' THEN true"  # United States
    r" WHEN v ~* '^[a-ceghj-pr-tw-z]{2} ?([0-9]{2} ?){3}[a-d]$' THEN true"  # United Kingdom
    r" WHEN v ~* '^[0-9]{8}-?[a-z]$' THEN substr('TRWAGMYFPDXBNJZSQVHLCKE', left(v, 8)::int % 23 + 1, 1)"
    r" = upper(right(v, 1))"  # Spain
    rf" WHEN {_COMPACT} ~ '^[12][0-9]{{14}}$' THEN 97 - left({_BARE}, 13)::bigint % 97 = right({_BARE}, 2)::int"
    rf" AND substr({_BARE}, 4, 2)::int BETWEEN 1 AND 12"  # France
    r" WHEN v ~* '^[a-z]{6}[0-9]{2}[abcdehlmprst][0-9]{2}[a-z][0-9]{3}[a-z]$' THEN true"  # Italy
    r" WHEN v ~ '^[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}$' THEN true"  # Brazil
    r" WHEN v ~ '^756\.[0-9]{4}\.[0-9]{4}\.[0-9]{2}$' THEN true"  # Switzerland
    r" WHEN v ~ '^[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2}$' THEN true"  # Belgium
    r" WHEN v ~* '^[0-3][0-9][01][0-9]{3}[-+a][0-9]{3}[0-9a-y]$' THEN true"  # Finland
    r" WHEN v ~ '^([0-9]{2})?[0-9]{2}[01][0-9][0-3][0-9][-+][0-9]{4}$'"
    rf" OR v ~ '^[0-3][0-9][01][0-9]{{3}}[- ][0-9]{{4,5}}$' THEN true"  # Sweden, Denmark, Norway
    r" WHEN v ~ '^[0-9]{6}/[0-9]{3,4}$' THEN true"  # Czechia, Slovakia
    r" WHEN v ~ '^[0-9]{6}-[1-8][0-9]{6}$' THEN true"  # Korea
    r" WHEN v ~* '^[1-9][0-9]{5}(19|20)[0-9]{2}[01][0-9][0-3][0-9]{4}[0-9x]$' THEN true"  # China
    r" WHEN v ~* '^[a-z]{5}[0-9]{4}[a-z]$' THEN true"  # India, tax
    r" WHEN v ~ '^[2-9][0-9]{3} [0-9]{4} [0-9]{4}$' THEN true"  # India, person
    rf" WHEN {_COMPACT} ~ '^[0-9]{{11}}$' THEN ({_weighed('1,3,7,9,1,3,7,9,1,3,1', 10)} = 0"
    rf" AND substr({_BARE}, 3, 2)::int % 20 BETWEEN 1 AND 12)"  # Poland
    rf" OR (left({_BARE}, 1) <> '0' AND {_GERMAN})"
    rf" OR ({_weighed('10,9,8,7,6,5,4,3,2', 11)} * 10 % 11 % 10 = substr({_BARE}, 10, 1)::int"
    rf" AND {_weighed('11,10,9,8,7,6,5,4,3,2', 11)} * 10 % 11 % 10 = right({_BARE}, 1)::int)"  # Brazil
    rf" WHEN v ~ '^[0-9]{{3}}[ -][0-9]{{3}}[ -][0-9]{{4}}$'"
    rf" THEN (11 - {_weighed('10,9,8,7,6,5,4,3,2', 11)}) % 11 = right({_BARE}, 1)::int"  # England, patients
    rf" WHEN v ~ '^[0-9]{{9}}$' THEN {_weighed('9,8,7,6,5,4,3,2,-1', 11)} = 0"  # Netherlands
    rf" WHEN v ~ '^[0-9]{{3}}[ -][0-9]{{3}}[ -][0-9]{{3}}$' THEN {_LUHN}"  # Canada
    " ELSE false END"
)

_IBAN = (
    "CASE WHEN {i} ~ '^[A-Z]{{2}}[0-9]{{2}}[A-Z0-9]{{11,30}}$' THEN (SELECT string_agg(CASE WHEN c ~ '[0-9]' THEN c"
    " ELSE (ascii(c) - 55)::text END, '' ORDER BY o) FROM unnest(string_to_array(substr({i}, 5) || left({i}, 4), NULL))"
    " WITH ORDINALITY x(c, o))::numeric % 97 = 1 ELSE false END"
).format(i="regexp_replace(upper(v), ' ', '', 'g')")

# Four numbers below 32 are a version, unless they begin as private networks do.
_IP = (
    r"(v ~ '^((25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})\.){3}(25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})(/[0-9]+|:[0-9]+)?$'"
    r" AND v ~ '^10\.|(^|\.)(3[2-9]|[4-9][0-9]|[0-9]{3})(\.|$)')"
    r" OR (v ~* '^[0-9a-f:]+(%[a-z0-9]+)?(/[0-9]+)?$' AND (v ~ '::' AND v ~ '[0-9a-f]'"
    r" OR v ~* '^([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}'))"
)
# Parts of a street's name, and words beside it.
_STREET_PARTS = (
    "stra.{1,2}e|str\\.|weg|gasse|platz|allee|ring|damm|ufer|markt|chaussee|steig|straat|laan|plein|gracht|gata|gatan"
    "|vägen|veien|vej|gade|katu|kuja|tie [0-9]|polku|utca|utja|ulice|náměstí|улица|проспект|переулок|вулиця|οδός"
    "|λεωφόρος|đường|路|街|號|号|丁目|番地|로 ?[0-9]|길 ?[0-9]|شارع|רחוב"
)
_STREET_WORDS = (
    "street|st|road|rd|lane|ln|avenue|ave|av|drive|court|close|square|crescent|terrace|boulevard|blvd|bd|highway|rue"
    "|chemin|impasse|quai|place|allées|via|viale|piazza|corso|vicolo|largo|calle|c/|avda|avenida|paseo|plaza|camino"
    "|carrer|rua|travessa|praça|estrada|ulica|ul|aleja|al|os|tie|út|tér|sokak|sok|caddesi|cad|mahallesi|mah|postfach"
    "|p\\.? ?o\\.? ?box|ул|пр|вул|nagar|marg|jalan|jl|duong|phố"
)
_KEY_WORDS = (
    "(first|last|full|given|family|user|sur|maiden|display)?_?-?names?|e?-?mails?|phone|mobile|address|street|city|zip"
    "|postcode|birth_?-?(date|day)?|dob|ssn|iban|gender|passport|vorname|nachname|nom|prenom|nombre|apellidos?"
)
_SURNAMES = (  # endings by which surnames of some languages are told from words
    "ов|ова|єв|ев|ева|ский|ская|ський|ська|енко|όπουλος|οπούλου|ίδης|ίδου|άκης|άκη|άδης|ović|ević|ský|ská|wicz|wski"
    "|wska|wsky|oğlu|sdóttir|escu|shvili"
)
_FIRST_WORD = "translate(split_part(translate(v, ',/', '  '), ' ', 1), '.', '')"
_LAST_WORD = "reverse(split_part(reverse(v), ' ', 1))"
_HANDLE = "regexp_replace(lower(v), '[0-9_.-]+$', '')"
_PARTED = f"translate({_HANDLE}, '_-', '..')"


def _plain(words: str, everywhere: bool) -> str:
    """Return words that a server's encoding can spell: all, or those of ASCII."""
    return words if everywhere else "|".join(word for word in words.split("|") if word.isascii())


def _known(*texts: str) -> str:
    """Say whether one of some texts is a known name: as one subplan, which is hashed once."""
    return f"(SELECT bool_or(t IN (SELECT n FROM known)) FROM unnest(ARRAY[{', '.join(texts)}]) t)"


# What is cheap to ask first. A server takes a regular expression for as cheap as the length of a text.
_FIRST = {
    "email": "length(v) < 120 AND strpos(v, '@') > 0", "email_inside": "strpos(v, '@') > 0",
    "phone": "length(v) < 40", "phone_inside": "strpos(v, '+') > 0", "card": "length(v) BETWEEN 13 AND 23",
    "iban": "length(v) BETWEEN 15 AND 42", "national_id": "length(v) BETWEEN 8 AND 21", "ip": "length(v) < 50",
    "mac": "length(v) BETWEEN 14 AND 17", "street": "length(v) BETWEEN 6 AND 120", "person": "length(v) < 80",
    "words": "length(v) < 60", "titles": "length(v) < 60", "known_name": "length(v) < 80",
    "handle": "length(v) BETWEEN 4 AND 40", "date": "length(v) BETWEEN 8 AND 40", "birth": "length(v) BETWEEN 8 AND 40",
    "town": "length(v) < 60", "ten_digits": "length(v) = 10", "illness": "length(v) < 9",
    "degrees": "length(v) < 14", "keys": "strpos(v, '\"') > 0 OR strpos(v, '<') > 0", "code": "length(v) < 25",
}  # fmt: skip


@cache
def shapes(everywhere: bool) -> Mapping[str, str]:
    """Return the condition of every shape; with ``everywhere`` in words of all scripts."""
    streets, beside = _plain(_STREET_PARTS, everywhere), _plain(_STREET_WORDS, everywhere)
    tests = {
        "email": rf"v ~* '^(mailto:)?[^@]{{0,40}}<?{_MAIL}>?$' AND v !~ '[/=]'",
        "email_inside": f"v ~* '{_MAIL}'",
        "phone": _PHONE,
        "phone_inside": r"v ~ '[+][0-9]{1,3}[ -]?[(]?[0-9][0-9 ()/.-]{6,}'",
        "digits": r"v ~ '^[0-9]+$'",
        "card": rf"{_COMPACT} ~ '^[3-6][0-9]{{12,18}}$' AND {_LUHN}",
        "iban": _IBAN,
        "national_id": _NATIONAL_IDS,
        "ip": _IP,
        "mac": r"v ~* '^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$' OR v ~* '^([0-9a-f]{4}\.){2}[0-9a-f]{4}$'",
        "url": r"v ~* '^(https?|ftp)://' OR v ~* '^www\.'"
        r" OR v ~* '^/[^ ]*[?&](user|u?id|token|key|mail|email|session)='",
        "street": rf"v ~ '[0-9]' AND v !~ '^(/|https?:)' AND (v ~* '({streets})'"
        rf" OR v ~* '(^|[^[:alpha:]])({beside})([^[:alpha:]]|$)'"
        rf" OR v ~* '^[0-9]{{1,5}}[a-z]?,? +{_L}{{3,}} {_L}{{2,}}')",
        "person": rf"v ~ '^{_L}+,?( {_L}+){{1,3}}$'",
        "words": rf"v ~ '^{_L}{{2,}},?( {_L}+){{0,3}}$' AND lower(v) <> v"
        rf" OR v ~ '^[^ -~]+( [^ -~]+)?$'",
        "titles": rf"v ~ '^{_U}{_L}*,?( (de|da|di|del|la|van|von|der|bin|al)){{0,2}}"
        rf"( {_U}{_L}*){{1,3}}$'",
        "known_name": f"{_known(f'lower({_FIRST_WORD})', _FIRST_WORD, f'lower({_LAST_WORD})', 'v')}"
        rf" OR v ~* '({_plain(_SURNAMES, everywhere)})$'"
        rf" OR (v ~ '^[^ -~]{{2,5}}( [^ -~]{{1,4}})?$' AND {_known('left(v, 1)', 'left(v, 2)')})",
        "handle": r"v ~ '^@[A-Za-z0-9_.]{2,30}$' OR v !~ '[[:space:]]'"
        r" AND v ~ '[a-zA-Z]{4}' AND"
        r" (v ~ '^([A-Z]{5,}|[a-z]+)[0-9]+$' AND left(lower(v), 5) IN"
        " (SELECT left(n, 5) FROM known WHERE length(n) > 5)"
        f" OR (SELECT bool_or(t IN (SELECT n FROM known)) FROM unnest(ARRAY[{_HANDLE}, substr({_HANDLE}, 2),"
        f" left({_HANDLE}, -1), split_part({_PARTED}, '.', 1), split_part({_PARTED}, '.', 2)]) t WHERE length(t) > 3))",
        "date": _DATE,
        "birth": rf"({_DATE}) AND {YEAR} BETWEEN extract(year FROM current_date) - 105"
        " AND extract(year FROM current_date) - 14",
        "secret": r"v ~ '^\$(2[aby]|argon2|5|6|pbkdf2)' OR v ~ '^eyJ[A-Za-z0-9_-]+\.' OR v ~ '^(sk|pk|rk)_(live|test)_'"
        r" OR v ~ '^(ghp|gho|glpat|xox[abp])[_-]' OR v ~ '^(AKIA|ASIA)[A-Z0-9]{16}$' OR v ~ '^-----BEGIN'",
        "town": rf"v ~ '^([A-Z]{{1,2}}-)?[0-9]{{4,5}} {_U}{_L}+'",
        "ten_digits": "v ~ '^[2-9][0-9]{2}[2-9][0-9]{6}$' AND v !~ '^20[0-3]'",
        "place": r"v ~* '^(srid=[0-9]+;)?(multi)?(point|linestring|polygon) ?[zm]*[(]'"
        r" OR v ~* '^[0-9]{1,3}[^0-9 ]+.*[ns][ ,]+[0-9]{1,3}[^0-9 ]+.*[eow]$'"
        r" OR v ~ '^[(\[]?-?[0-9]{1,3}\.[0-9]{3,}[ ,;]+-?[0-9]{1,3}\.[0-9]{3,}[)\]]?$'",
        "illness": r"v ~ '^[A-TV-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?$'",
        "degrees": r"v ~ '^-?[0-9]{1,3}\.[0-9]{5,8}$'"
        " AND CASE WHEN length(v) < 14 THEN abs(v::numeric) BETWEEN 2 AND 180"
        " ELSE false END",
        "keys": f"v ~* '[\"<]({_KEY_WORDS})[\">]'",
        "sentence": rf"v ~ '({_L}{{2,}}[^[:space:]]*[[:space:]]+([^[:space:]]+[[:space:]]+)?){{3}}'",
        "code": r"v ~ '^[[:alnum:]_/+-]{1,24}$'",
    }
    return {shape: f"CASE WHEN {_FIRST.get(shape, 'true')} THEN {test} END" for shape, test in tests.items()}
