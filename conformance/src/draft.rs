//! A good token in the making, for vectors to spoil.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use bandpass_roles::status_list::{encoded, sign1};
use bandpass_roles::{BAND_VCT, Key, StatusList, base64url, random_id, sd_jwt, sha256_base64url, transaction_data};
use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use serde_json::{Map, Value, json};

use crate::mdoc::MdocDraft;
use crate::{Expected, Requirements, Vector, Verdict};

/// When every vector is judged.
pub(crate) const NOW: u64 = 1_790_000_000;
const DAY: u64 = 86_400;
pub(crate) const ISSUER: &str = "https://wallet.example";
pub(crate) const AUDIENCE: &str = "x509_san_dns:shop.example";

/// Changes the payload and the disclosures before the issuer signs.
type PayloadEdit = Box<dyn FnOnce(&mut Value, &mut Vec<String>)>;
/// Changes what goes over the wire.
type TokenEdit = Box<dyn FnOnce(String) -> String>;
/// Changes another good token of the same holder, for the same challenge.
pub(crate) type DraftEdit = Box<dyn FnOnce(&mut Draft)>;

/// A status list token in the making.
#[derive(Clone)]
pub(crate) struct StatusDraft {
    pub(crate) key: Key,
    /// Header of a JWT. A CWT has its `alg`, `typ` and `kid`.
    pub(crate) header: Value,
    /// Claims, without `status_list` unless it is there.
    pub(crate) claims: Value,
    pub(crate) bits: u8,
    pub(crate) entries: usize,
    /// Statuses other than 0, by index.
    pub(crate) statuses: Vec<(usize, u8)>,
    pub(crate) cwt: bool,
    pub(crate) edit_token: Option<fn(Vec<u8>) -> Vec<u8>>,
}

/// Everything that a token is made of. As it is, it makes a good one.
pub(crate) struct Draft {
    pub(crate) rng: ChaCha20Rng,
    pub(crate) issuer_key: Key,
    pub(crate) holder_key: Key,
    pub(crate) phone_key: Key,
    pub(crate) trust: Value,
    pub(crate) header: Value,
    pub(crate) claims: Map<String, Value>,
    /// Selectively disclosable claims (JSON Pointers).
    pub(crate) selective: Vec<&'static str>,
    /// Those of them that are not disclosed.
    pub(crate) hidden: Vec<&'static str>,
    pub(crate) edit_payload: Option<PayloadEdit>,
    pub(crate) kb_header: Value,
    /// Claims of the proof; `sd_hash` and the transactions' hashes are added unless they are there. None: no proof.
    pub(crate) kb: Option<Value>,
    /// The approval's header and payload; completed from the proof unless members are there.
    pub(crate) approval: Option<(Value, Value)>,
    pub(crate) edit_token: Option<TokenEdit>,
    pub(crate) status_lists: Vec<StatusDraft>,
    /// What is sent beside it, each with the query that it answers; this one then answers the query that is asked.
    pub(crate) beside: Vec<(&'static str, DraftEdit)>,
    /// As an mdoc, if it is one.
    pub(crate) mdoc: Option<MdocDraft>,
    /// Claims of the verdict that are not among `claims`.
    pub(crate) verdict_claims: Option<Value>,
    pub(crate) expected: Expected,
}

/// A key that is always the same, by its number.
pub(crate) fn key(number: u8) -> Result<Key> {
    Ok(Key::from_bytes(&[number; 32])?)
}

impl Draft {
    /// The same for the same name, whatever other vectors there are.
    pub(crate) fn new(name: &str) -> Result<Self> {
        let seed = sha256_base64url(name.as_bytes());
        let mut rng = ChaCha20Rng::from_seed(seed.as_bytes().first_chunk().copied().context("32 bytes")?);
        let (issuer_key, holder_key, phone_key) = (key(1)?, key(2)?, key(3)?);
        let mut jwk = issuer_key.jwk();
        jwk["kid"] = "1".into();
        let nonce = random_id(&mut rng);
        let today = NOW / DAY * DAY;
        let claims = json!({
            "iss": ISSUER,
            "iat": today - DAY,
            "exp": today + 13 * DAY,
            "vct": BAND_VCT,
            "cnf": {"jwk": holder_key.jwk()},
            "status": {"status_list": {"idx": STATUS_INDEX, "uri": STATUS_URI}},
            "pairing": {"jkt": phone_key.thumbprint(), "epoch": 3},
            "band_measures": ["wear", "unlock", "confirm"],
            "sub": "account-1",
            "given_name": "Lin",
            "family_name": "Zhào",
            "birthdate": "1990-05-17",
            "nationalities": ["CN", "FR"],
            "age_equal_or_over": {"14": true, "18": true, "21": true},
        });
        Ok(Self {
            trust: json!({"issuers": [{"iss": ISSUER, "jwks": {"keys": [jwk]}, "vct": [BAND_VCT, "urn:example:member"]}]}),
            header: json!({"alg": "ES256", "typ": "dc+sd-jwt", "kid": "1"}),
            claims: claims.as_object().cloned().context("an object")?,
            selective: vec![
                "/sub",
                "/given_name",
                "/family_name",
                "/birthdate",
                "/nationalities/0",
                "/nationalities/1",
                "/age_equal_or_over/14",
                "/age_equal_or_over/18",
                "/age_equal_or_over/21",
                "/age_equal_or_over",
            ],
            hidden: Vec::new(),
            edit_payload: None,
            kb_header: json!({"alg": "ES256", "typ": "kb+jwt"}),
            kb: Some(json!({
                "iat": NOW - 5,
                "aud": AUDIENCE,
                "nonce": nonce,
                "jti": random_id(&mut rng),
                "band": {"worn_since": NOW - 3_600, "unlocked_at": NOW - 3_000, "counter": 7},
            })),
            approval: None,
            edit_token: None,
            status_lists: vec![StatusDraft::new(&issuer_key)],
            beside: Vec::new(),
            mdoc: None,
            verdict_claims: None,
            expected: Expected {
                audience: vec![AUDIENCE.into()],
                nonce,
                binding: None,
                measured_distance_mm: None,
                now: NOW,
                max_age: 300,
                clock_tolerance: 60,
                status_max_age: 900,
                transaction_data: Vec::new(),
                dcql: None,
                query_id: String::new(),
                requirements: Requirements::default(),
            },
            rng,
            issuer_key,
            holder_key,
            phone_key,
        })
    }

