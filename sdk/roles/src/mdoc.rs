//! Making ISO mdocs: what an issuer signs, what a band answers, and what a reader asks (ISO/IEC 18013-5:2021, OpenID4VP 1.0
//! appendix B.2). Section numbers are those of ISO/IEC 18013-5:2021 unless another standard is named.

use bandpass_core::{ReaderError, ReaderRoots, RequestedElements, verify_reader_auth};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use minicbor::Decoder;
use p256::elliptic_curve::rand_core::CryptoRng;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::cbor::Cbor;
use crate::{Band, Key, base64url, random_id, sha256_base64url};

/// `docType` of a band credential, and the namespace of its elements and of those that a band signs.
pub const BAND_DOCTYPE: &str = "bandpass.band.1";

/// Elements of a band credential that are always returned (band profile, section Credential).
const ALWAYS_RETURNED: &[&str] = &["pairing", "band_measures"];

/// `alg` of HMAC 256/256 (RFC 9053, section 3.1).
const HMAC_256: i64 = 5;

/// What an issuer says of a credential.
#[derive(Clone, Debug)]
pub struct MdocDetails {
    /// `docType`.
    pub doctype: String,
    /// For each namespace its elements.
    pub elements: Vec<(String, Map<String, Value>)>,
    /// The device's public key.
    pub device_jwk: Value,
    /// Namespaces that the device's key may sign.
    pub authorized: Vec<String>,
    /// `signed` and `validFrom`, seconds since 1970.
    pub signed: u64,
    /// `validUntil`, seconds since 1970.
    pub valid_until: u64,
    /// Index and URI of a status list.
    pub status: Option<(usize, String)>,
}

/// A credential as its holder keeps it.
#[derive(Clone, Debug)]
pub struct Mdoc {
    doctype: String,
    /// For each namespace its elements: their names, and `IssuerSignedItemBytes`, tagged.
    name_spaces: Vec<(String, Vec<(String, Cbor)>)>,
    issuer_auth: Cbor,
}

/// Signs a credential. `chain`: the signer's certificate in DER, and those of authorities below the root.
#[must_use]
pub fn issue(key: &Key, chain: &[Vec<u8>], details: &MdocDetails, rng: &mut impl CryptoRng) -> Mdoc {
    let (mut name_spaces, mut digests) = (Vec::new(), Vec::new());
    for (name_space, elements) in &details.elements {
        let (mut items, mut of_items) = (Vec::new(), Vec::new());
        for ((name, value), id) in elements.iter().zip(0..) {
            let item = issuer_signed_item(id, random_id(rng).as_bytes(), name, value.into());
            of_items.push((Cbor::Integer(id), Cbor::Bytes(Sha256::digest(item.encode()).to_vec())));
            items.push((name.clone(), item));
        }
        name_spaces.push((name_space.clone(), items));
        digests.push((name_space.as_str().into(), Cbor::Map(of_items)));
    }
    let mso = mobile_security_object(details, Cbor::Map(digests));
    Mdoc { doctype: details.doctype.clone(), name_spaces, issuer_auth: issuer_auth(key, chain, &mso.embedded()) }
}

/// `IssuerSignedItemBytes`, tagged (section 8.3.2.1.2.2).
#[must_use]
pub fn issuer_signed_item(digest_id: i64, random: &[u8], name: &str, value: Cbor) -> Cbor {
    let members = [
        ("digestID", Cbor::Integer(digest_id)),
        ("random", Cbor::Bytes(random.to_vec())),
        ("elementIdentifier", name.into()),
        ("elementValue", value),
    ];
    Cbor::members(members).embedded()
}

/// `MobileSecurityObject` (section 9.1.2.4) with these `valueDigests`, by SHA-256.
#[must_use]
pub fn mobile_security_object(details: &MdocDetails, digests: Cbor) -> Cbor {
    let authorized = details.authorized.iter().map(|name| name.as_str().into()).collect();
    let mut key_info = Cbor::members([("deviceKey", cose_key(&details.device_jwk))]);
    if !details.authorized.is_empty() {
        *key_info.member("keyAuthorizations") = Cbor::members([("nameSpaces", Cbor::Array(authorized))]);
    }
    let signed = time(details.signed);
    let validity = [("signed", signed.clone()), ("validFrom", signed), ("validUntil", time(details.valid_until))];
    let mut mso = Cbor::members([
        ("version", "1.0".into()),
        ("digestAlgorithm", "SHA-256".into()),
        ("valueDigests", digests),
        ("deviceKeyInfo", key_info),
        ("docType", details.doctype.as_str().into()),
        ("validityInfo", Cbor::members(validity)),
    ]);
    if let Some((index, uri)) = &details.status {
        *mso.member("status") = (&json!({"status_list": {"idx": index, "uri": uri}})).into();
    }
    mso
}

