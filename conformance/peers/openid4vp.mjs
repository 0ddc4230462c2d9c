// A wallet that is not ours: @openid4vc/openid4vp reads our requests and makes the responses, @sd-jwt/sd-jwt-vc the
// presentations, jose encrypts. Set up with `npm ci`; no network, for the program answers the library's fetches itself.
//
// node openid4vp.mjs    stdin:  { now,            seconds since 1970: the wallet's clock
//                                 root,           certificate that the wallet trusts, base64 of DER
//                                 credential,     SD-JWT VC with every disclosure
//                                 band, phone,    private JWKs of the credential's holder and of the phone
//                                 cases: [ case ] }
//   case: { name,
//           link,              what opens the wallet, or
//           dc_api, origin,    { protocol, data } as given to the browser, and the origin of the page that did
//           request_object,    what the `request_uri` of the link gives
//           wallet_nonce,      that the wallet posts there
//           enc }              the content encryption that the wallet knows
//                       stdout: { library, answers: [ { name,
//                                   client,     the client as the wallet knows it
//                                   fetched,    [ method, URL ] of the Request Object
//                                   posted,     [ URL, body ] to the `response_uri`, or
//                                   data,       what the Digital Credentials API returns
//                                   error } ] } why the wallet does not answer; an error response is sent then
//
// The exit code is 0 whenever the work was done, whatever came out of it.

