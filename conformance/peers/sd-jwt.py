"""Tokens made and checked by PyPI's sd-jwt, the reference implementation of SD-JWT, as sd-jwt-vc.mjs does by npm's.

python sd-jwt.py make     stdin: nothing. stdout: { library, cases: [ case ], refused: [ case with `code` ] }
python sd-jwt.py check    stdin:  { cases: [ { name, token, issuer_jwk, audience, nonce, claims } ] }
                          stdout: { library, results: [ { name, ok, error? } ] }, in the order of the cases

Cases are those of sd-jwt-vc.mjs. The library looks at signatures, digests, the proof's `typ`, audience, nonce and
sd_hash; it reads no clock. The exit code is 0 whenever the work was done, whatever came out of it.
"""

import json
import secrets
import sys
import time
from hashlib import sha512
from importlib.metadata import version
from unittest.mock import patch

from jwcrypto.jwk import JWK
from sd_jwt.common import SDObj
from sd_jwt.disclosure import SDJWTDisclosure
from sd_jwt.holder import SDJWTHolder
from sd_jwt.issuer import SDJWTIssuer
from sd_jwt.verifier import SDJWTVerifier

LIBRARY = f"sd-jwt {version('sd-jwt')}"
ISS = "https://issuer.example"
VCT = "https://credentials.example/identity"
HOUR = 3600
DAY = 24 * HOUR


def new_key(kid):
    return JWK.generate(kty="EC", crv="P-256", kid=kid, use="sig")


class Sha512Issuer(SDJWTIssuer):
    HASH_ALG = {"name": "sha-512", "fn": sha512}


class SpoiltIssuer(SDJWTIssuer):
    """Changes the payload before it is signed."""

    def __init__(self, spoil, *arguments, **options):
        self.spoil = spoil
        super().__init__(*arguments, **options)

    def _assemble_sd_jwt_payload(self):
        super()._assemble_sd_jwt_payload()
        self.spoil(self)


class OtherHolder(SDJWTHolder):
    """Signs its proof at another time, or as another type of JWT."""

    def __init__(self, token, offset=0, typ=SDJWTHolder.KB_JWT_TYP_HEADER):
        super().__init__(token)
        self.offset = offset
        self.KB_JWT_TYP_HEADER = typ

    def _create_key_binding_jwt(self, *arguments):
        with patch("sd_jwt.holder.time", lambda: time.time() + self.offset):
            super()._create_key_binding_jwt(*arguments)


class EverythingHolder(SDJWTHolder):
    """Presents whatever disclosures there are."""

    def _select_disclosures(self, *_):
        self.hs_disclosures = self._input_disclosures


