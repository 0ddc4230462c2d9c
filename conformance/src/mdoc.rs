//! The same token as an mdoc, for vectors to spoil.

use anyhow::{Context as _, Result};
use bandpass_roles::cbor::Cbor;
use bandpass_roles::mdoc::{
    BAND_DOCTYPE, DeviceAuth, MdocDetails, Session, cose_key, device_response, device_signed, document, issuer_auth,
    issuer_signed_item, mobile_security_object,
};
use bandpass_roles::{BAND_VCT, Key, base64url, random_id};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::Binding;
use crate::certificate::{Certificate, LEAF, ROOT};
use crate::draft::{Draft, ISSUER, key};

/// Changes something before it is put to use.
pub(crate) type Edit<T> = Option<Box<dyn FnOnce(&mut T)>>;

/// For each namespace its elements, by name.
pub(crate) type Elements = Vec<(String, Vec<(String, Cbor)>)>;

/// id-mdl-kp-mdlDS.
pub(crate) const MDOC_SIGNER: &str = "1.0.18013.5.1.2";

/// The certificate of an issuer of mdocs.
pub(crate) const DOCUMENT_SIGNER: Certificate = Certificate { purposes: &[MDOC_SIGNER], ..LEAF };

/// Claims that are no elements.
const NO_ELEMENTS: &[&str] = &["iss", "iat", "nbf", "exp", "vct", "cnf", "status"];

/// What an mdoc has besides what an SD-JWT has too. As it is, it makes a good one.
pub(crate) struct MdocDraft {
    pub(crate) chain: Vec<Certificate>,
    pub(crate) hash: fn(&[u8]) -> Vec<u8>,
    pub(crate) auth: DeviceAuth,
    /// What the proof is of, unless it is of the challenge's binding.
    pub(crate) session: Option<Session>,
    /// Before digests are made.
    pub(crate) elements: Edit<Elements>,
    /// Afterwards: `IssuerSignedItemBytes`, tagged, of those elements that are shown.
    pub(crate) items: Edit<Elements>,
    pub(crate) mso: Edit<Cbor>,
    pub(crate) issuer_auth: Edit<Cbor>,
    /// `DeviceNameSpaces`.
    pub(crate) signed: Edit<Cbor>,
    pub(crate) document: Edit<Cbor>,
    pub(crate) response: Edit<Cbor>,
    pub(crate) bytes: Edit<Vec<u8>>,
    /// Documents beside this one.
    pub(crate) documents: Vec<Cbor>,
}

impl MdocDraft {
    fn new() -> Self {
        Self {
            chain: vec![DOCUMENT_SIGNER],
            hash: |bytes| Sha256::digest(bytes).to_vec(),
            auth: DeviceAuth::Signature,
            session: None,
            elements: None,
            items: None,
            mso: None,
            issuer_auth: None,
            signed: None,
            document: None,
            response: None,
            bytes: None,
            documents: Vec::new(),
        }
    }
}

/// The `docType` that stands for a `vct`.
pub(crate) fn doctype(vct: &str) -> String {
    match vct.strip_prefix("urn:example:") {
        Some(name) => format!("example.{name}.1"),
        None if vct == BAND_VCT => BAND_DOCTYPE.into(),
        None => vct.into(),
    }
}

/// A session at a reader, and the reader's private key.
pub(crate) fn session() -> Result<(Vec<u8>, [u8; 32])> {
    const READER: [u8; 32] = [21; 32];
    let engagement = Cbor::Map(vec![(Cbor::Integer(0), "1.0".into())]);
    let reader = cose_key(&Key::from_bytes(&READER)?.jwk());
    let transcript = Cbor::Array(vec![engagement.embedded(), reader.embedded(), Cbor::Null]);
    Ok((transcript.embedded().encode(), READER))
}

impl Binding {
    pub(crate) fn session(&self) -> Session {
        let bytes = |text: &String| Base64UrlUnpadded::decode_vec(text).unwrap_or_default();
        let thumbprint = |text: &Option<String>| text.as_ref().and_then(|text| bytes(text).try_into().ok());
        match self.clone() {
            Self::OpenId4Vp { client_id, nonce, response_uri, jwk_thumbprint } => {
                Session::OpenId4Vp { client_id, nonce, response_uri, jwk_thumbprint: thumbprint(&jwk_thumbprint) }
            }
            Self::DcApi { origin, nonce, jwk_thumbprint } => {
                Session::DcApi { origin, nonce, jwk_thumbprint: thumbprint(&jwk_thumbprint) }
            }
            Self::Proximity { session_transcript, .. } => {
                Session::Proximity { session_transcript: bytes(&session_transcript) }
            }
        }
    }
}