/// `tdate` of seconds since 1970.
#[must_use]
pub fn time(seconds: u64) -> Cbor {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days since 0000-03-01 in periods of 400 years, and in years that start on 1 March.
    let (period, day) = ((days + 719_468) / 146_097, (days + 719_468) % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let text = format!("{:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z", period * 400 + year);
    Cbor::Tag(0, Box::new(Cbor::Text(text)))
}

/// `COSE_Key` of a public P-256 key (RFC 9053, section 7.1.1).
#[must_use]
pub fn cose_key(jwk: &Value) -> Cbor {
    let bytes = |name| Base64UrlUnpadded::decode_vec(jwk.get(name).and_then(Value::as_str).unwrap_or_default());
    let coordinate = |name| Cbor::Bytes(bytes(name).unwrap_or_default());
    let members = [(1, Cbor::Integer(2)), (-1, Cbor::Integer(1)), (-2, coordinate("x")), (-3, coordinate("y"))];
    Cbor::Map(members.into_iter().map(|(label, value)| (Cbor::Integer(label), value)).collect())
}

/// `IssuerAuth`: a `COSE_Sign1` with `x5chain`, over `MobileSecurityObjectBytes`.
#[must_use]
pub fn issuer_auth(key: &Key, chain: &[Vec<u8>], mso: &Cbor) -> Cbor {
    let payload = mso.encode();
    let signed = to_be_authenticated("Signature1", &es256(), &payload);
    sign1(&es256(), x5chain(chain), Cbor::Bytes(payload), key.sign_bytes(&signed))
}

fn sign1(protected: &Cbor, unprotected: Cbor, payload: Cbor, authenticator: Vec<u8>) -> Cbor {
    Cbor::Array(vec![Cbor::Bytes(protected.encode()), unprotected, payload, Cbor::Bytes(authenticator)])
}

/// A header that says ES256.
fn es256() -> Cbor {
    Cbor::Map(vec![(Cbor::Integer(1), Cbor::Integer(-7))])
}

/// A header with certificates in DER (RFC 9360): one stands without an array.
#[must_use]
pub fn x5chain(chain: &[Vec<u8>]) -> Cbor {
    let mut certificates = chain.iter().cloned().map(Cbor::Bytes).collect::<Vec<_>>();
    let value = match certificates.len() {
        1 => certificates.remove(0),
        _ => Cbor::Array(certificates),
    };
    Cbor::Map(vec![(Cbor::Integer(33), value)])
}

/// The `Sig_structure` or `MAC_structure` (RFC 9052, sections 4.4 and 6.3).
fn to_be_authenticated(context: &str, protected: &Cbor, payload: &[u8]) -> Vec<u8> {
    let bytes = |bytes: &[u8]| Cbor::Bytes(bytes.to_vec());
    Cbor::Array(vec![context.into(), bytes(&protected.encode()), bytes(&[]), bytes(payload)]).encode()
}

/// What an answer is bound to.
#[derive(Clone, Debug)]
pub enum Session {
    /// A request by redirect (OpenID4VP 1.0, appendix B.2.6.1).
    OpenId4Vp {
        /// The full `client_id`.
        client_id: String,
        /// The nonce.
        nonce: String,
        /// `response_uri`.
        response_uri: String,
        /// Thumbprint of the key that the response is encrypted to.
        jwk_thumbprint: Option<[u8; 32]>,
    },
    /// A request by the Digital Credentials API (appendix B.2.6.2).
    DcApi {
        /// The origin.
        origin: String,
        /// The nonce.
        nonce: String,
        /// Thumbprint of the key that the response is encrypted to.
        jwk_thumbprint: Option<[u8; 32]>,
    },
    /// A proximity session.
    Proximity {
        /// `SessionTranscriptBytes`, tagged.
        session_transcript: Vec<u8>,
    },
}

impl Session {
    /// `SessionTranscript`.
    #[must_use]
    pub fn transcript(&self) -> Cbor {
        let thumbprint =
            |thumbprint: &Option<[u8; 32]>| thumbprint.map_or(Cbor::Null, |bytes| Cbor::Bytes(bytes.to_vec()));
        let handover = |name: &str, info: Vec<Cbor>| {
            let hash = Cbor::Bytes(Sha256::digest(Cbor::Array(info).encode()).to_vec());
            Cbor::Array(vec![Cbor::Null, Cbor::Null, Cbor::Array(vec![name.into(), hash])])
        };
        match self {
            Self::OpenId4Vp { client_id, nonce, response_uri, jwk_thumbprint } => {
                let info = [client_id.as_str().into(), nonce.as_str().into(), thumbprint(jwk_thumbprint)];
                handover("OpenID4VPHandover", [&info[..], &[response_uri.as_str().into()]].concat())
            }
            Self::DcApi { origin, nonce, jwk_thumbprint } => {
                let info = vec![origin.as_str().into(), nonce.as_str().into(), thumbprint(jwk_thumbprint)];
                handover("OpenID4VPDCAPIHandover", info)
            }
            Self::Proximity { session_transcript } => {
                Cbor::Encoded(embedded(session_transcript).unwrap_or_default().to_vec())
            }
        }
    }

    /// The members of a proof and an approval that say for whom they are (band profile, sections Proof and Approval).
    #[must_use]
    pub fn named(&self) -> Value {
        match self {
            Self::OpenId4Vp { client_id, nonce, .. } => json!({"aud": client_id, "nonce": nonce}),
            Self::DcApi { origin, nonce, .. } => json!({"aud": format!("origin:{origin}"), "nonce": nonce}),
            Self::Proximity { session_transcript } => json!({"session": sha256_base64url(session_transcript)}),
        }
    }
}

/// What is in a byte string that is tagged as CBOR.
fn embedded(bytes: &[u8]) -> Option<&[u8]> {
    let mut decoder = Decoder::new(bytes);
    decoder.tag().ok()?;
    decoder.bytes().ok()
}

/// x and y of the reader's ephemeral key, which stands in the transcript of a proximity session (section 9.1.5.1).
fn reader_key(session_transcript: &[u8]) -> Option<Value> {
    let mut transcript = Decoder::new(embedded(session_transcript)?);
    transcript.array().ok()?;
    transcript.skip().ok()?;
    let start = transcript.position();
    let mut key = Decoder::new(embedded(transcript.input().get(start..)?)?);
    let (mut x, mut y) = (String::new(), String::new());
    for _ in 0..key.map().ok()?? {
        match key.i8().ok()? {
            -2 => x = base64url(key.bytes().ok()?),
            -3 => y = base64url(key.bytes().ok()?),
            _ => key.skip().ok()?,
        }
    }
    Some(json!({"kty": "EC", "crv": "P-256", "x": x, "y": y}))
}

/// The next value, as it is encoded.
fn next<'a>(decoder: &mut Decoder<'a>) -> Option<&'a [u8]> {
    let start = decoder.position();
    decoder.skip().ok()?;
    decoder.input().get(start..decoder.position())
}

