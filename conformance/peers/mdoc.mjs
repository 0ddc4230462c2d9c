// Mdocs made and read by libraries that are not ours: @auth0/mdl and @owf/mdoc. Set up with `npm ci`; no network after that.
//
// stdin:  { now, root, certificate: PEM, issuer, device, reader: private JWKs, session_transcript: base64url of
//           SessionTranscriptBytes, responses: [ { name, response: base64url } ] }
// stdout: { libraries, made: [ { name, response } ],     what each library made for this session
//           read: [ { name, by, ok, error? } ] }         what each library makes of the responses that were given
//
// @owf/mdoc leaves cryptography to its caller, which is node:crypto here, and the chain to @auth0/mdl.
//
// The exit code is 0 whenever the work was done, whatever came out of it.

import { createECDH, createHash, createHmac, hkdfSync, randomBytes, sign, timingSafeEqual, verify, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { json } from "node:stream/consumers";
import auth0 from "@auth0/mdl";
import * as owf from "@owf/mdoc";

const { dependencies } = JSON.parse(readFileSync(new URL("package.json", import.meta.url)));
const libraries = ["@auth0/mdl", "@owf/mdoc"].map((name) => `${name} ${dependencies[name]}`);

const DOCTYPE = "org.iso.18013.5.1.mDL";
const NAMESPACE = "org.iso.18013.5.1";
const ELEMENTS = { family_name: "Jones", given_name: "Ava", document_number: "7", age_over_18: true };

const bytes = (text) => Buffer.from(text, "base64url");
const given = await json(process.stdin);
const session = bytes(given.session_transcript);
const now = new Date(given.now * 1000);
const until = new Date((given.now + 86_400) * 1000);
// What is tagged, without the tag and the length in one octet or two.
const transcript = owf.SessionTranscript.decode(new Uint8Array(session.subarray(session[2] === 0x59 ? 5 : 4)));
const publicJwk = ({ kty, crv, x, y }) => ({ kty, crv, x, y });
const point = ({ x, y }) => Buffer.concat([Buffer.from([4]), bytes(x), bytes(y)]);

/** What @owf/mdoc asks its caller for. */
const context = {
  crypto: {
    random: (length) => new Uint8Array(randomBytes(length)),
    digest: ({ digestAlgorithm, bytes }) =>
      new Uint8Array(createHash(digestAlgorithm.replace("SHA-", "sha")).update(bytes).digest()),
    calculateEphemeralMacKey: ({ privateKey, publicKey, sessionTranscriptBytes, info }) => {
      const ecdh = createECDH("prime256v1");
      ecdh.setPrivateKey(owf.CoseKey.decode(privateKey).privateKey);
      const salt = createHash("sha256").update(sessionTranscriptBytes).digest();
      const key = new Uint8Array(hkdfSync("sha256", ecdh.computeSecret(point(owf.CoseKey.decode(publicKey).jwk)), salt, info, 32));
      return owf.CoseKey.create({ keyType: owf.KeyType.Oct, k: key, algorithm: owf.MacAlgorithm.HS256 });
    },
  },
  cose: {
    sign1: {
      sign: ({ toBeSigned, key }) =>
        new Uint8Array(sign("sha256", toBeSigned, { key: { ...key.jwk }, format: "jwk", dsaEncoding: "ieee-p1363" })),
      verify: ({ key, sign1 }) => {
        const { toBeSigned, signature } = sign1;
        return verify("sha256", toBeSigned, { key: publicJwk(key.jwk), format: "jwk", dsaEncoding: "ieee-p1363" }, signature);
      },
    },
    mac0: {
      sign: ({ key, toBeAuthenticated }) =>
        new Uint8Array(createHmac("sha256", key.privateKey).update(toBeAuthenticated).digest()),
      verify: ({ mac0, key }) =>
        timingSafeEqual(createHmac("sha256", key.privateKey).update(mac0.toBeAuthenticated).digest(), mac0.tag),
    },
  },
  x509: {
    getIssuerNameField: ({ certificate, field }) =>
      new X509Certificate(certificate).issuer.split("\n").filter((line) => line.startsWith(`${field}=`)).map((line) => line.slice(field.length + 1)),
    getPublicKey: ({ certificate }) => owf.CoseKey.fromJwk(new X509Certificate(certificate).publicKey.export({ format: "jwk" })),
    verifyCertificateChain: ({ trustedCertificates, x5chain }) => {
      const [leaf] = x5chain.map((der) => new X509Certificate(der));
      if (!trustedCertificates.some((der) => leaf.verify(new X509Certificate(der).publicKey))) throw new Error("chain");
    },
    getCertificateData: ({ certificate }) => {
      const { issuer, subject, serialNumber, fingerprint256, validFrom, validTo } = new X509Certificate(certificate);
      return { issuerName: issuer, subjectName: subject, serialNumber, thumbprint: fingerprint256, pem: "",
        notBefore: new Date(validFrom), notAfter: new Date(validTo) };
    },
  },
};

async function madeByAuth0(mac) {
  const document = await new auth0.Document(DOCTYPE)
    .addIssuerNameSpace(NAMESPACE, ELEMENTS)
    .useDigestAlgorithm("SHA-256")
    .addValidityInfo({ signed: now, validFrom: now, validUntil: until })
    .addDeviceKeyInfo({ deviceKey: publicJwk(given.device) })
    .sign({ issuerPrivateKey: given.issuer, issuerCertificate: given.certificate, alg: "ES256" });
  const fields = Object.keys(ELEMENTS).map((name) => ({ path: [`$['${NAMESPACE}']['${name}']`], intent_to_retain: false }));
  const definition = { id: "all", input_descriptors: [
    { id: DOCTYPE, format: { mso_mdoc: { alg: ["ES256"] } }, constraints: { limit_disclosure: "required", fields } }] };
  const response = auth0.DeviceResponse.from(new auth0.MDoc([document]))
    .usingPresentationDefinition(definition)
    .usingSessionTranscriptBytes(session);
  const proven = mac
    ? response.authenticateWithMAC(given.device, owf.CoseKey.fromJwk(publicJwk(given.reader)).encode(), "HS256")
    : response.authenticateWithSignature(given.device, "ES256");
  return (await proven.sign()).encode();
}

async function madeByOwf(mac) {
  const issuer = new owf.Issuer(DOCTYPE, context).addIssuerNamespace(NAMESPACE, ELEMENTS);
  const issuerSigned = await issuer.sign({
    signingKey: owf.CoseKey.fromJwk(given.issuer),
    algorithm: owf.SignatureAlgorithm.ES256,
    digestAlgorithm: "SHA-256",
    validityInfo: { signed: now, validFrom: now, validUntil: until },
    deviceKeyInfo: { deviceKey: owf.DeviceKey.fromJwk(publicJwk(given.device)) },
    certificates: [new Uint8Array(new X509Certificate(given.certificate).raw)],
  });
  const elements = new Map(Object.keys(ELEMENTS).map((name) => [name, false]));
  const itemsRequest = owf.ItemsRequest.create({ docType: DOCTYPE, namespaces: new Map([[NAMESPACE, elements]]) });
  const deviceRequest = owf.DeviceRequest.create({ docRequests: [owf.DocRequest.create({ itemsRequest })] });
  // The library takes the proof's `alg` from the key.
  const signingKey = owf.CoseKey.fromJwk({ ...given.device, alg: mac ? "HS256" : "ES256" });
  const response = await owf.Holder.createDeviceResponseForDeviceRequest({
    deviceRequest,
    sessionTranscript: transcript,
    issuerSigned: [issuerSigned],
    ...(mac ? { mac: { ephemeralKey: owf.CoseKey.fromJwk(publicJwk(given.reader)), signingKey } } : { signature: { signingKey } }),
  }, context);
  return response.encode();
}

async function attempt(work) {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    return { ok: false, error: String(error?.message ?? error) };
  }
}