    /// The proof's claims.
    pub(crate) fn proof(&mut self) -> &mut Value {
        self.kb.get_or_insert_with(|| json!({}))
    }

    /// Evidence in the proof.
    pub(crate) fn band(&mut self) -> &mut Value {
        &mut self.proof()["band"]
    }

    /// The approval's header and payload, made if there is none.
    pub(crate) fn approved(&mut self) -> &mut (Value, Value) {
        self.approval.get_or_insert_with(|| (json!({}), json!({"amr": ["face"], "iat": NOW - 8})))
    }

    /// The only status list.
    pub(crate) fn status(&mut self) -> &mut StatusDraft {
        self.status_lists.truncate(1);
        if self.status_lists.is_empty() {
            self.status_lists.push(StatusDraft::new(&self.issuer_key));
        }
        let [only] = self.status_lists.as_mut_slice() else { unreachable!("there is one") };
        only
    }

    /// Adds a payment to what is asked for, and the phone's approval.
    pub(crate) fn pay(&mut self, amount: &str) {
        self.expected.transaction_data.push(payment(amount));
        self.approved();
    }

    /// Another type of credential, for which the band profile does not hold.
    pub(crate) fn member(&mut self) {
        for name in ["pairing", "band_measures", "status"] {
            self.claims.remove(name);
        }
        self.status_lists.clear();
        self.claims.insert("vct".into(), "urn:example:member".into());
        if let Some(proof) = self.proof().as_object_mut() {
            proof.remove("band");
            proof.remove("jti");
        }
    }

