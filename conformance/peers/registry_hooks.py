"""Gets schemathesis past a registry's authentication: DPoP proofs for what it asks, and signed statements to ask it with.

BANDPASS_REGISTRY: JSON { address,
                          operator_key,
                          bands,              thumbprints of enrolled bands
                          access_token,       of `owner`
                          owner, phone, band, stranger }  private JWKs; band and phone are those of a pairing
"""

import json
import os
import random
import time
import uuid
from base64 import urlsafe_b64encode
from hashlib import sha256

import jwt
import requests
import schemathesis
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from jwt.algorithms import ECAlgorithm

registry = json.loads(os.environ["BANDPASS_REGISTRY"])
keys = {name: registry[name] for name in ("owner", "phone", "band", "stranger")}
address = registry["address"]
choose = random.Random(5)


def base64url(data):
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def public(key):
    return {name: value for name, value in key.items() if name != "d"}


def thumbprint(key):
    members = {name: key[name] for name in ("crv", "kty", "x", "y")}
    return base64url(sha256(json.dumps(members, separators=(",", ":")).encode()).digest())


def signed(key, typ, payload, **header):
    return jwt.encode(
        payload, jwt.PyJWK(key).key, algorithm="ES256", headers={"typ": typ, "jwk": public(key), **header}
    )


def headers_for(who, method, path, access_token=None):
    payload = {"htm": method, "htu": address + path, "iat": int(time.time()), "jti": str(uuid.uuid4())}
    headers = {}
    if access_token:
        headers["Authorization"] = f"DPoP {access_token}"
        payload["ath"] = base64url(sha256(access_token.encode()).digest())
    headers["DPoP"] = signed(keys[who], "dpop+jwt", payload)
    return headers


def offered():
    """A pre-authorized code."""
    path = f"/v1/bands/{thumbprint(keys['band'])}/offer"
    offer = requests.post(address + path, headers=headers_for("phone", "POST", path), timeout=10)
    [grant] = offer.json()["credential_offer"]["grants"].values()
    return grant["pre-authorized_code"]


def taken_up():
    """An access token for credentials, asked for before the band is lost on the way."""
    grant = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
    form = {"grant_type": grant, "pre-authorized_code": offered()}
    headers = headers_for("phone", "POST", "/token")
    return requests.post(address + "/token", headers=headers, data=form, timeout=10).json()["access_token"]


credential_token = taken_up()
# Of openings, the newest last.
nonces = ["none"]


def fresh():
    return ECAlgorithm.to_jwk(generate_private_key(SECP256R1()), as_dict=True)


def statement(role, typ, nonce, attested=None):
    """What a band or a phone says; often something in it is wrong."""
    other = {"band": "phone", "phone": "band"}[role]
    payload = {
        "role": role,
        "aud": address,
        "iat": int(time.time()),
        "exp": int(time.time()) + 300,
        "names": thumbprint(keys[choose.choice([other, other, "owner", "stranger"])]),
        "nonce": nonce,
        "epoch": choose.choice([1, 1, 2, 3]),
        "attested_keys": [public(attested or fresh())],
    }
    if choose.random() < 0.5:
        name = choose.choice(list(payload))
        payload[name] = choose.choice([None, True, -1, 2**64, 1.5, "", "\0", "é" * 300, [], [{}], {"kty": "EC"}])
    return signed(keys[choose.choice([role, role, role, "stranger"])], typ, payload)


def with_statements(body):
    """The same body, with statements where it has such."""
    if not isinstance(body, dict):
        return body
    nonce = nonces[-1]
    if "proofs" in body:
        nonce = requests.post(address + "/nonce", timeout=10).json()["c_nonce"]
    made = {
        "phone": lambda: statement("phone", "bandpass-pairing+jwt", nonce),
        "band": lambda: statement("band", "bandpass-pairing+jwt", nonce),
        "proof": lambda: statement("band", "bandpass-pairing+jwt", nonce),
        "phone_key_attestation": lambda: statement("phone", "key-attestation+jwt", nonce),
        "proofs": lambda: {"jwt": [key_proof(nonce)]},
        "credential_configuration_id": lambda: "band",
        "grant_type": lambda: "urn:ietf:params:oauth:grant-type:pre-authorized_code",
        "pre-authorized_code": offered_or_not,
    }
    return {name: made[name]() if name in made else value for name, value in body.items()}


def offered_or_not():
    try:
        return offered()
    except KeyError:
        # The band is lost, or its pairing is no more.
        return "none"


def key_proof(nonce):
    key = fresh()
    attestation = statement("band", "key-attestation+jwt", nonce, key)
    proof = {"aud": address, "iat": int(time.time()), "nonce": nonce}
    return signed(key, "openid4vci-proof+jwt", proof, key_attestation=attestation)


@schemathesis.hook
def before_call(_context, case, _kwargs):
    # What is wrong by design stays so.
    if case.meta is None or case.meta.generation.mode.is_positive:
        if "band" in case.path_parameters and choose.random() < 0.9:
            case.path_parameters["band"] = choose.choice(registry["bands"])
        if choose.random() < 0.7:
            case.body = with_statements(case.body)
    path = case.formatted_path
    if path == "/v1/accounts":
        case.headers["Authorization"] = f"Bearer {registry['operator_key']}"
    elif path == "/credential":
        case.headers.update(headers_for("phone", case.method, path, credential_token))
    elif path == "/token":
        case.headers.update(headers_for("phone", case.method, path))
    else:
        who = choose.choice(["phone" if path.endswith("/offer") else "owner", "owner", "phone", "stranger"])
        token = registry["access_token"] if who == "owner" else None
        case.headers.update(headers_for(who, case.method, path, token))


@schemathesis.hook
def after_call(_context, case, response):
    if response.status_code == 200 and case.path.endswith(("/open", "/change-phone")):
        nonces.append(response.json()["nonce"])
