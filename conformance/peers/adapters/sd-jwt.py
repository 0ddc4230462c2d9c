"""Runs the vectors through PyPI's sd-jwt, with every check on that the library offers and none added to it.

The protocol is in ../../README.md. The library reads no clock and no status list.
"""

import json
import sys
from importlib.metadata import version

from jwcrypto.jwk import JWK, JWKSet
from sd_jwt.verifier import SDJWTVerifier


def verify(vector):
    """The claims, or an exception."""
    trust, token, expected = vector["trust"], vector["vp_token"], vector["expected"]

    def issuer_key(issuer, header):
        """Which keys to verify with is the caller's part: of the issuer that the token names, by `kid`."""
        kid = header.get("kid")
        keys = JWKSet()
        for entry in trust["issuers"]:
            for key in entry["jwks"]["keys"] if entry["iss"] == issuer else []:
                fits = key.get("kty") == "EC" and key.get("crv") == "P-256"
                if fits and (not kid or key.get("kid", kid) == kid):
                    keys.add(JWK(**key))
        if len(keys["keys"]) == 0:
            raise LookupError("the caller knows no such issuer or key")
        return keys if len(keys["keys"]) > 1 else next(iter(keys["keys"]))

    with_proof = expected.get("requirements", {}).get("holder") != "not-required" or not token.endswith("~")
    if not with_proof:
        return SDJWTVerifier(token, issuer_key).get_verified_payload()
    refusal = None
    # It takes one audience; any of these will do.
    for audience in expected["audience"]:
        try:
            return SDJWTVerifier(token, issuer_key, audience, expected["nonce"]).get_verified_payload()
        except Exception as error:
            refusal = refusal or error
    raise refusal


def main():
    print(json.dumps({"verifier": f"sd-jwt {version('sd-jwt')}"}))
    for line in sys.stdin:
        vector = json.loads(line)
        try:
            answer = {"result": "accepted", "claims": verify(vector)}
        # The library lets through whatever was raised below it.
        except Exception as error:
            answer = {"result": "refused", "error": f"{type(error).__name__}: {error}"}
        print(json.dumps({"name": vector["name"], **answer}))


main()
