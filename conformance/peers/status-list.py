"""Token Status Lists (JWTs) made and read by PyPI's openvc-core, as status-list.mjs does by npm's libraries.

python status-list.py make     stdin: nothing. stdout: { libraries, cases: [ case ], refused: [ case with `code` ] }
python status-list.py check    stdin:  { cases: [ { name, format, token, issuer_jwk, uri, now, values } ] }
                               stdout: { libraries, results: [ { name, ok, error? } ] }, in the order of the cases

Cases are those of status-list.mjs. The library looks at signature, type, subject, iat and exp. The exit code is 0
whenever the work was done, whatever came out of it.
"""

import json
import secrets
import sys
import time
from importlib.metadata import version

from openvc.keys import P256SigningKey
from openvc.status.issue import build_status_list_token, verify_status_list_token
from openvc.status.token_status_list import decode_status_list, get_status, new_status_list, set_status

LIBRARIES = {"jwt": f"openvc-core {version('openvc-core')}"}
ISS = "https://issuer.example"
VCT = "https://credentials.example/identity"
HOUR = 3600


def make():
    issuer, stranger = P256SigningKey.generate("1"), P256SigningKey.generate("1")
    now = int(time.time())
    cases, refused = [], []

    def add(into, name, bits, values, code=None, key=issuer, subject=None, issued_at=now - 60, expires=now + HOUR):
        uri = f"{ISS}/status/py/{len(into)}"
        packed = new_status_list(len(values), bits=bits)
        for index, value in enumerate(values):
            set_status(packed, index, value, bits=bits)
        keys = [{**issuer.public_jwk(), "kid": "1"}]
        into.append({
            "name": f"jwt: {name}",
            **({"code": code} if code else {}),
            "format": "jwt",
            "trust": {
                "issuers": [{"iss": ISS, "jwks": {"keys": keys}, "vct": [VCT], "status_uris": [f"{ISS}/status/"]}]
            },
            "uri": uri,
            "token": build_status_list_token(
                signing_key=key, uri=subject or uri, status_list=packed, bits=bits, issued_at=issued_at,
                expires=expires, ttl=300, issuer=ISS,
            ),
            "now": now,
            "bits": bits,
            "values": [] if code else values,
        })

    for bits in (1, 2, 4, 8):
        add(cases, f"every value of {bits} bits", bits, list(range(2**bits)))
        for size in (1, 7, 8, 9, 1000, 20000):
            add(cases, f"{size} random values of {bits} bits", bits, [secrets.randbelow(2**bits) for _ in range(size)])
    few = [0, 1, 2, 3]
    add(refused, "signed by a key not in trust", 2, few, "status.signature", key=stranger)
    add(refused, "another list's", 2, few, "status.missing", subject=f"{ISS}/status/other")
    add(refused, "expired", 2, few, "status.stale", issued_at=now - 2 * HOUR, expires=now - HOUR)
    add(refused, "made a day ago", 2, few, "status.stale", issued_at=now - 24 * HOUR)
    return {"libraries": LIBRARIES, "cases": cases, "refused": refused}


def check(cases):
    results = []
    for case in cases:
        try:
            if case["format"] != "jwt":
                raise ValueError("the library reads JWTs alone")
            claims = verify_status_list_token(
                case["token"], public_key_jwk=case["issuer_jwk"], expected_uri=case["uri"], now=case["now"]
            )
            bits, packed = claims["status_list"]["bits"], decode_status_list(claims["status_list"]["lst"])
            for index, value in enumerate(case["values"]):
                found = get_status(packed, index, bits=bits)
                if found != value:
                    raise ValueError(f"{found} at {index}, not {value}")
            results.append({"name": case["name"], "ok": True})
        except Exception as error:
            results.append({"name": case["name"], "ok": False, "error": f"{type(error).__name__}: {error}"})
    return {"libraries": LIBRARIES, "results": results}


match sys.argv[1:]:
    case ["make"]:
        json.dump(make(), sys.stdout)
    case ["check"]:
        json.dump(check(json.load(sys.stdin)["cases"]), sys.stdout)
    case _:
        sys.exit("usage: python status-list.py make | check")
