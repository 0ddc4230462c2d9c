//! `examples/door.c` with a band on the other end of two pipes.

use std::fs;
use std::io::{Read, Write as _};
use std::process::{ChildStdin, ChildStdout, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail, ensure};
use bandpass_conformance::Certified;
use bandpass_proximity::ble::{Characteristic, Event, Link, Role, Value};
use bandpass_proximity::{Band as Engaged, EphemeralKey, Session};
use bandpass_roles::cbor::Cbor;
use bandpass_roles::mdoc::{self, Answer, BAND_DOCTYPE, DeviceAuth, MdocDetails, device_response, issue};
use bandpass_roles::{Band, Key, StatusList, os_rng};
use base64ct::{Base64, Encoding as _};
use serde_json::json;

use crate::program::{BOTH, Linking, build, command};

/// As the door has it.
const MTU: u16 = 247;

/// What a band does at the door.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Deed {
    /// It shows its credential, with a MAC or a signature.
    Show(DeviceAuth),
    /// It shows it, but lies on a table.
    Unworn,
    /// It shows one that somebody else signed.
    Forge,
    /// It is stolen, and its owner has said so.
    Steal,
    /// It shows what was made for another session.
    Replay,
    /// It alters one byte of its message.
    Alter,
    /// It ends the session without an answer.
    Decline,
    /// It goes away.
    Leave,
    /// What NFC has read is no engagement.
    Garble,
}

/// The band's end of the two pipes.
struct Radio {
    input: ChildStdin,
    output: ChildStdout,
    link: Link,
}

impl Radio {
    fn write(&mut self, number: u8, value: &[u8]) -> Result<()> {
        let frame = [&[number], &u16::try_from(value.len())?.to_be_bytes()[..], value].concat();
        Ok(self.input.write_all(&frame)?)
    }

    fn send(&mut self, values: impl IntoIterator<Item = Value>) -> Result<()> {
        for (characteristic, value) in values {
            let place = Characteristic::ALL.iter().position(|one| *one == characteristic).context("one of all")?;
            self.write(u8::try_from(place + 1)?, &value)?;
        }
        Ok(())
    }

    fn send_message(&mut self, message: &[u8]) -> Result<()> {
        let values = self.link.send(message)?;
        self.send(values)
    }

    /// The next message; none when the door has ended the link.
    fn message(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            let mut head = [0; 3];
            self.output.read_exact(&mut head)?;
            let [number, high, low] = head;
            let mut value = vec![0; u16::from_be_bytes([high, low]).into()];
            self.output.read_exact(&mut value)?;
            let characteristic = Characteristic::ALL[usize::from(number) - 1];
            match self.link.received(characteristic, &value)? {
                Event::Message(message) => return Ok(Some(message)),
                Event::Ended => return Ok(None),
                Event::Started | Event::Chunk => {}
            }
        }
    }
}

/// What the door asks for.
fn due_request() -> Vec<u8> {
    let elements = Cbor::members([("pairing", Cbor::Bool(false)), ("band_measures", Cbor::Bool(false))]);
    let items = [("docType", BAND_DOCTYPE.into()), ("nameSpaces", Cbor::members([(BAND_DOCTYPE, elements)]))];
    let document = Cbor::members([("itemsRequest", Cbor::members(items).embedded())]);
    Cbor::members([("version", "1.0".into()), ("docRequests", Cbor::Array(vec![document]))]).encode()
}

/// Whoever issues bands.
struct Wallet {
    certified: Certified,
    now: u64,
}

impl Wallet {
    const URI: &str = "https://wallet.example/status/1";
    const INDEX: usize = 7;

    fn new() -> Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        Ok(Self { certified: Certified::document_signer()?, now })
    }

    fn trust(&self) -> String {
        let root = Base64::encode_string(&self.certified.root);
        json!({"issuers": [{"iss": "https://wallet.example", "doctypes": [BAND_DOCTYPE], "x5c_roots": [root]}]})
            .to_string()
    }

    /// Where all bands are valid, or all are suspended.
    fn status_list(&self, suspended: bool) -> Result<String> {
        let mut list = StatusList::new(2, 8).context("two bits")?;
        ensure!(list.set(Self::INDEX, if suspended { 2 } else { 0 }));
        let certificate = Base64::encode_string(&self.certified.certificate);
        let header = json!({"alg": "ES256", "typ": "statuslist+jwt", "x5c": [certificate]});
        let payload = json!({"sub": Self::URI, "iat": self.now, "exp": self.now + 600, "status_list": list.to_json()});
        Ok(self.certified.key.sign(&header, &payload))
    }

    /// What its band answers in a session.
    fn answer(&self, session_transcript: Vec<u8>, deed: Deed) -> Result<Vec<u8>> {
        let (rng, now) = (&mut os_rng(), self.now);
        let (key, phone, stranger) = (Key::generate(rng), Key::generate(rng), Key::generate(rng));
        let pairing = json!({"jkt": phone.thumbprint(), "epoch": 1});
        let elements = json!({"pairing": pairing, "band_measures": ["wear", "unlock"], "given_name": "Lin"});
        let details = MdocDetails {
            doctype: BAND_DOCTYPE.into(),
            elements: vec![(BAND_DOCTYPE.into(), elements.as_object().cloned().context("elements")?)],
            device_jwk: key.jwk(),
            authorized: vec![BAND_DOCTYPE.into()],
            signed: now - 3_600,
            valid_until: now + 86_400,
            status: Some((Self::INDEX, Self::URI.into())),
        };
        let signer = if deed == Deed::Forge { &stranger } else { &self.certified.key };
        let mdoc = issue(signer, std::slice::from_ref(&self.certified.certificate), &details, rng);
        let mut band = Band::new(key, String::new());
        if deed != Deed::Unworn {
            band.put_on(now - 600);
            band.unlock(now - 300);
        }
        let session = mdoc::Session::Proximity { session_transcript };
        let auth = if let Deed::Show(auth) = deed { auth } else { DeviceAuth::Signature };
        let answer = Answer { session: &session, auth, transaction_data: &[], approval: None, now };
        let document = band.present_mdoc(&mdoc, |_, _| false, &answer, rng).context("a document")?;
        Ok(device_response(vec![document]).encode())
    }
}