const makers = { "@auth0/mdl": madeByAuth0, "@owf/mdoc": madeByOwf };
const made = [];
for (const [by, make] of Object.entries(makers)) {
  for (const mac of [false, true]) {
    const { ok, value, error } = await attempt(() => make(mac));
    made.push({ name: `${by}: ${mac ? "MAC" : "signature"}`, ...(ok ? { response: Buffer.from(value).toString("base64url") } : { error }) });
  }
}
const read = [];
for (const { name, response } of given.responses) {
  const readers = {
    "@auth0/mdl": () => new auth0.Verifier([given.root]).verify(bytes(response), {
      ephemeralReaderKey: owf.CoseKey.fromJwk(given.reader).encode(),
      encodedSessionTranscript: session,
    }),
    "@owf/mdoc": () => owf.Verifier.verifyDeviceResponse({
      deviceResponse: new Uint8Array(bytes(response)),
      sessionTranscript: transcript,
      ephemeralReaderKey: owf.CoseKey.fromJwk(given.reader),
      trustedCertificates: [new Uint8Array(new X509Certificate(given.root).raw)],
      now,
    }, context),
  };
  for (const [by, reader] of Object.entries(readers)) {
    const { ok, error } = await attempt(reader);
    read.push({ name, by, ok, ...(error && { error }) });
  }
}
console.log(JSON.stringify({ libraries, made, read }));
