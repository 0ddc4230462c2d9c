// Token Status Lists made and read by libraries that are not ours: JWTs by @sd-jwt/jwt-status-list and jose, CWTs by
// @owf/token-status-list. Set up with `npm ci`; no network after that.
//
// node status-list.mjs make     stdin: nothing. Keys and values are new in every run, `now` is the clock's. stdout:
//   { libraries: { jwt, cwt },
//     cases:   [ case ],                a verifier must accept these and read exactly `values`
//     refused: [ case with `code` ] }   the libraries made these too; a verifier must refuse each with that code
//   case: { name,
//           format,                     "jwt": `token` is a compact JWS; "cwt": base64url of a COSE_Sign1
//           trust: { issuers: [ { iss, jwks: { keys: [ JWK ] }, vct: [ string ], status_uris: [ string ] } ] },
//           uri, token, now,            where the list is to be had, the list, and when to judge it
//           bits, values }              of each index from 0 on; zeros may follow that fill the last byte
//
// node status-list.mjs check    stdin:  { cases: [ { name, format, token, issuer_jwk, uri, now, values } ] }
//                               stdout: { libraries, results: [ { name, ok, error? } ] }, in the order of the cases
//   Signature, type, subject, `iat` and `exp` are looked at by jose, of CWTs by this program with the library's help.
//
// The exit code is 0 whenever the work was done, whatever came out of it.