impl Draft {
    /// The same as an mdoc, by redirect.
    pub(crate) fn become_mdoc(&mut self) {
        self.mdoc = Some(MdocDraft::new());
        self.expected.binding = Some(Binding::OpenId4Vp {
            client_id: crate::draft::AUDIENCE.into(),
            nonce: self.expected.nonce.clone(),
            response_uri: "https://shop.example/response".into(),
            jwk_thumbprint: None,
        });
    }

    /// What is peculiar to the mdoc.
    pub(crate) fn mdoc(&mut self) -> &mut MdocDraft {
        self.mdoc.get_or_insert_with(MdocDraft::new)
    }

    /// At a reader, which has the key for MACs.
    pub(crate) fn in_proximity(&mut self) -> Result<()> {
        let (session_transcript, reader_key) = session()?;
        self.bind(Binding::Proximity {
            session_transcript: base64url(&session_transcript),
            reader_key: Some(base64url(&reader_key)),
        });
        Ok(())
    }

    /// For another binding, and the proof with it.
    pub(crate) fn bind(&mut self, binding: Binding) {
        let named = binding.session().named();
        for name in ["aud", "nonce"] {
            if self.kb.is_some() {
                self.proof()[name] = named.get(name).cloned().unwrap_or_default();
            }
        }
        self.expected.binding = Some(binding);
    }

    /// Claims as an mdoc returns them.
    pub(crate) fn elements(&self) -> Map<String, Value> {
        let claims = self.claims.clone().into_iter();
        claims.filter(|(name, _)| !NO_ELEMENTS.contains(&name.as_str())).collect()
    }

    /// The trust list and the query, and status lists with the certificate that signed them.
    pub(crate) fn judge_mdoc(&mut self) -> Result<()> {
        let chain = [DOCUMENT_SIGNER.base64()?];
        for list in &mut self.status_lists {
            list.as_cwt().header["x5c"] = json!(chain);
        }
        if let Some(entry) = self.trust["issuers"].get_mut(0)
            && entry["iss"] == ISSUER
            && entry["jwks"].is_object()
        {
            let doctypes = entry["vct"].as_array().into_iter().flatten().filter_map(Value::as_str).map(doctype);
            let doctypes = doctypes.collect::<Vec<_>>();
            let entry = entry.as_object_mut().context("an entry is an object")?;
            entry.retain(|name, _| !["jwks", "vct"].contains(&name.as_str()));
            entry.insert("x5c_roots".into(), json!([ROOT.base64()?]));
            entry.insert("doctypes".into(), doctypes.into());
        }
        for query in self.expected.dcql.iter_mut().filter_map(|dcql| dcql["credentials"].as_array_mut()).flatten() {
            if query["format"] == "dc+sd-jwt" {
                let doctype = doctype(query["meta"]["vct_values"][0].as_str().context("a type")?);
                query["format"] = "mso_mdoc".into();
                query["meta"] = json!({"doctype_value": doctype});
                for claim in query.get_mut("claims").and_then(Value::as_array_mut).into_iter().flatten() {
                    let element = claim["path"].as_array().into_iter().flatten().filter_map(Value::as_str);
                    claim["path"] = json!([doctype, element.collect::<Vec<_>>().join(".")]);
                }
            }
        }
        if self.expected.binding.is_some() {
            (self.expected.audience, self.expected.nonce) = Default::default();
        }
        Ok(())
    }

    /// The presentation as a wallet would send it.
    pub(crate) fn mdoc_token(&mut self) -> Result<String> {
        let mut document = vec![self.mdoc_document()?];
        let mdoc = self.mdoc();
        document.append(&mut mdoc.documents);
        let mut response = device_response(document);
        if let Some(edit) = mdoc.response.take() {
            edit(&mut response);
        }
        let mut bytes = response.encode();
        if let Some(edit) = mdoc.bytes.take() {
            edit(&mut bytes);
        }
        Ok(base64url(&bytes))
    }

