// Tokens made and checked by a library that is not ours: @sd-jwt/sd-jwt-vc. Set up with `npm ci`; no network after that.
//
// node sd-jwt-vc.mjs make      stdin: nothing. Keys, salts and nonces are new in every run, `now` is the clock's. stdout:
//   { library,
//     cases:   [ case ],                a verifier must accept these and read exactly `claims`
//     refused: [ case with `code` ] }   the library made these too; a verifier must refuse each with that code
//   case: { name,
//           trust: { issuers: [ { iss, jwks: { keys: [ JWK ] }, vct: [ string ] } ] },
//           token, audience, nonce, now,        what to verify, and the challenge and time to verify it against
//           transaction_data: [ base64url ],    OpenID4VP 1.0 entries as sent with the request, often none
//           holder_required,                    false: the token has no key binding and needs none
//           claims }                            the processed payload, no `_sd`, `_sd_alg` or `...`; {} in `refused`
//
// node sd-jwt-vc.mjs check     stdin:  { cases: [ { name, token, issuer_jwk, nonce, claims, now? } ] }
//                              stdout: { library, results: [ { name, ok, error? } ] }, in the order of the cases
//   `nonce` null: without key binding. `now`: seconds since 1970, else the clock's. The library looks at signatures, digests,
//   exp, nbf, iat and the proof's nonce and sd_hash; it reads no audience, no `typ` of the credential and no age of the proof,
//   and it is kept from fetching status lists.
//
// The exit code is 0 whenever the work was done, whatever came out of it.

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { json } from "node:stream/consumers";
import { isDeepStrictEqual } from "node:util";
import { KBJwt, SDJwtInstance } from "@sd-jwt/core";
import { digest, ES256, generateSalt } from "@sd-jwt/crypto-nodejs";
import { SDJwtVcInstance } from "@sd-jwt/sd-jwt-vc";
import { Disclosure } from "@sd-jwt/utils";

const NAME = "@sd-jwt/sd-jwt-vc";
const { dependencies } = JSON.parse(readFileSync(new URL("package.json", import.meta.url)));
const library = `${NAME} ${dependencies[NAME]}`;

const ISS = "https://issuer.example";
const VCT = "https://credentials.example/identity";
const HOUR = 3600;
const DAY = 24 * HOUR;

// The library would fetch the credential's status list.
class OfflineInstance extends SDJwtVcInstance {
  async verifyStatus() {}
}

const commands = { make, check: async () => check(await json(process.stdin)) };
const command = commands[process.argv[2]];
if (command) {
  console.log(JSON.stringify({ library, ...(await command()) }, null, 2));
} else {
  console.error("usage: node sd-jwt-vc.mjs make | check");
  process.exitCode = 2;
}