def make():
    issuer, holder, stranger = new_key("1"), new_key("2"), new_key("1")
    now = int(time.time())
    audience = "x509_san_dns:verifier.example"
    cases, refused = [], []

    def add(into, name, claims, expected=None, show=None, code=None, key=issuer, proof_key=holder, bound=True,
            typ="dc+sd-jwt", header=None, decoys=False, spoil=None, Issuer=None, Holder=SDJWTHolder, change=None,
            proof_audience=audience, proof_nonce=None, base=None):
        nonce = secrets.token_urlsafe(16)
        always = {"iss": ISS, "iat": now - HOUR, "exp": now + DAY, "vct": VCT} if base is None else base
        options = {
            "holder_key": holder if bound else None,
            "add_decoy_claims": decoys,
            "extra_header_parameters": {"typ": typ, "kid": "1", **(header or {})},
        }
        arguments = ({**always, **claims}, key)
        if spoil:
            made = SpoiltIssuer(spoil, *arguments, **options)
        else:
            made = (Issuer or SDJWTIssuer)(*arguments, **options)
        holding = Holder(made.sd_jwt_issuance)
        proof = (proof_nonce or nonce, proof_audience, proof_key) if bound else ()
        holding.create_presentation(True if show is None else show, *proof)
        token = holding.sd_jwt_presentation
        disclosed = {**always, **(expected if expected is not None else {})}
        if bound:
            disclosed["cnf"] = {"jwk": holder.export_public(as_dict=True)}
        into.append({
            "name": name,
            **({"code": code} if code else {}),
            "trust": {"issuers": [{"iss": ISS, "jwks": {"keys": [issuer.export_public(as_dict=True)]}, "vct": [VCT]}]},
            "token": change(token) if change else token,
            "audience": audience,
            "nonce": nonce,
            "now": now,
            "transaction_data": [],
            "holder_required": bound,
            "claims": {} if code else disclosed,
        })

    def valid(name, claims, expected, show=None, **options):
        add(cases, name, claims, expected, show, **options)

    def refuse(code, name, claims=None, **options):
        add(refused, name, claims or {}, code=code, **options)

    name = {SDObj("given_name"): "Ming", SDObj("family_name"): "Li", SDObj("email"): "ming@example.com"}
    disclosed_name = {"given_name": "Ming", "family_name": "Li", "email": "ming@example.com"}
    show_name = {"given_name": True, "family_name": True, "email": True}
    valid("flat, all disclosed", name, disclosed_name, show_name)
    valid("flat, some disclosed", name, {"given_name": "Ming"}, {"given_name": True})
    valid("flat, none disclosed", name, {}, {})
    valid("flat, decoys", name, disclosed_name, show_name, decoys=True)
    valid("without key binding", name, disclosed_name, show_name, bound=False)
    valid("nothing selectively disclosable", {"given_name": "Ming"}, {"given_name": "Ming"})

    address = {"street_address": "長安街1号", "locality": "北京", "country": "CN"}
    structured = {"address": {SDObj(key): value for key, value in address.items()}}
    valid("structured, all disclosed", structured, {"address": address}, {"address": dict.fromkeys(address, True)})
    valid("structured, some disclosed", structured, {"address": {"country": "CN"}}, {"address": {"country": True}})
    valid("structured, none disclosed", structured, {"address": {}}, {})
    valid("structured, decoys at every level", structured, {"address": {"locality": "北京"}},
          {"address": {"locality": True}}, decoys=True)
    recursive = {SDObj("address"): structured["address"]}
    valid("recursive, all disclosed", recursive, {"address": address}, {"address": dict.fromkeys(address, True)})
    valid("recursive, the parent alone", recursive, {"address": {}}, {"address": True})
    valid("recursive, none disclosed", recursive, {}, {})

    nationalities = {"nationalities": [SDObj("CN"), "DE", SDObj("FR")]}
    valid("array elements, all disclosed", nationalities, {"nationalities": ["CN", "DE", "FR"]},
          {"nationalities": [True, True, True]})
    valid("array elements, some disclosed", nationalities, {"nationalities": ["DE", "FR"]},
          {"nationalities": [False, False, True]})
    valid("array elements, none disclosed", nationalities, {"nationalities": ["DE"]}, {})
    valid("array elements, decoys beside them", {**nationalities, **name},
          {"nationalities": ["CN", "DE"], "email": "ming@example.com"},
          {"nationalities": [True, False, False], "email": True}, decoys=True)
    valid("array in array", {"rows": [SDObj([SDObj(1), SDObj(2)]), [SDObj(3)]]}, {"rows": [[2], [3]]},
          {"rows": [[False, True], [True]]})
    valid("objects in an array", {SDObj("cards"): [SDObj({SDObj("id"): 1, "kind": "a"}), SDObj({"id": 2})]},
          {"cards": [{"id": 1, "kind": "a"}]}, {"cards": [{"id": True}, False]})
    kinds = {"null": None, "no": False, "zero": 0, "less": -1.5, "text": "\"\\ ~ \u0001 😀", "empty": {}, "none": []}
    valid("every kind of value", {SDObj(key): value for key, value in kinds.items()}, kinds,
          {key: True for key in kinds} | {"empty": True})

    # From here on: what the library makes and RFC 9901 or SD-JWT VC say to refuse.
    def payload(**changes):
        return lambda made: made.sd_jwt_payload.update(changes)

    refuse("issuer.untrusted", "issuer not in trust", base={"iss": "https://other.example", "vct": VCT})
    refuse("issuer.untrusted", "key not in trust", header={"kid": "9"})
    refuse("issuer.type", "the library's own typ", typ="example+sd-jwt")
    refuse("issuer.signature", "signed by a key not in trust", key=stranger)
    refuse("disclosure.algorithm", "_sd_alg sha-512", name, show=show_name, Issuer=Sha512Issuer)
    refuse("disclosure.unreferenced", "disclosure that no digest refers to", name, Holder=EverythingHolder,
           spoil=lambda made: made.ii_disclosures.append(SDJWTDisclosure(made, "admin", True)))
    refuse("disclosure.reserved", "claim named ...", {SDObj("..."): 1}, show={"...": True})
    refuse("disclosure.reserved", "claim named _sd_alg", {SDObj("_sd_alg"): 1}, show={"_sd_alg": True})
    for claim, value in {"exp": now + DAY, "nbf": now - HOUR, "iss": ISS, "vct": VCT, "status": {}}.items():
        code = "issuer.untrusted" if claim == "iss" else "disclosure.forbidden"
        rest = {key: value for key, value in {"iss": ISS, "vct": VCT}.items() if key != claim}
        refuse(code, f"{claim} selectively disclosable", {SDObj(claim): value}, show={claim: True}, base=rest)
    refuse("disclosure.forbidden", "inside status", {"status": {SDObj("status_list"): {"idx": 1, "uri": ISS}}},
           show={"status": {"status_list": True}})
    refuse("disclosure.collision", "disclosed claim that is there already", {**name, "given_name": "Eve"},
           show=show_name)
    refuse("disclosure.duplicate", "the same digest twice", name, show=show_name,
           spoil=lambda made: made.sd_jwt_payload["_sd"].append(made.sd_jwt_payload["_sd"][0]))
    refuse("disclosure.digest", "_sd is a text", spoil=payload(_sd="digest"))
    refuse("disclosure.malformed", "element for a claim", {"list": [SDObj(1)]}, Holder=EverythingHolder,
           spoil=lambda made: made.sd_jwt_payload.update(_sd=[made.sd_jwt_payload.pop("list")[0]["..."]]))
    refuse("credential.claim", "no vct", base={"iss": ISS})
    refuse("credential.type", "another vct", base={"iss": ISS, "vct": "https://credentials.example/other"})
    refuse("credential.expired", "exp passed", base={"iss": ISS, "vct": VCT, "exp": now - DAY})
    refuse("credential.not-yet-valid", "nbf tomorrow", base={"iss": ISS, "vct": VCT, "nbf": now + DAY})
    refuse("holder.missing", "key binding stripped", name, show=show_name,
           change=lambda token: token[: token.rindex("~") + 1])
    refuse("holder.unbound", "no cnf", spoil=lambda made: made.sd_jwt_payload.pop("cnf"))
    refuse("holder.type", "proof of another typ", Holder=lambda token: OtherHolder(token, typ="JWT"))
    refuse("holder.signature", "proof by another key than cnf's", proof_key=stranger)
    refuse("holder.nonce", "proof for another nonce", proof_nonce="another")
    refuse("holder.audience", "proof for another audience", proof_audience="x509_san_dns:other.example")
    refuse("holder.stale", "proof a year old", Holder=lambda token: OtherHolder(token, offset=-365 * DAY))
    refuse("holder.future", "proof from tomorrow", Holder=lambda token: OtherHolder(token, offset=DAY))
    refuse("holder.hash", "disclosure taken away after the proof was signed", name, show=show_name,
           change=lambda token: "~".join(part for place, part in enumerate(token.split("~")) if place != 1))
    return {"library": LIBRARY, "cases": cases, "refused": refused}


def check(cases):
    results = []
    for case in cases:
        key = JWK(**case["issuer_jwk"])
        proof = (case["audience"], case["nonce"]) if case["nonce"] is not None else ()
        try:
            claims = SDJWTVerifier(case["token"], lambda issuer, header, key=key: key, *proof).get_verified_payload()
            same = claims == case["claims"]
            results.append({"name": case["name"], "ok": same, **({} if same else {"error": f"other claims: {claims}"})})
        except Exception as error:
            results.append({"name": case["name"], "ok": False, "error": f"{type(error).__name__}: {error}"})
    return {"library": LIBRARY, "results": results}


match sys.argv[1:]:
    case ["make"]:
        json.dump(make(), sys.stdout)
    case ["check"]:
        json.dump(check(json.load(sys.stdin)["cases"]), sys.stdout)
    case _:
        sys.exit("usage: python sd-jwt.py make | check")