    /// The only document.
    pub(crate) fn mdoc_document(&mut self) -> Result<Cbor> {
        let doctype = doctype(self.claims.get("vct").and_then(Value::as_str).unwrap_or_default());
        let mut named = Vec::new();
        for (name, value) in self.elements() {
            match &value {
                Value::Object(members) if name == "age_equal_or_over" => {
                    named.extend(members.iter().map(|(age, over)| (format!("{name}.{age}"), over.into())));
                }
                value => named.push((name, value.into())),
            }
        }
        let mut elements: Elements = vec![(doctype.clone(), named)];
        if let Some(edit) = self.mdoc().elements.take() {
            edit(&mut elements);
        }
        let hash = self.mdoc().hash;
        let (mut items, mut digests) = (Elements::new(), Vec::new());
        let hidden = self.hidden.iter().map(|pointer| pointer[1..].replace('/', ".")).collect::<Vec<_>>();
        let is_hidden = |name: &String| {
            hidden
                .iter()
                .any(|hidden| name == hidden || name.strip_prefix(hidden).is_some_and(|rest| rest.starts_with('.')))
        };
        for (name_space, elements) in elements {
            let (mut of_space, mut of_items) = (Vec::new(), Vec::new());
            for ((name, value), id) in elements.into_iter().zip(0..) {
                let item = issuer_signed_item(id, random_id(&mut self.rng).as_bytes(), &name, value);
                of_items.push((Cbor::Integer(id), Cbor::Bytes(hash(&item.encode()))));
                if !is_hidden(&name) {
                    of_space.push((name, item));
                }
            }
            digests.push((name_space.as_str().into(), Cbor::Map(of_items)));
            items.push((name_space, of_space));
        }
        if let Some(edit) = self.mdoc().items.take() {
            edit(&mut items);
        }
        let number = |name| self.claims.get(name).and_then(Value::as_u64);
        let signed = number("iat").context("a time")?;
        let details = MdocDetails {
            doctype: doctype.clone(),
            elements: Vec::new(),
            device_jwk: self.claims["cnf"]["jwk"].clone(),
            authorized: vec![BAND_DOCTYPE.into()],
            signed,
            valid_until: number("exp").context("a time")?,
            status: None,
        };
        let mut mso = mobile_security_object(&details, Cbor::Map(digests));
        if let Some(status) = self.claims.get("status") {
            *mso.member("status") = status.into();
        }
        if let Some(edit) = self.mdoc().mso.take() {
            edit(&mut mso);
        }
        let chain = self.mdoc().chain.iter().map(Certificate::der).collect::<Result<Vec<_>>>()?;
        let mut issuer_auth = issuer_auth(&self.issuer_key, &chain, &mso.embedded());
        if let Some(edit) = self.mdoc().issuer_auth.take() {
            edit(&mut issuer_auth);
        }
        let mut issuer_signed = Cbor::Map(Vec::new());
        let shown = items.into_iter().filter(|(_, items)| !items.is_empty());
        let shown = shown.map(|(name_space, items)| {
            (name_space.as_str().into(), Cbor::Array(items.into_iter().map(|(_, item)| item).collect()))
        });
        *issuer_signed.member("nameSpaces") = Cbor::Map(shown.collect());
        if issuer_signed == Cbor::members([("nameSpaces", Cbor::Map(Vec::new()))]) {
            issuer_signed.remove("nameSpaces");
        }
        *issuer_signed.member("issuerAuth") = issuer_auth;
        let mut document = document(&doctype, issuer_signed, Cbor::Null);
        match self.kb.clone() {
            Some(mut proof) => {
                self.complete_proof(&mut proof)?;
                *document.member("deviceSigned") = self.sign_mdoc_proof(&doctype, &proof)?;
            }
            None => document.remove("deviceSigned"),
        }
        if let Some(edit) = self.mdoc().document.take() {
            edit(&mut document);
        }
        Ok(document)
    }

    fn sign_mdoc_proof(&mut self, doctype: &str, proof: &Value) -> Result<Cbor> {
        let is_empty = proof.as_object().is_none_or(Map::is_empty);
        let mut signed = match is_empty {
            true => Cbor::Map(Vec::new()),
            false => Cbor::members([(BAND_DOCTYPE, proof.into())]),
        };
        if let Some(edit) = self.mdoc().signed.take() {
            edit(&mut signed);
        }
        let binding = self.expected.binding.as_ref().map(Binding::session);
        let auth = self.mdoc().auth;
        let session = self.mdoc().session.take().or(binding).context("a session")?;
        device_signed(&self.holder_key, auth, &session, doctype, &signed).context("a proof")
    }
}

/// A key that is no holder's.
pub(crate) fn thief() -> Result<Key> {
    key(8)
}
