//! The hotel's desk: asks who somebody is, and gives their band access to a room.

use std::path::Path;

use anyhow::{Context as _, Result};
use bandpass_core::{Binding, Challenge, Dcql, Demand, RequestedElements, Requirements, Trust, Verified, Verifier};
use bandpass_roles::mdoc::{BAND_DOCTYPE, MdocDetails, Session, device_request, issue};
use bandpass_roles::os_rng;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::files::{self, KeyFile, Snapshot};

/// `docType` of an access credential.
pub const ACCESS_DOCTYPE: &str = "bandpass.access.1";
/// What guests are asked for.
const IDENTITY: [&str; 2] = ["given_name", "family_name"];

/// What the desk has: `desk.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Desk {
    /// The building.
    pub site: String,
    /// Signs access credentials.
    pub signer: KeyFile,
    /// Asks bands.
    pub reader: KeyFile,
    /// Whom it trusts for who people are.
    pub snapshot: Snapshot,
    /// The last sequence, by a guest's room and by the role of staff.
    pub sequences: Map<String, Value>,
}

/// What somebody is given.
#[derive(Clone, Debug)]
pub struct Stay {
    /// Doors. Of a guest the first one is the room.
    pub doors: Vec<String>,
    /// From when, seconds since 1970.
    pub from: u64,
    /// Until when.
    pub until: u64,
    /// Of staff, who have one sequence for a role.
    pub role: Option<String>,
    /// Whether it joins whoever is in the room, in place of ending their keys.
    pub joins: bool,
}

impl Desk {
    /// The DCQL query for identity claims.
    #[must_use]
    pub fn query() -> Value {
        let claims = IDENTITY.map(|name| json!({"path": [BAND_DOCTYPE, name]}));
        json!({"credentials": [{"id": "guest", "format": "mso_mdoc", "meta": {"doctype_value": BAND_DOCTYPE}, "claims": claims}]})
    }

    /// What a band is asked in a session, signed by the hotel.
    ///
    /// # Errors
    /// If the reader's key is none.
    pub fn request(&self, session_transcript: &[u8]) -> Result<Vec<u8>> {
        let reader = self.reader.read()?;
        let names = [&["pairing", "band_measures"][..], &IDENTITY].concat();
        let names = names.into_iter().map(ToOwned::to_owned).collect();
        let requested =
            [RequestedElements { doctype: BAND_DOCTYPE.into(), name_spaces: vec![(BAND_DOCTYPE.into(), names)] }];
        let session = Session::Proximity { session_transcript: session_transcript.to_vec() };
        Ok(device_request(&reader.key, std::slice::from_ref(&reader.certificate), &session, &requested))
    }

    /// Who it is, by what their band presented in a session.
    ///
    /// # Errors
    /// The verifier's refusal.
    pub fn identify(&self, presented: &[u8], session_transcript: &[u8], now: u64) -> Result<Verified> {
        let mut verifier = Verifier::new(Trust::from_json(self.snapshot.trust.to_string().as_bytes())?);
        for token in self.snapshot.status_list_tokens()? {
            verifier.update_status(&token, self.snapshot.taken_at)?;
        }
        let binding = Binding::Proximity { session_transcript: session_transcript.to_vec(), reader_key: None };
        let dcql = Dcql::from_json(Self::query().to_string().as_bytes())?;
        let submission = verifier.submit(presented, Challenge::bound(binding, now)?.dcql(dcql));
        let requirements =
            Requirements { worn: Demand::Required, unlocked: Demand::Required, ..Requirements::default() };
        Ok(submission.verify("guest", &requirements)?)
    }

    /// An access credential for the band of whoever was identified: `IssuerSigned`, as it is handed over.
    ///
    /// # Errors
    /// If the key is none.
    pub fn give_access(&mut self, guest: &Verified, stay: &Stay, now: u64) -> Result<Vec<u8>> {
        let signer = self.signer.read()?;
        let series = stay.role.as_ref().or(stay.doors.first()).context("a door")?.clone();
        let last = self.sequences.get(&series).and_then(Value::as_u64).unwrap_or_default();
        let sequence = if stay.joins || stay.role.is_some() { last } else { last + 1 };
        self.sequences.insert(series, sequence.into());
        let mut elements = Map::from_iter([
            ("site".to_owned(), json!(self.site)),
            ("doors".to_owned(), json!(stay.doors)),
            ("not_before".to_owned(), json!(stay.from)),
            ("not_after".to_owned(), json!(stay.until)),
            ("sequence".to_owned(), json!(sequence)),
        ]);
        elements.extend(stay.role.iter().map(|role| ("role".to_owned(), json!(role))));
        let key = guest.key_jwk().context("a band proves its key")?;
        let details = MdocDetails {
            doctype: ACCESS_DOCTYPE.into(),
            elements: vec![(ACCESS_DOCTYPE.into(), elements)],
            device_jwk: serde_json::from_str(&key)?,
            authorized: Vec::new(),
            signed: now,
            valid_until: stay.until,
            status: None,
        };
        let mdoc = issue(&signer.key, std::slice::from_ref(&signer.certificate), &details, &mut os_rng());
        Ok(mdoc.issuer_signed(|_, _| true).encode())
    }

    /// Asks a band that is tapped at the desk, and gives it access. Says what came of it.
    ///
    /// # Errors
    /// What is wrong with the file, or the bridge.
    pub fn check_in(file: &Path, stay: &Stay, now: u64) -> Result<Value> {
        let mut desk = files::read::<Self>(file)?;
        let pipe = bandpass_bluetooth::pipe::Pipe::open();
        let begun = bandpass_bluetooth::talk::Conversation::begin(&pipe, |transcript| desk.request(transcript))?;
        let mut conversation = begun.context("nobody came")?;
        let said = match conversation.hear()? {
            Ok(presented) => match desk.identify(&presented, conversation.session().transcript(), now) {
                Ok(guest) => {
                    let access = desk.give_access(&guest, stay, now)?;
                    files::write(file, &desk)?;
                    conversation.say(&access)?;
                    // The band has it when it ends the session.
                    match conversation.hear()? {
                        Err(why) if why == "the band ended it" => {
                            let name = IDENTITY.map(|name| guest.claims().get(name).and_then(Value::as_str));
                            json!({"guest": name, "doors": stay.doors})
                        }
                        Err(why) => json!({"code": why}),
                        Ok(_) => json!({"code": "more than was asked for"}),
                    }
                }
                Err(error) => json!({"code": error.to_string()}),
            },
            Err(why) => json!({"code": why}),
        };
        conversation.end()?;
        Ok(json!({"who": "desk", "said": said}))
    }
}