    /// The presentation as a wallet would send it.
    pub(crate) fn token(&mut self) -> Result<String> {
        if self.mdoc.is_some() {
            let token = self.mdoc_token()?;
            return Ok(match self.edit_token.take() {
                Some(edit) => edit(token),
                None => token,
            });
        }
        let (mut payload, mut disclosures) = sd_jwt::conceal(self.claims.clone(), &self.selective, &mut self.rng)?;
        // Disclosures come in the order of `conceal`: the deepest first.
        let mut order = self.selective.clone();
        order.sort_by_key(|pointer| std::cmp::Reverse(pointer.matches('/').count()));
        let mut shown = order.iter().map(|pointer| !self.hidden.contains(pointer));
        disclosures.retain(|_| shown.next().unwrap_or(true));
        if let Some(edit) = self.edit_payload.take() {
            edit(&mut payload, &mut disclosures);
        }
        let presented = sd_jwt::join(&self.issuer_key.sign(&self.header, &payload), &disclosures);
        let mut token = presented.clone();
        if let Some(proof) = self.kb.clone() {
            token.push_str(&self.sign_proof(proof, &presented)?);
        }
        Ok(match self.edit_token.take() {
            Some(edit) => edit(token),
            None => token,
        })
    }

    /// The token by itself, or an object with what is sent beside it.
    fn vp_token(&mut self, name: &str) -> Result<String> {
        if self.beside.is_empty() {
            return self.token();
        }
        let mut sent = BTreeMap::<_, Vec<_>>::new();
        sent.entry(self.expected.query_id.clone()).or_default().push(self.token()?);
        for (number, (query_id, change)) in std::mem::take(&mut self.beside).into_iter().enumerate() {
            let mut other = Self::new(&format!("{name}/{number}"))?;
            other.proof()["nonce"] = self.expected.nonce.clone().into();
            if self.mdoc.is_some() {
                other.become_mdoc();
                other.expected.binding.clone_from(&self.expected.binding);
            }
            change(&mut other);
            sent.entry(query_id.into()).or_default().push(other.token()?);
        }
        Ok(json!(sent).to_string())
    }

    fn sign_proof(&mut self, mut proof: Value, presented: &str) -> Result<String> {
        let members = proof.as_object_mut().context("a proof is an object")?;
        members.entry("sd_hash").or_insert_with(|| sha256_base64url(presented.as_bytes()).into());
        self.complete_proof(&mut proof)?;
        Ok(self.holder_key.sign(&self.kb_header, &proof))
    }

    /// Hashes of transactions, and the approval.
    pub(crate) fn complete_proof(&mut self, proof: &mut Value) -> Result<()> {
        let session = self.expected.binding.as_ref().map(|binding| binding.session().named());
        let hashes = self.expected.transaction_data.iter().map(|sent| sha256_base64url(sent.as_bytes()));
        let hashes = hashes.collect::<Vec<_>>();
        let members = proof.as_object_mut().context("a proof is an object")?;
        if !hashes.is_empty() {
            members.entry("transaction_data_hashes").or_insert_with(|| hashes.into());
        }
        if let Some((mut header, mut payload)) = self.approval.clone() {
            let defaults = json!({"alg": "ES256", "typ": "band-approval+jwt", "jwk": self.phone_key.jwk()});
            complete(&mut header, &defaults);
            let mut from_proof = json!({"band_jkt": self.holder_key.thumbprint(), "jti": random_id(&mut self.rng)});
            for name in ["aud", "nonce", "transaction_data_hashes", "transaction_data_hashes_alg"] {
                if let Some(value) = members.get(name) {
                    from_proof[name] = value.clone();
                }
            }
            if let Some(session) = session.as_ref().and_then(|named| named.get("session")) {
                from_proof["session"] = session.clone();
            }
            complete(&mut payload, &from_proof);
            let approval = self.phone_key.sign(&header, &payload);
            members.entry("approval").or_insert_with(|| approval.into());
        }
        remove_nulls(proof);
        Ok(())
    }

