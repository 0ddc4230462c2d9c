//! A token taken apart into JSON, and put together and signed again.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::LazyLock;

use bandpass_conformance::Vector;
use bandpass_roles::{Key, base64url, sha256_base64url};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Map, Value};

/// Numbers of the keys that the vectors are made with (`conformance/src/draft.rs`).
pub(crate) const ISSUER: u8 = 1;
pub(crate) const HOLDER: u8 = 2;
pub(crate) const PHONE: u8 = 3;

/// Strings that start with this stand for what is only known when the token is put together.
const MARK: char = '\u{1}';
pub(crate) const SD_HASH: &str = "\u{1}sd_hash";
pub(crate) const APPROVAL: &str = "\u{1}approval";

pub(crate) fn digest_mark(disclosure: usize) -> String {
    format!("{MARK}digest {disclosure}")
}

fn transaction_mark(entry: usize) -> String {
    format!("{MARK}transaction {entry}")
}

/// Where changes go.
#[derive(Clone, Copy)]
pub(crate) enum Focus {
    Everything,
    Credential,
    Disclosures,
    Proof,
    Approval,
    Transactions,
}

/// A token as JSON that can be changed.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) focus: Focus,
    pub(crate) issuer_jwt: Part,
    pub(crate) disclosures: Vec<Value>,
    /// Which disclosures are sent, and in what order.
    pub(crate) sent: Vec<usize>,
    pub(crate) kb_jwt: Option<Part>,
    pub(crate) approval: Option<Part>,
    /// What the relying party sent.
    pub(crate) transactions: Vec<Value>,
}

/// A JWS.
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) header: Value,
    pub(crate) payload: Value,
    pub(crate) signer: u8,
    /// Bytes put into the payload's text: where, and over how many.
    pub(crate) splices: Vec<(usize, usize, Vec<u8>)>,
}

impl Parts {
    /// None if it is not made of JSON objects.
    pub(crate) fn of(vector: &Vector) -> Option<Self> {
        let (presented, kb_jwt) = vector.vp_token.rsplit_once('~')?;
        let mut parts = presented.split('~');
        let issuer_jwt = Part::of(parts.next()?, ISSUER)?;
        let encoded = parts.collect::<Vec<_>>();
        let disclosures = encoded.iter().map(|encoded| json(encoded)).collect::<Option<Vec<_>>>()?;
        let transactions = vector.expected.transaction_data.iter().map(|sent| json(sent));
        let transactions = transactions.collect::<Option<Vec<_>>>()?;
        let kb_jwt = if kb_jwt.is_empty() { None } else { Some(Part::of(kb_jwt, HOLDER)?) };
        let compact = kb_jwt.as_ref().and_then(|kb_jwt| kb_jwt.payload.get("approval")?.as_str());
        let mut approval = compact.and_then(|compact| Part::of(compact, PHONE));
        if let Some(approval) = &mut approval {
            let named = [ISSUER, HOLDER].into_iter().find(|key| approval.header["jwk"] == Value::Object(jwk(*key)));
            approval.signer = named.unwrap_or(PHONE);
        }
        let mut marks = HashMap::new();
        if let Some(compact) = compact.filter(|_| approval.is_some()) {
            marks.insert(compact.to_owned(), APPROVAL.to_owned());
        }
        marks.insert(sha256_base64url(format!("{presented}~").as_bytes()), SD_HASH.to_owned());
        for (number, encoded) in encoded.iter().enumerate() {
            marks.insert(sha256_base64url(encoded.as_bytes()), digest_mark(number));
        }
        for (number, sent) in vector.expected.transaction_data.iter().enumerate() {
            marks.insert(sha256_base64url(sent.as_bytes()), transaction_mark(number));
        }
        let sent = (0..disclosures.len()).collect();
        let mut parts =
            Self { focus: Focus::Everything, issuer_jwt, disclosures, sent, kb_jwt, approval, transactions };
        for tree in parts.trees() {
            replace(tree, &mut |text| marks.get(text).cloned());
        }
        Some(parts)
    }

    /// Makes it an answer to another challenge.
    pub(crate) fn nonce(&mut self, nonce: &str) {
        for part in [self.kb_jwt.as_mut(), self.approval.as_mut()].into_iter().flatten() {
            part.payload["nonce"] = nonce.into();
        }
    }

    /// What can be changed: in focus, if that is there.
    pub(crate) fn trees(&mut self) -> Vec<&mut Value> {
        let (kb, approval) = (usize::from(self.kb_jwt.is_some()), usize::from(self.approval.is_some()));
        let jws = [Some(&mut self.issuer_jwt), self.kb_jwt.as_mut(), self.approval.as_mut()];
        let jws = jws.into_iter().flatten().flat_map(|part| [&mut part.payload, &mut part.header]);
        let (disclosures, transactions) = (self.disclosures.len(), self.transactions.len());
        let mut all = jws.chain(&mut self.disclosures).chain(&mut self.transactions).collect::<Vec<_>>();
        let chosen = match self.focus {
            Focus::Everything => 0..all.len(),
            Focus::Credential => 0..1,
            Focus::Proof => 2..2 + kb,
            Focus::Approval => 2 + 2 * kb..2 + 2 * kb + approval,
            Focus::Disclosures => all.len() - transactions - disclosures..all.len() - transactions,
            Focus::Transactions => all.len() - transactions..all.len(),
        };
        if chosen.is_empty() { all } else { all.drain(chosen).collect() }
    }