/// That of an `IssuerSignedItemBytes`.
fn element_identifier(item: &[u8]) -> Option<String> {
    let mut members = Decoder::new(embedded(item)?);
    for _ in 0..members.map().ok()?? {
        if members.str().ok()? == "elementIdentifier" {
            return members.str().ok().map(ToOwned::to_owned);
        }
        members.skip().ok()?;
    }
    None
}

/// How the device proves that it has its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceAuth {
    /// By a signature.
    Signature,
    /// By a MAC with a key that only the reader of this proximity session has too (section 9.1.3.5).
    Mac,
}

/// `DeviceSigned` over these `DeviceNameSpaces`; none if it shall be a MAC and there is no reader's key.
#[must_use]
pub fn device_signed(
    key: &Key,
    auth: DeviceAuth,
    session: &Session,
    doctype: &str,
    name_spaces: &Cbor,
) -> Option<Cbor> {
    let name_spaces = name_spaces.embedded();
    let transcript = session.transcript();
    let authentication =
        Cbor::Array(vec!["DeviceAuthentication".into(), transcript.clone(), doctype.into(), name_spaces.clone()]);
    let authentication = authentication.embedded().encode();
    let device_auth = match auth {
        DeviceAuth::Signature => {
            let signed = to_be_authenticated("Signature1", &es256(), &authentication);
            let message = sign1(&es256(), Cbor::Map(Vec::new()), Cbor::Null, key.sign_bytes(&signed));
            ("deviceSignature", message)
        }
        DeviceAuth::Mac => {
            let Session::Proximity { session_transcript } = session else { return None };
            let secret = key.shared_secret(&reader_key(session_transcript)?)?;
            let salt = Sha256::digest(transcript.embedded().encode());
            let mut mac_key = [0; 32];
            Hkdf::<Sha256>::new(Some(&salt), &secret).expand(b"EMacKey", &mut mac_key).ok()?;
            let header = Cbor::Map(vec![(Cbor::Integer(1), Cbor::Integer(HMAC_256))]);
            let mut mac = Hmac::<Sha256>::new_from_slice(&mac_key).ok()?;
            mac.update(&to_be_authenticated("MAC0", &header, &authentication));
            ("deviceMac", sign1(&header, Cbor::Map(Vec::new()), Cbor::Null, mac.finalize().into_bytes().to_vec()))
        }
    };
    Some(Cbor::members([("nameSpaces", name_spaces), ("deviceAuth", Cbor::members([device_auth]))]))
}