    /// The finished vector.
    pub(crate) fn finish(mut self, name: &str, section: &str, code: Option<&str>) -> Result<Vector> {
        let vp_token = self.vp_token(name)?;
        if self.mdoc.is_some() {
            self.judge_mdoc()?;
        }
        let mut claims = Value::Object(if self.mdoc.is_some() { self.elements() } else { self.claims.clone() });
        let mut hidden = self.hidden.clone();
        // From the end, so that places in arrays stay what they are.
        hidden.sort_unstable_by(|one, other| other.cmp(one));
        for pointer in hidden {
            let (parent, last) = pointer.rsplit_once('/').context("a pointer")?;
            match claims.pointer_mut(parent) {
                Some(Value::Object(members)) => drop(members.remove(last)),
                Some(Value::Array(items)) => drop(items.remove(last.parse()?)),
                _ => {}
            }
        }
        for (name, value) in self.verdict_claims.iter().filter_map(Value::as_object).flatten() {
            claims[name] = value.clone();
        }
        let result = match code {
            Some(code) => Verdict::Refused { code: code.into() },
            None => Verdict::Accepted {
                claims: claims.as_object().cloned().unwrap_or_default(),
                transactions: vec![Some("t-1".into()); self.expected.transaction_data.len()],
            },
        };
        Ok(Vector {
            name: name.into(),
            section: section.into(),
            trust: self.trust.clone(),
            status_lists: self.status_lists.iter().map(StatusDraft::token).collect::<Result<_>>()?,
            vp_token,
            expected: self.expected,
            result,
        })
    }
}

/// The same as EUDI TS12 has it: the amount is a JSON number, with these digits.
pub(crate) fn eudi_payment(amount: &str) -> String {
    let entry = format!(
        r#"{{"type":"urn:eudi:sca:payment:1","credential_ids":["band"],"payload":{{"transaction_id":"t-1","payee":{{"name":"Corner Bookshop","id":"merchant-7"}},"currency":"EUR","amount":{amount}}}}}"#
    );
    base64url(entry.as_bytes())
}

/// A sign-in that offers hash algorithms, so that the answer has to name one.
pub(crate) fn with_algorithms() -> String {
    let entry = json!({"type": "urn:bandpass:sign-in:1", "credential_ids": ["band"],
        "transaction_data_hashes_alg": ["sha-512", "sha-256"],
        "payload": {"transaction_id": "t-1", "service": "mail", "action": "open"}});
    base64url(entry.to_string().as_bytes())
}

/// `uri` of the status list.
pub(crate) const STATUS_URI: &str = "https://wallet.example/status/1";
/// Place in it.
pub(crate) const STATUS_INDEX: usize = 412;

impl StatusDraft {
    /// By the issuer, and everybody is valid.
    pub(crate) fn new(issuer_key: &Key) -> Self {
        Self {
            key: issuer_key.clone(),
            header: json!({"alg": "ES256", "typ": "statuslist+jwt", "kid": "1"}),
            claims: json!({"sub": STATUS_URI, "iat": NOW - 120, "exp": NOW + 600, "ttl": 300}),
            bits: 2,
            entries: 1_024,
            statuses: Vec::new(),
            cwt: false,
            edit_token: None,
        }
    }

    /// The same as CWT.
    pub(crate) fn as_cwt(&mut self) -> &mut Self {
        self.cwt = true;
        self.header["typ"] = "application/statuslist+cwt".into();
        self
    }

    fn token(&self) -> Result<String> {
        let mut list = StatusList::new(self.bits, self.entries).context("bits")?;
        for (index, status) in &self.statuses {
            ensure!(list.set(*index, *status), "no place for a status");
        }
        let mut claims = self.claims.clone();
        complete(&mut claims, &json!({"status_list": list.to_json()}));
        let mut header = self.header.clone();
        remove_nulls(&mut header);
        let mut token = match self.cwt {
            false => self.key.sign(&header, &claims).into_bytes(),
            true => self.cwt(&header, &claims),
        };
        if let Some(edit) = self.edit_token {
            token = edit(token);
        }
        Ok(match self.cwt {
            false => String::from_utf8(token)?,
            true => base64url(&token),
        })
    }