/// What the door says to a band that does this.
fn visit(linking: Linking, valgrind: bool, deed: Deed) -> Result<String> {
    let (wallet, folder) = (Wallet::new()?, tempfile::tempdir()?);
    let [trust, status_list] = ["trust.json", "status-list"].map(|name| folder.path().join(name));
    fs::write(&trust, wallet.trust())?;
    fs::write(&status_list, wallet.status_list(deed == Deed::Steal)?)?;
    let program = build("examples/door.c", linking)?;
    let mut door = command(&program, valgrind)
        .args([trust, status_list])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("starting a door: run `cargo xtask setup`")?;
    let (input, output) = (door.stdin.take().context("a pipe")?, door.stdout.take().context("a pipe")?);
    let mut radio = Radio { input, output, link: Link::new(Role::Band, MTU)? };
    play(&mut radio, deed, &wallet)?;
    // What the door still has to say is of no interest, but has to go somewhere.
    let Radio { input, mut output, .. } = radio;
    drop(input);
    output.read_to_end(&mut Vec::new())?;
    let output = door.wait_with_output()?;
    let said = String::from_utf8(output.stderr)?;
    let due = if said == "open\n" { 0 } else { 2 };
    ensure!(output.status.code() == Some(due), "{}: {said}", output.status);
    Ok(said.trim_end().to_owned())
}

fn play(radio: &mut Radio, deed: Deed, wallet: &Wallet) -> Result<()> {
    let band = Engaged::by_nfc(EphemeralKey::generate(&mut os_rng()), *b"0123456789abcdef");
    let select = band.handover_select().context("a tap")?.to_vec();
    radio.write(0, if deed == Deed::Garble { b"\xd1\x01" } else { &select })?;
    if deed == Deed::Garble {
        return Ok(());
    }
    let (mut session, request) = band.establish(&radio.message()?.context("a message")?)?;
    assert_eq!(request, due_request());
    match deed {
        Deed::Leave => return Ok(()),
        Deed::Decline => {
            let message = session.terminate();
            radio.send_message(&message)?;
        }
        _ => {
            let transcript = if deed == Deed::Replay { other_transcript()? } else { session.transcript().to_vec() };
            let mut message = session.seal(&wallet.answer(transcript, deed)?)?;
            if deed == Deed::Alter {
                *message.last_mut().context("a byte")? ^= 1;
            }
            radio.send_message(&message)?;
        }
    }
    let told = radio.message()?;
    match (deed, told) {
        (Deed::Alter, Some(status)) => {
            // Status 10; its own half of the session sees that as what it is.
            ensure!(session.open(&status) == Err(bandpass_proximity::Code::PeerEncryption));
        }
        (Deed::Alter, None) => bail!("nobody says that it was altered"),
        (_, None) => {}
        (_, Some(_)) => bail!("a message more than is due"),
    }
    Ok(())
}

/// Of a session of this band with a reader somewhere else.
fn other_transcript() -> Result<Vec<u8>> {
    let band = Engaged::by_nfc(EphemeralKey::generate(&mut os_rng()), [7; 16]);
    let reader = bandpass_proximity::Reader::by_nfc(band.handover_select().context("a tap")?, None)?;
    let (session, _): (Session, _) = reader.establish(EphemeralKey::generate(&mut os_rng()), b"")?;
    Ok(session.transcript().to_vec())
}

#[test]
fn opens_for_a_band_on_a_wrist() -> Result<()> {
    for linking in BOTH {
        for valgrind in [false, true] {
            let auth = if valgrind { DeviceAuth::Mac } else { DeviceAuth::Signature };
            assert_eq!(visit(linking, valgrind, Deed::Show(auth))?, "open", "{linking:?}");
        }
    }
    Ok(())
}

#[test]
fn stays_closed_for_others() -> Result<()> {
    for (deed, code) in [
        (Deed::Unworn, "evidence.not-worn"),
        (Deed::Forge, "issuer.signature"),
        (Deed::Steal, "status.suspended"),
        (Deed::Replay, "holder.signature"),
        (Deed::Alter, "session.encryption"),
        (Deed::Decline, "door.no-answer"),
        (Deed::Leave, "session.cut"),
        (Deed::Garble, "session.handover"),
    ] {
        assert_eq!(visit(Linking::Shared, false, deed)?, format!("closed: {code}"));
        if matches!(deed, Deed::Alter | Deed::Leave | Deed::Garble) {
            assert_eq!(visit(Linking::Static, true, deed)?, format!("closed: {code}"));
        }
    }
    Ok(())
}