/// `DeviceResponse` with these documents.
#[must_use]
pub fn device_response(documents: Vec<Cbor>) -> Cbor {
    Cbor::members([("version", "1.0".into()), ("documents", Cbor::Array(documents)), ("status", Cbor::Integer(0))])
}

/// A document.
#[must_use]
pub fn document(doctype: &str, issuer_signed: Cbor, device_signed: Cbor) -> Cbor {
    Cbor::members([("docType", doctype.into()), ("issuerSigned", issuer_signed), ("deviceSigned", device_signed)])
}

impl Mdoc {
    /// Takes in an `IssuerSigned` that was handed over. None if it is malformed. Nothing of it is verified.
    #[must_use]
    pub fn read(doctype: &str, issuer_signed: &[u8]) -> Option<Self> {
        let mut decoder = Decoder::new(issuer_signed);
        let (mut name_spaces, mut issuer_auth) = (Vec::new(), None);
        for _ in 0..decoder.map().ok()?? {
            match decoder.str().ok()? {
                "nameSpaces" => {
                    for _ in 0..decoder.map().ok()?? {
                        let (name_space, mut items) = (decoder.str().ok()?.to_owned(), Vec::new());
                        for _ in 0..decoder.array().ok()?? {
                            let item = next(&mut decoder)?;
                            items.push((element_identifier(item)?, Cbor::Encoded(item.to_vec())));
                        }
                        name_spaces.push((name_space, items));
                    }
                }
                "issuerAuth" => issuer_auth = Some(Cbor::Encoded(next(&mut decoder)?.to_vec())),
                _ => decoder.skip().ok()?,
            }
        }
        Some(Self { doctype: doctype.into(), name_spaces, issuer_auth: issuer_auth? })
    }

    /// `docType`.
    #[must_use]
    pub fn doctype(&self) -> &str {
        &self.doctype
    }

    /// `IssuerSigned` with the elements for which `shows` says so: with all of them what `OpenID4VCI` hands over.
    #[must_use]
    pub fn issuer_signed(&self, shows: impl Fn(&str, &str) -> bool) -> Cbor {
        let mut name_spaces = Vec::new();
        for (name_space, items) in &self.name_spaces {
            let shown = items.iter().filter(|(name, _)| shows(name_space, name)).map(|(_, item)| item.clone());
            let shown = shown.collect::<Vec<_>>();
            if !shown.is_empty() {
                name_spaces.push((name_space.as_str().into(), Cbor::Array(shown)));
            }
        }
        let mut issuer_signed = Cbor::Map(Vec::new());
        if !name_spaces.is_empty() {
            *issuer_signed.member("nameSpaces") = Cbor::Map(name_spaces);
        }
        *issuer_signed.member("issuerAuth") = self.issuer_auth.clone();
        issuer_signed
    }
}

/// What a band shows of an mdoc.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// What it is bound to.
    pub session: &'a Session,
    /// How the band proves its key.
    pub auth: DeviceAuth,
    /// Transaction data as sent.
    pub transaction_data: &'a [String],
    /// The phone's approval.
    pub approval: Option<&'a str>,
    /// Seconds since 1970.
    pub now: u64,
}