async function make() {
  const newKey = () => ES256.generateKeyPair();
  const [issuer, nextIssuer, holder, stranger] = await Promise.all([newKey(), newKey(), newKey(), newKey()]);
  const now = Math.floor(Date.now() / 1000);
  const audience = "x509_san_dns:verifier.example";
  const entry = (key, kid) => ({ ...publicPart(key.publicKey), kid, use: "sig", alg: "ES256" });
  const cases = [];
  const refused = [];

  // One case. `claims` are issued on top of the base ones with `frame` saying which are selectively disclosable, and the
  // claims that `show` names are presented: all when absent, none when {}. `token` makes the presentation otherwise.
  async function add(list, name, options) {
    const {
      claims = {}, frame, header, show, expected = claims, keys = [entry(issuer, "1")], data = [], kb = {},
      signer = issuer, holderSigner = holder, settings = {}, Library = SDJwtVcInstance, holderRequired = true, token, code,
    } = options;
    const nonce = randomBytes(16).toString("base64url");
    const sd = new Library({
      hasher: digest,
      saltGenerator: generateSalt,
      signer: await ES256.getSigner(signer.privateKey),
      signAlg: "ES256",
      kbSigner: await ES256.getSigner(holderSigner.privateKey),
      kbSignAlg: "ES256",
      ...settings,
    });
    // The holder's key is left as the library exports it, with `key_ops` and `ext`.
    const base = { iss: ISS, iat: now - HOUR, vct: VCT, ...(holderRequired && { cnf: { jwk: holder.publicKey } }) };
    const issued = await sd.issue({ ...base, ...claims }, frame, { header });
    const payload = { iat: now, aud: audience, nonce, ...kb };
    const proof = holderRequired ? { kb: { payload } } : undefined;
    // Key binding around the library's `present`, for what that would leave out.
    const bind = async (unbound, typ = "kb+jwt") => {
      const kbJwt = new KBJwt({ header: { typ, alg: "ES256" }, payload: { ...payload, sd_hash: hash(unbound) } });
      return unbound + (await kbJwt.sign(await ES256.getSigner(holder.privateKey)));
    };
    list.push({
      name,
      ...(code && { code }),
      trust: { issuers: [{ iss: ISS, jwks: { keys }, vct: [VCT] }] },
      token: await (token ? token({ sd, issued, proof, bind }) : sd.present(issued, show, proof)),
      audience,
      nonce,
      now,
      transaction_data: data,
      holder_required: holderRequired,
      claims: list === cases ? { ...base, ...expected } : {},
    });
  }
  const valid = (name, options) => add(cases, name, options);
  const refuse = (code, name, options) => add(refused, name, { ...options, code });

  const person = { given_name: "Ming", family_name: "Li", birthdate: "1990-02-28", email: "ming@example.com" };
  const flat = { claims: person, frame: { _sd: Object.keys(person) } };
  const address = {
    street_address: "1 Main St", locality: "Beijing", country: "CN",
    position: { latitude: 39.9042, longitude: 116.4074 },
  };
  const recursive = {
    claims: { address },
    frame: {
      _sd: ["address"],
      address: { _sd: ["street_address", "locality", "position"], position: { _sd: ["latitude", "longitude"] } },
    },
  };

  await valid("flat, all disclosed", flat);
  await valid("flat, some disclosed", {
    ...flat,
    show: { given_name: true, birthdate: true },
    expected: { given_name: "Ming", birthdate: "1990-02-28" },
  });
  await valid("flat, none disclosed", { ...flat, show: {}, expected: {} });
  await valid("nested and recursive, all disclosed", recursive);
  await valid("nested and recursive, some disclosed", {
    ...recursive,
    show: { address: { locality: true, position: { latitude: true } } },
    expected: { address: { locality: "Beijing", country: "CN", position: { latitude: 39.9042 } } },
  });
  await valid("nested, the object itself always visible", {
    claims: { address },
    frame: { address: { _sd: ["street_address", "locality", "position"] } },
    show: { address: { street_address: true } },
    expected: { address: { street_address: "1 Main St", country: "CN" } },
  });
  await valid("array elements, some hidden", {
    claims: { nationalities: ["CN", "DE", "FR", "IS"] },
    frame: { nationalities: { _sd: [0, 1, 2] } },
    show: { nationalities: { 0: true, 2: true } },
    expected: { nationalities: ["CN", "FR", "IS"] },
  });
  await valid("array elements, all hidden", {
    claims: { nationalities: ["CN", "DE"] },
    frame: { nationalities: { _sd: [0, 1] } },
    show: {},
    expected: { nationalities: [] },
  });
  await valid("array elements that are objects, in a disclosed array", {
    claims: { degrees: [{ name: "BSc", year: 2012 }, { name: "MSc", year: 2014 }, ["a", "b"]] },
    frame: { _sd: ["degrees"], degrees: { _sd: [0, 1, 2], 1: { _sd: ["name", "year"] }, 2: { _sd: [0, 1] } } },
    show: { degrees: { 1: { name: true }, 2: { 1: true } } },
    expected: { degrees: [{ name: "MSc" }, ["b"]] },
  });
  await valid("decoy digests", {
    claims: { ...person, nationalities: ["CN", "DE"], address },
    frame: {
      _sd: ["given_name", "family_name", "address"], _sd_decoy: 3,
      nationalities: { _sd: [0, 1], _sd_decoy: 2 },
      address: { _sd: ["locality"], _sd_decoy: 1 },
    },
    show: { given_name: true, nationalities: { 1: true }, address: { locality: true } },
    expected: {
      given_name: "Ming", birthdate: "1990-02-28", email: "ming@example.com", nationalities: ["DE"], address,
    },
  });
  await valid("nothing selectively disclosable", { claims: person });
  await valid("nothing selectively disclosable, _sd_alg present", { claims: person, frame: {} });
  await valid("every kind of JSON value", {
    claims: {
      nothing: null, no: false, zero: 0, negative: -1.5, largest: Number.MAX_SAFE_INTEGER, empty: "", list: [], object: {},
      mixed: [1, "1", null, [true, {}]],
    },
    frame: {
      _sd: ["nothing", "no", "zero", "negative", "largest", "empty", "list", "object", "mixed"],
      mixed: { _sd: [2, 3] },
    },
  });
  await valid("unicode", {
    claims: {
      "姓名": "李小龙 🐉", "имя": "Ольга", "caf\u00e9": "composed", "cafe\u0301": "decomposed",
      escapes: "\"\\/\b\f\n\r\t\u0001\u2028 </script>", visible: "Ærøskøbing",
    },
    frame: { _sd: ["姓名", "имя", "caf\u00e9", "cafe\u0301", "escapes"] },
  });
  await valid("iat and sub selectively disclosable", {
    claims: { sub: "account-1", iat: now - HOUR },
    frame: { _sd: ["sub", "iat"] },
  });
  await valid("exp and nbf", { ...flat, claims: { ...person, nbf: now - HOUR, exp: now + DAY }, frame: flat.frame });
  await valid("kid and a JWKS of two keys", {
    ...flat, signer: nextIssuer, header: { kid: "2" }, keys: [entry(issuer, "1"), entry(nextIssuer, "2")],
  });
  await valid("without key binding", { ...flat, holderRequired: false });

  const transaction = (type, payload) =>
    Buffer.from(JSON.stringify({ type, credential_ids: ["band"], payload })).toString("base64url");
  const payment = transaction("urn:bandpass:payment:1", {
    transaction_id: "t-1", payee: { name: "Corner Shop", id: "shop-1" }, currency: "CNY", amount: "35.00",
  });
  const signIn = transaction("urn:bandpass:sign-in:1", { transaction_id: "t-2", service: "Library", action: "sign in" });
  await valid("two transaction data entries", {
    ...flat,
    data: [payment, signIn],
    kb: { transaction_data_hashes: [hash(payment), hash(signIn)], transaction_data_hashes_alg: "sha-256" },
  });

  // From here on: what the library makes and RFC 9901, SD-JWT VC or OpenID4VP say to refuse.
  await refuse("issuer.untrusted", "issuer not in trust", { claims: { iss: "https://other.example" } });
  await refuse("issuer.algorithm", "header says ES384", { settings: { signAlg: "ES384" } });
  await refuse("issuer.type", "header without typ", { settings: { omitTyp: true } });
  await refuse("issuer.signature", "signed by a key not in trust", { signer: stranger });

  await refuse("disclosure.algorithm", "_sd_alg sha-512", { ...flat, settings: { hashAlg: "sha-512" } });
  const disclosure = (...parts) => {
    const encoded = new Disclosure([generateSalt(16), ...parts]).encode();
    return { encoded, digest: hash(encoded) };
  };
  const attach = ({ encoded }) => async ({ sd, issued, bind }) => bind(`${await sd.present(issued)}${encoded}~`);
  const extra = disclosure("admin", true);
  await refuse("disclosure.unreferenced", "disclosure that no digest refers to", { ...flat, token: attach(extra) });
  await refuse("disclosure.unreferenced", "nested disclosure without its parent", {
    ...recursive, show: { "address.locality": true },
  });
  await refuse("disclosure.duplicate", "the same disclosure twice", {
    ...recursive, show: { address: { locality: true }, "address.locality": true },
  });
  await refuse("disclosure.duplicate", "the same digest twice", {
    claims: { _sd: [extra.digest], inner: { _sd: [extra.digest] } }, token: attach(extra),
  });
  const eve = disclosure("given_name", "Eve");
  await refuse("disclosure.collision", "disclosed claim that is there already", {
    claims: { given_name: "Ming", _sd: [eve.digest] }, token: attach(eve),
  });
  await refuse("disclosure.malformed", "array element with a name", {
    claims: { nationalities: [{ "...": eve.digest }] }, token: attach(eve),
  });
  // The library drops an empty name when it encodes: two elements where three belong.
  await refuse("disclosure.malformed", "claim without a name", {
    claims: { "": "x" }, frame: { _sd: [""] }, token: ({ issued, bind }) => bind(issued),
  });
  await refuse("disclosure.reserved", "claim named ...", { claims: { "...": "x" }, frame: { _sd: ["..."] } });
  // SDJwtVcInstance refuses to make these; the class that it extends does not.
  const reserved = { exp: now + DAY, nbf: now - HOUR, cnf: { jwk: holder.publicKey }, status: {} };
  for (const [claim, value] of Object.entries(reserved)) {
    await refuse("disclosure.forbidden", `${claim} selectively disclosable`, {
      Library: SDJwtInstance, header: { typ: "dc+sd-jwt" }, claims: { [claim]: value }, frame: { _sd: [claim] },
    });
  }
  await refuse("disclosure.forbidden", "vct#integrity selectively disclosable", {
    claims: { "vct#integrity": `sha256-${Buffer.from(digest("")).toString("base64")}` }, frame: { _sd: ["vct#integrity"] },
  });
  await refuse("disclosure.forbidden", "cnf.jwk selectively disclosable", { frame: { cnf: { _sd: ["jwk"] } } });

  await refuse("credential.expired", "exp passed", { claims: { iat: now - 2 * DAY, exp: now - DAY } });
  await refuse("credential.not-yet-valid", "nbf tomorrow", { claims: { nbf: now + DAY } });

  await refuse("holder.missing", "key binding stripped", { ...flat, token: ({ sd, issued }) => sd.present(issued) });
  await refuse("holder.algorithm", "proof's header says ES384", { settings: { kbSignAlg: "ES384" } });
  await refuse("holder.signature", "proof by another key than cnf's", { holderSigner: stranger });
  await refuse("holder.type", "proof of another typ", { token: ({ issued, bind }) => bind(issued, "JWT") });
  await refuse("holder.claim", "proof for a list of audiences", { kb: { aud: [audience] } });
  await refuse("holder.stale", "proof a year old", { claims: { iat: now - 400 * DAY }, kb: { iat: now - 365 * DAY } });
  await refuse("holder.future", "proof from tomorrow", { kb: { iat: now + DAY } });
  await refuse("holder.hash", "disclosure taken away after the proof was signed", {
    ...flat,
    token: async ({ sd, issued, proof }) => sd.present(await sd.present(issued, undefined, proof), { given_name: true }),
  });

  await refuse("transaction.missing", "proof without the transaction's hash", { data: [signIn] });
  await refuse("transaction.mismatch", "hash over the JSON and not over the string as sent", {
    data: [signIn],
    kb: {
      transaction_data_hashes: [hash(Buffer.from(signIn, "base64url"))], transaction_data_hashes_alg: "sha-256",
    },
  });
  await refuse("transaction.algorithm", "transaction hashed with sha-512", {
    data: [signIn],
    kb: { transaction_data_hashes: [hash(signIn, "sha-512")], transaction_data_hashes_alg: "sha-512" },
  });
  return { cases, refused };
}

async function check({ cases }) {
  const results = [];
  for (const { name, token, issuer_jwk, nonce, claims, now } of cases) {
    try {
      const sd = new OfflineInstance({
        hasher: digest,
        verifier: await ES256.getVerifier(publicPart(issuer_jwk)),
        kbVerifier: async (data, signature, { cnf }) =>
          (await ES256.getVerifier(publicPart(cnf.jwk)))(data, signature),
      });
      const { payload, kb } = await sd.verify(token, { keyBindingNonce: nonce ?? undefined, currentDate: now });
      // The library skips key binding for an empty nonce.
      if (nonce !== null && !kb) throw new Error("key binding was not verified");
      if (!isDeepStrictEqual(payload, claims)) throw new Error(`other claims: ${JSON.stringify(payload)}`);
      results.push({ name, ok: true });
    } catch (error) {
      results.push({ name, ok: false, error: error.message });
    }
  }
  return { results };
}

function publicPart({ kty, crv, x, y }) {
  return { kty, crv, x, y };
}

function hash(data, algorithm = "sha-256") {
  return Buffer.from(digest(data, algorithm)).toString("base64url");
}