import { createHash, randomUUID, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { json } from "node:stream/consumers";
import { mock } from "node:test";
import { Openid4vpClient } from "@openid4vc/openid4vp";
import { digest, ES256 } from "@sd-jwt/crypto-nodejs";
import { SDJwtVcInstance } from "@sd-jwt/sd-jwt-vc";
import { base64url, calculateJwkThumbprint, CompactEncrypt, compactVerify, importJWK, SignJWT } from "jose";

const NAME = "@openid4vc/openid4vp";
const { dependencies } = JSON.parse(readFileSync(new URL("package.json", import.meta.url)));

const callbacks = {
  hash: (data, algorithm) => digest(data, algorithm),
  verifyJwt: async (signer, { compact }) => {
    if (signer.method !== "x5c" || signer.alg !== "ES256") throw new Error("not signed with a certificate");
    const chain = [...signer.x5c.map((der) => new X509Certificate(Buffer.from(der, "base64"))), trusted];
    chain.forEach((certificate, place) => {
      const issuer = chain[place + 1] ?? trusted;
      if (!certificate.checkIssued(issuer) || !certificate.verify(issuer.publicKey)) throw new Error("no chain");
      if (Date.parse(certificate.validTo) < Date.now()) throw new Error("a certificate has expired");
    });
    await compactVerify(compact, chain[0].publicKey, { algorithms: ["ES256"] });
    return { verified: true, signerJwk: chain[0].publicKey.export({ format: "jwk" }) };
  },
  getX509CertificateMetadata: (der) => {
    const names = new X509Certificate(Buffer.from(der, "base64")).subjectAltName?.split(", ") ?? [];
    const of = (type) => names.filter((name) => name.startsWith(type)).map((name) => name.slice(type.length));
    return { sanDnsNames: of("DNS:"), sanUriNames: of("URI:") };
  },
  encryptJwe: async ({ publicJwk, apu, apv, alg, enc }, data) => {
    const jwe = await new CompactEncrypt(new TextEncoder().encode(data))
      .setProtectedHeader({ alg, enc, kid: publicJwk.kid })
      .setKeyManagementParameters({ apu: base64url.decode(apu), apv: base64url.decode(apv) })
      .encrypt(await importJWK(publicJwk, alg));
    return { jwe, encryptionJwk: publicJwk };
  },
};

const { now, root, credential, band, phone, cases } = await json(process.stdin);
mock.timers.enable({ apis: ["Date"], now: now * 1000 });
const trusted = new X509Certificate(Buffer.from(root, "base64"));
const answers = [];
let counter = 0;
for (const one of cases) answers.push({ name: one.name, ...(await answer(one)) });
console.log(JSON.stringify({ library: `${NAME} ${dependencies[NAME]}`, answers }));

async function answer({ link, dc_api: dcApi, origin, request_object: requestObject, wallet_nonce: nonce, enc }) {
  const result = {};
  const wallet = new Openid4vpClient({
    callbacks: {
      ...callbacks,
      fetch: async (url, { method, body }) => {
        if (requestObject && !result.fetched) {
          result.fetched = [method, String(url)];
          return new Response(requestObject, { headers: { "content-type": "application/oauth-authz-req+jwt" } });
        }
        result.posted = [String(url), String(body)];
        return Response.json({});
      },
    },
  });
  const metadata = {
    authorization_encryption_alg_values_supported: ["ECDH-ES"],
    authorization_encryption_enc_values_supported: [enc],
  };
  let payload;
  let response;
  try {
    const { params } = wallet.parseOpenid4vpAuthorizationRequest({ authorizationRequest: dcApi?.data ?? link });
    // For an error, should there be one: the library tells nothing of a request that it refuses.
    payload = requestObject ? unverified(requestObject) : params;
    const resolved = await wallet.resolveOpenId4vpAuthorizationRequest({
      authorizationRequestPayload: params,
      origin,
      wallet: nonce && { expectedNonce: nonce, nonce, metadata },
    });
    payload = resolved.authorizationRequestPayload;
    result.client = resolved.client.effective;
    // The audience is the origin whoever signed the request, which the library does not say.
    const audience = origin ? `origin:${origin}` : resolved.client.effective;
    const encrypted = payload.response_mode.endsWith(".jwt");
    response = await wallet.createOpenid4vpAuthorizationResponse({
      authorizationRequestPayload: payload,
      authorizationResponsePayload: { vp_token: await vpToken(resolved, audience) },
      origin,
      ...(encrypted && { jarm: { serverMetadata: metadata, encryption: { nonce: randomUUID() } } }),
    });
  } catch (error) {
    const protocol = error.errorResponse ?? { error: "invalid_request", error_description: error.message };
    result.error = protocol.error_description;
    response = { authorizationResponsePayload: { ...protocol, state: payload?.state } };
  }
  const { authorizationResponsePayload, jarm } = response;
  if (dcApi) {
    result.data = jarm ? { response: jarm.responseJwt } : authorizationResponsePayload;
  } else {
    await wallet.submitOpenid4vpAuthorizationResponse({
      authorizationRequestPayload: payload,
      authorizationResponsePayload,
      jarm,
    });
  }
  return result;
}

// What was asked for, disclosed by the band and approved on the phone (band profile).
async function vpToken({ dcql, transactionData = [], authorizationRequestPayload }, audience) {
  const [query] = dcql.query.credentials;
  const claims = {
    iat: now,
    aud: audience,
    nonce: authorizationRequestPayload.nonce,
    jti: randomUUID(),
    ...(transactionData.length > 0 && {
      transaction_data_hashes: transactionData.map(({ encoded }) =>
        createHash("sha256").update(encoded).digest("base64url"),
      ),
      transaction_data_hashes_alg: "sha-256",
    }),
  };
  const { d, ...phoneJwk } = phone;
  const approval = await new SignJWT({ ...claims, band_jkt: await calculateJwkThumbprint(band), amr: ["face"] })
    .setProtectedHeader({ typ: "band-approval+jwt", alg: "ES256", jwk: phoneJwk })
    .sign(await importJWK(phone, "ES256"));
  const sd = new SDJwtVcInstance({ hasher: digest, kbSigner: await ES256.getSigner(band), kbSignAlg: "ES256" });
  const disclosed = Object.fromEntries(query.claims.map(({ path: [name] }) => [name, true]));
  const worn = Math.floor((now - 3600) / 60) * 60;
  counter += 1;
  const evidence = { counter, worn_since: worn, unlocked_at: worn };
  const kb = { payload: { ...claims, approval, band: evidence } };
  return { [query.id]: [await sd.present(credential, disclosed, { kb })] };
}

function unverified(jwt) {
  return JSON.parse(Buffer.from(jwt.split(".")[1], "base64url"));
}
