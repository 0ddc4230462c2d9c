// How many times a second a presentation is verified: by the package, by @sd-jwt/sd-jwt-vc, and its first signature alone by
// jose, WebCrypto, @noble/curves, and plain WebAssembly. Runs in Node and, bundled, in Chromium. The peers get WebCrypto, and
// keys that are imported already, but for @noble/curves, which takes octets.
import { p256 } from "@noble/curves/nist.js";
import { SDJwtVcInstance } from "@sd-jwt/sd-jwt-vc";
import { compactVerify } from "jose";

const ES256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));

/** Rounds in turns, for a machine's speed changes; of each the best one counts. `guest`: the module beside. */
export async function measure({ createVerifier }, guest, vector, { rounds, milliseconds }) {
  const { trust, vp_token: token, expected } = vector;
  const { now, nonce, audience } = expected;
  const keys = new Map();
  const key = async (jwk) => {
    const id = jwk.x + jwk.y;
    if (!keys.has(id)) keys.set(id, await crypto.subtle.importKey("jwk", { kty: jwk.kty, crv: jwk.crv, x: jwk.x, y: jwk.y }, ES256, false, ["verify"]));
    return keys.get(id);
  };
  const verifies = async (jwk, data, signature) =>
    crypto.subtle.verify(ES256, await key(jwk), bytes(signature), new TextEncoder().encode(data));
  const issuerKey = trust.issuers[0].jwks.keys[0];
  const peer = new SDJwtVcInstance({
    hasher: async (data, algorithm) =>
      new Uint8Array(await crypto.subtle.digest(algorithm.toUpperCase(), typeof data === "string" ? new TextEncoder().encode(data) : data)),
    verifier: (data, signature) => verifies(issuerKey, data, signature),
    kbVerifier: (data, signature, { cnf }) => verifies(cnf.jwk, data, signature),
  });
  const [verifier, remembering] = [await createVerifier({ trust, remember: false }), await createVerifier({ trust })];
  const asked = { audience, nonce, now: new Date(now * 1000) };
  const [jwt] = token.split("~");
  const imported = await key(issuerKey);
  const signed = new TextEncoder().encode(jwt.slice(0, jwt.lastIndexOf(".")));
  const signature = bytes(jwt.slice(jwt.lastIndexOf(".") + 1));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", signed));
  const point = Uint8Array.of(4, ...bytes(issuerKey.x), ...bytes(issuerKey.y));
  const plain = (await WebAssembly.instantiate(guest)).exports;
  new Uint8Array(plain.memory.buffer, plain.input()).set([...point.subarray(1), ...digest, ...signature]);

  const contenders = {
    "@bandpass/verifier": () => verifier.verify(token, asked),
    "@bandpass/verifier, credential and keys having come before": () => remembering.verify(token, asked),
    "@sd-jwt/sd-jwt-vc": () => peer.verify(token, { currentDate: now, skewSeconds: 60, keyBindingNonce: nonce }),
    "jose, one signature of the two": () => compactVerify(jwt, imported),
    "WebCrypto, the same": () => crypto.subtle.verify(ES256, imported, signature, signed),
    "`bandpass-es256` in plain WebAssembly, the same": () => plain.es256() === 1,
    "`bandpass-es256`, precomputed key, the same": () => plain.precomputed() === 1,
    "p256 in plain WebAssembly, the same": () => plain.p256() === 1,
    "@noble/curves, the same": () => p256.verify(signature, digest, point, { prehash: false, lowS: false }),
  };
  const best = Object.fromEntries(Object.keys(contenders).map((name) => [name, 0]));
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, work] of Object.entries(contenders)) {
      const start = performance.now();
      let count = 0;
      let spent = 0;
      do {
        if ((await work()) === false) throw new Error(`${name}: refused`);
        count += 1;
        spent = performance.now() - start;
      } while (spent < milliseconds);
      best[name] = Math.max(best[name], (count * 1000) / spent);
    }
  }
  return best;
}

/** Milliseconds from importing the package to its first verdict. */
export async function start(load, { trust, vp_token: token, expected: { now, nonce, audience } }) {
  const begun = performance.now();
  const { createVerifier } = await load();
  const verifier = await createVerifier({ trust });
  verifier.verify(token, { audience, nonce, now: new Date(now * 1000) });
  return performance.now() - begun;
}
