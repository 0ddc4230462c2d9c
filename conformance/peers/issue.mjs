// A phone's wallet that is not ours: @openid4vc/openid4vci takes an offer of credentials up at a running registry, and
// @sd-jwt/sd-jwt-vc reads what comes. Set up with `npm ci`.
//
// node issue.mjs        stdin:  { offer,          credential offer: `openid-credential-offer://...`
//                                 band, phone,    private JWKs of the devices
//                                 epoch,          of their pairing
//                                 count }         how many credentials are wanted
//                       stdout: { library,
//                                 issuer,         the issuer's metadata as the wallet understands them
//                                 batch: [ { credential,
//                                            claims,         with every disclosure
//                                            band, phone } ] private JWKs of the keys that it is bound to
//                                 again }         why the offer is not to be had a second time
//
// Beyond the standard are `role`, `aud`, `names` and `epoch` in key attestations, and `phone_key_attestation`.

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { json } from "node:stream/consumers";
import { calculateJwkThumbprint as thumbprint, clientAuthenticationAnonymous } from "@openid4vc/oauth2";
import { Openid4vciClient, Openid4vciWalletProvider, setGlobalConfig } from "@openid4vc/openid4vci";
import { digest, ES256 } from "@sd-jwt/crypto-nodejs";
import { SDJwtVcInstance } from "@sd-jwt/sd-jwt-vc";
import { exportJWK, generateKeyPair, importJWK, SignJWT } from "jose";

const NAME = "@openid4vc/openid4vci";
const { dependencies } = JSON.parse(readFileSync(new URL("package.json", import.meta.url)));
// Tests speak HTTP.
setGlobalConfig({ allowInsecureUrls: true });

const keys = [];
const callbacks = {
  hash: (data, algorithm) => digest(data, algorithm),
  generateRandom: (length) => randomBytes(length),
  clientAuthentication: clientAuthenticationAnonymous(),
  signJwt: async ({ publicJwk }, { header, payload }) => {
    // The library has the name that drafts had; it reads both.
    const typ = header.typ === "keyattestation+jwt" ? "key-attestation+jwt" : header.typ;
    const key = keys.find(({ x, y }) => x === publicJwk.x && y === publicJwk.y);
    const jwt = await new SignJWT(payload).setProtectedHeader({ ...header, typ }).sign(await importJWK(key, "ES256"));
    return { jwt, signerJwk: publicJwk };
  },
};
const wallet = new Openid4vciClient({ callbacks });

const { offer, band, phone, epoch, count } = await json(process.stdin);
const credentialOffer = await wallet.resolveCredentialOffer(offer);
const issuerMetadata = await wallet.resolveIssuerMetadata(credentialOffer.credential_issuer);
const [credentialConfigurationId] = credentialOffer.credential_configuration_ids;
const dpop = { signer: signer(phone) };
const takeUp = () => wallet.retrievePreAuthorizedCodeAccessTokenFromOffer({ credentialOffer, issuerMetadata, dpop });
const { accessTokenResponse } = await takeUp();
const { c_nonce: nonce } = await wallet.requestNonce({ issuerMetadata });
const [bandKeys, phoneKeys] = [await batchKeys(), await batchKeys()];
const { jwt } = await wallet.createCredentialRequestJwtProof({
  issuerMetadata,
  credentialConfigurationId,
  signer: signer(bandKeys[0]),
  nonce,
  keyAttestationJwt: await attest("band", band, phone, bandKeys),
});
const { credentialResponse } = await wallet.retrieveCredentials({
  issuerMetadata,
  credentialConfigurationId,
  proofs: { jwt: [jwt] },
  additionalRequestPayload: { phone_key_attestation: await attest("phone", phone, band, phoneKeys) },
  accessToken: accessTokenResponse.access_token,
  dpop,
});
const again = await takeUp().catch(({ errorResponse }) => errorResponse);
const batch = [];
for (const [place, { credential }] of credentialResponse.credentials.entries()) {
  batch.push({ credential, claims: await read(credential), band: bandKeys[place], phone: phoneKeys[place] });
}
const { credentialIssuer, originalDraftVersion } = issuerMetadata;
const issuer = { ...credentialIssuer, version: originalDraftVersion };
console.log(JSON.stringify({ library: `${NAME} ${dependencies[NAME]}`, issuer, batch, again }));

function signer(key) {
  keys.push(key);
  const { d, ...publicJwk } = key;
  return { method: "jwk", alg: "ES256", publicJwk };
}

async function batchKeys() {
  const make = async () => exportJWK((await generateKeyPair("ES256", { extractable: true })).privateKey);
  return Promise.all(Array.from({ length: count }, make));
}

// What a device says of the keys that it made (OpenID4VCI 1.0, appendix D.1), and what the registry asks beyond that.
async function attest(role, device, other, batch) {
  const named = { hashAlgorithm: "sha-256", hashCallback: callbacks.hash, jwk: other };
  return new Openid4vciWalletProvider({ callbacks }).createKeyAttestationJwt({
    use: "proof_type.jwt",
    signer: signer(device),
    expiresAt: new Date(Date.now() + 300_000),
    nonce,
    attestedKeys: batch.map(({ d, ...publicJwk }) => publicJwk),
    additionalPayload: { role, aud: credentialOffer.credential_issuer, names: await thumbprint(named), epoch },
  });
}

// The issuer's keys are where SD-JWT VC has them.
async function read(credential) {
  const { jwks } = await (await fetch(`${credentialOffer.credential_issuer}/.well-known/jwt-vc-issuer`)).json();
  const sd = new SDJwtVcInstance({ hasher: digest, verifier: await ES256.getVerifier(jwks.keys[0]) });
  return (await sd.verify(credential)).payload;
}
