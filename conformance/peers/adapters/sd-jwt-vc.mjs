// Runs the vectors through @sd-jwt/sd-jwt-vc, with every check on that the library offers and none added to it. The
// protocol is in ../../README.md.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { digest, ES256 } from "@sd-jwt/crypto-nodejs";
import { SDJwtVcInstance } from "@sd-jwt/sd-jwt-vc";

const NAME = "@sd-jwt/sd-jwt-vc";
const { dependencies } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url)));
console.log(JSON.stringify({ verifier: `${NAME} ${dependencies[NAME]}` }));

for await (const line of createInterface({ input: process.stdin })) {
  const vector = JSON.parse(line);
  let answer;
  try {
    answer = { result: "accepted", claims: await verify(vector) };
  } catch (error) {
    answer = { result: "refused", error: String(error?.message ?? error) };
  }
  console.log(JSON.stringify({ name: vector.name, ...answer }));
}

async function verify({ trust, vp_token: token, expected, status_lists: lists = [] }) {
  // Which key to verify with is the caller's part: of the issuer that the token names, by `kid`.
  const { jwt } = await new SDJwtVcInstance({ hasher: digest }).decode(token);
  const issuer = trust.issuers.find(({ iss }) => iss === jwt.payload.iss);
  if (!issuer) throw new Error("the caller knows no such issuer");
  const verifier = async (data, signature) => {
    const { kid } = JSON.parse(Buffer.from(data.split(".")[0], "base64url"));
    for (const key of issuer.jwks.keys) {
      const fits = key.kty === "EC" && key.crv === "P-256" && (!kid || !key.kid || key.kid === kid);
      if (fits && (await (await ES256.getVerifier(key))(data, signature))) return true;
    }
    return false;
  };
  // Where no status is asked for: the library can't be told so.
  const waived = expected.requirements?.status === "not-required";
  const Instance = !waived ? SDJwtVcInstance : class extends SDJwtVcInstance { async verifyStatus() {} };
  const instance = new Instance({
    hasher: digest,
    verifier,
    kbVerifier: async (data, signature, { cnf }) => (await ES256.getVerifier(cnf.jwk))(data, signature),
    statusVerifier: verifier,
    statusListFetcher: async (uri) => {
      const list = lists.find((list) => subject(list) === uri);
      if (!list) throw new Error("there is no such status list");
      return list;
    },
  });
  const withProof = expected.requirements?.holder !== "not-required" || !token.endsWith("~");
  const { payload } = await instance.verify(token, {
    currentDate: expected.now,
    skewSeconds: expected.clock_tolerance,
    ...(withProof && { keyBindingNonce: expected.nonce }),
  });
  return payload;
}

// `sub` of a status list JWT; nothing for a CWT, which the library does not read.
function subject(list) {
  const payload = list.split(".")[1];
  return payload && JSON.parse(Buffer.from(payload, "base64url")).sub;
}