    pub(crate) fn jws(&mut self) -> Vec<&mut Part> {
        [Some(&mut self.issuer_jwt), self.kb_jwt.as_mut(), self.approval.as_mut()].into_iter().flatten().collect()
    }

    /// The transaction data as it is sent, and the presentation that answers it.
    pub(crate) fn assemble(&self) -> (Vec<String>, String) {
        let transactions = self.transactions.iter().map(|entry| base64url(entry.to_string().as_bytes()));
        let transactions = transactions.collect::<Vec<_>>();
        let mut encoded = vec![None; self.disclosures.len()];
        for number in 0..encoded.len() {
            self.encode(number, &mut encoded, 0);
        }
        let encoded = encoded.into_iter().map(Option::unwrap_or_default).collect::<Vec<String>>();
        let mut marks = HashMap::new();
        for (number, disclosure) in encoded.iter().enumerate() {
            marks.insert(digest_mark(number), sha256_base64url(disclosure.as_bytes()));
        }
        for (number, sent) in transactions.iter().enumerate() {
            marks.insert(transaction_mark(number), sha256_base64url(sent.as_bytes()));
        }
        let mut token = self.issuer_jwt.sign(&marks) + "~";
        for number in &self.sent {
            token += &encoded[*number];
            token.push('~');
        }
        if let Some(kb_jwt) = &self.kb_jwt {
            marks.insert(SD_HASH.into(), sha256_base64url(token.as_bytes()));
            if let Some(approval) = &self.approval {
                marks.insert(APPROVAL.into(), approval.sign(&marks));
            }
            token += &kb_jwt.sign(&marks);
        }
        (transactions, token)
    }

    /// What is inside first. A disclosure that holds its own digest can't be made: it keeps the mark.
    fn encode(&self, number: usize, encoded: &mut Vec<Option<String>>, depth: usize) -> String {
        if let Some(done) = &encoded[number] {
            return done.clone();
        }
        let mut tree = self.disclosures[number].clone();
        if depth < self.disclosures.len() {
            replace(&mut tree, &mut |text| {
                let inner = text.strip_prefix(MARK)?.strip_prefix("digest ")?.parse::<usize>().ok()?;
                let inner = (inner != number && inner < self.disclosures.len())
                    .then(|| self.encode(inner, encoded, depth + 1))?;
                Some(sha256_base64url(inner.as_bytes()))
            });
        }
        let done = base64url(tree.to_string().as_bytes());
        encoded[number] = Some(done.clone());
        done
    }
}

impl Part {
    fn of(compact: &str, signer: u8) -> Option<Self> {
        let mut parts = compact.split('.');
        let (header, payload, _signature) = (json(parts.next()?)?, json(parts.next()?)?, parts.next()?);
        (parts.next().is_none() && header.is_object() && payload.is_object()).then_some(Self {
            header,
            payload,
            signer,
            splices: Vec::new(),
        })
    }

    fn sign(&self, marks: &HashMap<String, String>) -> String {
        let text = |tree: &Value| {
            let mut tree = tree.clone();
            replace(&mut tree, &mut |text| marks.get(text).cloned());
            tree.to_string().into_bytes()
        };
        let mut payload = text(&self.payload);
        for (place, over, bytes) in &self.splices {
            let place = place % (payload.len() + 1);
            let end = payload.len().min(place + over);
            payload.splice(place..end, bytes.iter().copied());
        }
        let signed = format!("{}.{}", base64url(&text(&self.header)), base64url(&payload));
        let signature = signature(self.signer, &signed);
        format!("{signed}.{signature}")
    }
}

/// Decodes a part of a token.
pub(crate) fn json(part: &str) -> Option<Value> {
    serde_json::from_slice(&Base64UrlUnpadded::decode_vec(part).ok()?).ok()
}

/// Replaces strings.
fn replace(tree: &mut Value, by: &mut dyn FnMut(&str) -> Option<String>) {
    match tree {
        Value::String(text) => {
            if let Some(found) = by(text) {
                *text = found;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, by)),
        Value::Object(members) => members.values_mut().for_each(|member| replace(member, by)),
        _ => {}
    }
}

/// The public key with this number, as JWK.
pub(crate) fn jwk(signer: u8) -> Map<String, Value> {
    let key = Key::from_bytes(&[signer; 32]).expect("a key");
    key.jwk().as_object().expect("an object").clone()
}

/// Most inputs change one part only: the signatures of the others are made once.
pub(crate) fn signature(signer: u8, signed: &str) -> String {
    const KEPT: usize = 4_096;
    static KEYS: LazyLock<Vec<SigningKey>> = LazyLock::new(|| {
        let key = |number| SigningKey::from_slice(&[number; 32]).expect("a key");
        [ISSUER, HOLDER, PHONE].map(key).into()
    });
    thread_local! {
        static MADE: RefCell<HashMap<(u8, String), String>> = RefCell::default();
    }
    MADE.with_borrow_mut(|made| {
        if made.len() >= KEPT {
            made.clear();
        }
        let entry = made.entry((signer, signed.to_owned()));
        let made = entry.or_insert_with(|| {
            let signature: Signature = KEYS[usize::from(signer - ISSUER)].sign(signed.as_bytes());
            base64url(&signature.to_bytes())
        });
        made.clone()
    })
}