import { createPublicKey, randomInt, sign, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { json } from "node:stream/consumers";
import { CoseKey, ProtectedHeaders, Sign1, SignatureAlgorithm } from "@owf/cose";
import * as owf from "@owf/token-status-list";
import { createHeaderAndPayload, getListFromStatusListJWT, StatusList } from "@sd-jwt/jwt-status-list";
import { exportJWK, generateKeyPair, importJWK, jwtVerify, SignJWT } from "jose";

const { dependencies } = JSON.parse(readFileSync(new URL("package.json", import.meta.url)));
const named = (...names) => names.map((name) => `${name} ${dependencies[name]}`).join(" + ");
const libraries = { jwt: named("@sd-jwt/jwt-status-list", "jose"), cwt: named("@owf/token-status-list", "@owf/cose") };

const ISS = "https://issuer.example";
const VCT = "https://credentials.example/identity";
const HOUR = 3600;
// COSE header parameters (RFC 9052, RFC 9596).
const ALG = 1;
const KID = 4;
const TYP = 16;

const commands = { make, check: async () => check(await json(process.stdin)) };
const command = commands[process.argv[2]];
if (command) {
  console.log(JSON.stringify({ libraries, ...(await command()) }));
} else {
  console.error("usage: node status-list.mjs make | check");
  process.exitCode = 2;
}

async function make() {
  const [issuer, stranger] = await Promise.all([newKey("1"), newKey("1")]);
  const now = Math.floor(Date.now() / 1000);
  const cases = [];
  const refused = [];

  async function add(list, format, name, options = {}) {
    const { bits = 2, values = random(bits, 100), key = issuer, code, ...changes } = options;
    const uri = `${ISS}/status/${format}/${list.length}`;
    const claims = { sub: uri, iat: now - 60, exp: now + HOUR, ttl: 300, ...changes.claims };
    const encode = format === "jwt" ? statusListJwt : statusListCwt;
    list.push({
      name: `${format}: ${name}`,
      ...(code && { code }),
      format,
      trust: { issuers: [{ iss: ISS, jwks: { keys: [issuer.jwk] }, vct: [VCT], status_uris: [`${ISS}/status/`] }] },
      uri,
      token: await encode({ bits, values, key, claims, header: changes.header }),
      now,
      bits,
      values: list === cases ? values : [],
    });
  }

  for (const format of ["jwt", "cwt"]) {
    const valid = (name, options) => add(cases, format, name, options);
    const refuse = (code, name, options) => add(refused, format, name, { ...options, code });
    for (const bits of [1, 2, 4, 8]) {
      await valid(`every value of ${bits} bits`, { bits, values: [...new Array(2 ** bits).keys()] });
      for (const size of [1, 7, 8, 9, 1000, 65536]) {
        await valid(`${size} random values of ${bits} bits`, { bits, values: random(bits, size) });
      }
      await valid(`many values of ${bits} bits, all 0`, { bits, values: new Array(65536).fill(0) });
      await valid(`many values of ${bits} bits, all 1`, { bits, values: new Array(65536).fill(2 ** bits - 1) });
    }
    await refuse("status.signature", "signed by a key not in trust", { key: stranger });
    const typ = format === "jwt" ? "JWT" : "application/cwt";
    await refuse("status.type", "of another type", { header: { typ } });
    await refuse("status.missing", "another list's", { claims: { sub: `${ISS}/status/other` } });
    await refuse("status.stale", "expired", { claims: { iat: now - 2 * HOUR, exp: now - HOUR } });
    await refuse("status.stale", "made a day ago", { claims: { iat: now - 24 * HOUR } });
  }
  return { cases, refused };
}

function random(bits, size) {
  return Array.from({ length: size }, () => randomInt(2 ** bits));
}

async function newKey(kid) {
  const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
  return { privateKey, jwk: { ...(await exportJWK(publicKey)), kid }, privateJwk: await exportJWK(privateKey) };
}

async function statusListJwt({ bits, values, key, claims, header: changes }) {
  const given = { alg: "ES256", kid: key.jwk.kid };
  const { header, payload } = createHeaderAndPayload(new StatusList(values, bits), { ...claims }, given);
  return new SignJWT(payload).setProtectedHeader({ ...header, ...changes }).sign(key.privateKey);
}

async function statusListCwt({ bits, values, key, claims, header = {} }) {
  const list = new owf.StatusListCwt({
    payload: {
      subject: claims.sub,
      // With an aggregation URI: for one that isn't there the library writes `undefined`.
      statusList: new owf.StatusList(values, bits, `${ISS}/status`),
      issuedAt: new Date(claims.iat * 1000),
      expirationTime: new Date(claims.exp * 1000),
      timeToLive: claims.ttl,
    },
    protectedHeaders: ProtectedHeaders.create({
      protectedHeaders: new Map([
        [ALG, SignatureAlgorithm.ES256],
        [KID, Buffer.from(key.jwk.kid)],
        ...(header.typ ? [[TYP, header.typ]] : []),
      ]),
    }),
  });
  const signer = {
    sign: async ({ toBeSigned }) =>
      sign("sha256", toBeSigned, { key: key.privateJwk, format: "jwk", dsaEncoding: "ieee-p1363" }),
  };
  const options = { signingKey: CoseKey.fromJwk(key.privateJwk), algorithm: SignatureAlgorithm.ES256 };
  return Buffer.from(await list.signAndEncode(options, signer)).toString("base64url");
}

async function check({ cases }) {
  const results = [];
  for (const { name, values, ...given } of cases) {
    try {
      const list = await (given.format === "jwt" ? readJwt : readCwt)(given);
      const wrong = values.findIndex((value, index) => list.getStatus(index) !== value);
      if (wrong >= 0) throw new Error(`${list.getStatus(wrong)} at ${wrong}, not ${values[wrong]}`);
      results.push({ name, ok: true });
    } catch (error) {
      results.push({ name, ok: false, error: error.message });
    }
  }
  return { results };
}

async function readJwt({ token, issuer_jwk: jwk, uri, now }) {
  await jwtVerify(token, await importJWK(jwk, "ES256"), {
    algorithms: ["ES256"],
    typ: "statuslist+jwt",
    subject: uri,
    requiredClaims: ["iat", "exp"],
    currentDate: new Date(now * 1000),
  });
  return getListFromStatusListJWT(token);
}

async function readCwt({ token, issuer_jwk: jwk, uri, now }) {
  const bytes = Buffer.from(token, "base64url");
  const signed = Sign1.decode(bytes);
  const key = { key: createPublicKey({ key: jwk, format: "jwk" }), dsaEncoding: "ieee-p1363" };
  const verifier = { verify: async ({ sign1 }) => verify("sha256", sign1.toBeSigned, key, sign1.signature) };
  if (!(await signed.verifySignature({ key: CoseKey.fromJwk(jwk) }, verifier))) throw new Error("signature");
  const { payload, protectedHeaders } = owf.StatusListCwt.fromToken(bytes);
  if (protectedHeaders.headers.get(TYP) !== "application/statuslist+cwt") throw new Error("type");
  if (payload.subject !== uri) throw new Error("subject");
  if (payload.issuedAt > now * 1000 || !(payload.expirationTime > now * 1000)) throw new Error("time");
  return payload.statusList;
}