    /// Claims and header parameters by their numbers (RFC 8392, RFC 9052, RFC 9596); others by their names.
    fn cwt(&self, header: &Value, claims: &Value) -> Vec<u8> {
        let label = |name: &str| match name {
            "iss" | "alg" => Some(1),
            "sub" | "crit" => Some(2),
            "exp" | "kid" => Some(4),
            "nbf" => Some(5),
            "iat" => Some(6),
            "typ" => Some(16),
            "x5c" => Some(33),
            "ttl" => Some(65_534),
            "status_list" => Some(65_533),
            _ => None,
        };
        let map = |value: &Value| {
            let members = value.as_object().into_iter().flatten();
            let mut cbor = encoded(|cbor| cbor.map(members.clone().count().try_into().unwrap_or(0)).map(drop));
            for (name, value) in members {
                cbor.extend(match label(name) {
                    Some(number) => encoded(|cbor| cbor.i64(number).map(drop)),
                    None => encoded(|cbor| cbor.str(name).map(drop)),
                });
                cbor.extend(match (name.as_str(), value) {
                    ("alg", Value::String(name)) if name == "ES256" => encoded(|cbor| cbor.i64(-7).map(drop)),
                    // One certificate is sent without an array (RFC 9360, section 2).
                    ("x5c", Value::Array(chain)) => {
                        let ders = chain.iter().filter_map(|der| Base64::decode_vec(der.as_str()?).ok());
                        let ders = ders.map(|der| encoded(|cbor| cbor.bytes(&der).map(drop))).collect::<Vec<_>>();
                        let count = u64::try_from(ders.len()).ok().filter(|count| *count != 1);
                        let array = count.map(|count| encoded(|cbor| cbor.array(count).map(drop)));
                        [array.unwrap_or_default(), ders.concat()].concat()
                    }
                    ("kid", Value::String(kid)) => encoded(|cbor| cbor.bytes(kid.as_bytes()).map(drop)),
                    (_, value) => to_cbor(value),
                });
            }
            cbor
        };
        sign1(&self.key, &map(header), &map(&json!({})), &map(claims))
    }
}

/// The same in CBOR; of an object `lst` becomes the bytes that it is base64url of.
fn to_cbor(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => encoded(|cbor| cbor.str(text).map(drop)),
        Value::Number(number) => match number.as_i64() {
            Some(number) => encoded(|cbor| cbor.i64(number).map(drop)),
            None => encoded(|cbor| cbor.f64(number.as_f64().unwrap_or_default()).map(drop)),
        },
        Value::Bool(value) => encoded(|cbor| cbor.bool(*value).map(drop)),
        Value::Array(items) => {
            let mut cbor = encoded(|cbor| cbor.array(items.len().try_into().unwrap_or(0)).map(drop));
            cbor.extend(items.iter().flat_map(to_cbor));
            cbor
        }
        Value::Object(members) => {
            let mut cbor = encoded(|cbor| cbor.map(members.len().try_into().unwrap_or(0)).map(drop));
            for (name, member) in members {
                cbor.extend(encoded(|cbor| cbor.str(name).map(drop)));
                let bytes =
                    member.as_str().filter(|_| name == "lst").and_then(|lst| Base64UrlUnpadded::decode_vec(lst).ok());
                cbor.extend(match bytes {
                    Some(bytes) => encoded(|cbor| cbor.bytes(&bytes).map(drop)),
                    None => to_cbor(member),
                });
            }
            cbor
        }
        Value::Null => encoded(|cbor| cbor.null().map(drop)),
    }
}

/// A payment to the shop, as sent.
pub(crate) fn payment(amount: &str) -> String {
    let payload = json!({"transaction_id": "t-1", "payee": {"name": "Corner Bookshop", "id": "merchant-7"},
        "currency": "CNY", "amount": amount});
    transaction_data("urn:bandpass:payment:1", &["band"], &payload)
}

/// Adds the members that are not there. `null` stands for one that is to be left out.
fn complete(value: &mut Value, defaults: &Value) {
    let (Some(members), Some(defaults)) = (value.as_object_mut(), defaults.as_object()) else { return };
    for (name, default) in defaults {
        members.entry(name).or_insert_with(|| default.clone());
    }
    remove_nulls(value);
}

fn remove_nulls(value: &mut Value) {
    if let Some(members) = value.as_object_mut() {
        members.retain(|_, member| !member.is_null());
    }
}