impl Band {
    /// A document of an mdoc that is bound to this band's key, with the elements for which `shows` says so, and those that
    /// are always returned. A band's own carries its evidence. None if it shall be a MAC and there is no reader's key.
    #[must_use]
    pub fn present_mdoc(
        &mut self,
        mdoc: &Mdoc,
        shows: impl Fn(&str, &str) -> bool,
        answer: &Answer<'_>,
        rng: &mut impl CryptoRng,
    ) -> Option<Cbor> {
        let is_band = mdoc.doctype == BAND_DOCTYPE;
        let signed = match is_band {
            true => Cbor::members([(BAND_DOCTYPE, (&self.proof_elements(answer, rng)).into())]),
            false => Cbor::Map(Vec::new()),
        };
        let always = |name_space: &str, name: &str| name_space == BAND_DOCTYPE && ALWAYS_RETURNED.contains(&name);
        let issuer_signed = mdoc.issuer_signed(|name_space, name| always(name_space, name) || shows(name_space, name));
        let device_signed = device_signed(&self.key, answer.auth, answer.session, &mdoc.doctype, &signed)?;
        Some(document(&mdoc.doctype, issuer_signed, device_signed))
    }

    /// What a band answers to a reader: of each mdoc that was asked for the elements that were, and for which `shows` says so
    /// too: whatever a door asks for, its wearer decides. Only readers under `roots` are answered.
    ///
    /// # Errors
    /// A [`ReaderError`]; nothing is signed then.
    pub fn answer_reader(
        &mut self,
        mdocs: &[Mdoc],
        device_request: &[u8],
        roots: &ReaderRoots,
        shows: impl Fn(&str, &str) -> bool,
        answer: &Answer<'_>,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, ReaderError> {
        let Session::Proximity { session_transcript } = answer.session else { return Err(ReaderError::Malformed) };
        let requested = verify_reader_auth(device_request, session_transcript, roots, answer.now)?;
        let mut documents = Vec::new();
        for request in &requested {
            for mdoc in mdocs.iter().filter(|mdoc| mdoc.doctype == request.doctype) {
                let both = |name_space: &str, name: &str| asks(request, name_space, name) && shows(name_space, name);
                let document = self.present_mdoc(mdoc, both, answer, rng);
                documents.push(document.ok_or(ReaderError::Malformed)?);
            }
        }
        Ok(device_response(documents).encode())
    }

    /// The proof's members (band profile, section Proof).
    fn proof_elements(&mut self, answer: &Answer<'_>, rng: &mut impl CryptoRng) -> Value {
        let mut proof = Map::new();
        let mut add = |name: &str, value: Value| drop(proof.insert(name.into(), value));
        add("iat", answer.now.into());
        add("jti", random_id(rng).into());
        add("band", self.evidence().into());
        let named = answer.session.named();
        for name in ["aud", "nonce"] {
            if let Some(value) = named.get(name) {
                add(name, value.clone());
            }
        }
        if !answer.transaction_data.is_empty() {
            let hashes = answer.transaction_data.iter().map(|sent| sha256_base64url(sent.as_bytes()));
            add("transaction_data_hashes", hashes.collect::<Vec<_>>().into());
            add("transaction_data_hashes_alg", "sha-256".into());
        }
        if let Some(approval) = answer.approval {
            add("approval", approval.into());
        }
        proof.into()
    }
}

fn asks(request: &RequestedElements, name_space: &str, name: &str) -> bool {
    let mut asked = request.name_spaces.iter().filter(|(asked, _)| asked == name_space);
    asked.any(|(_, names)| names.iter().any(|asked| asked == name))
}

/// `DeviceRequest` of a reader that says who it is (sections 8.3.2.1.2.1 and 9.1.4). `chain`: its certificate in DER, and
/// those of authorities below the root.
#[must_use]
pub fn device_request(key: &Key, chain: &[Vec<u8>], session: &Session, requested: &[RequestedElements]) -> Vec<u8> {
    let mut documents = Vec::new();
    for request in requested {
        let mut name_spaces = Cbor::Map(Vec::new());
        for (name_space, elements) in &request.name_spaces {
            for element in elements {
                // Whether the reader means to keep it.
                *name_spaces.member(name_space).member(element) = Cbor::Bool(false);
            }
        }
        let items = Cbor::members([("docType", request.doctype.as_str().into()), ("nameSpaces", name_spaces)]);
        let items = items.embedded();
        let authentication = Cbor::Array(vec!["ReaderAuthentication".into(), session.transcript(), items.clone()]);
        let signed = to_be_authenticated("Signature1", &es256(), &authentication.embedded().encode());
        let auth = sign1(&es256(), x5chain(chain), Cbor::Null, key.sign_bytes(&signed));
        documents.push(Cbor::members([("itemsRequest", items), ("readerAuth", auth)]));
    }
    Cbor::members([("version", "1.0".into()), ("docRequests", Cbor::Array(documents))]).encode()
}
