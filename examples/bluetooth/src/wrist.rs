//! A band and its owner's phone: LE Secure Connections by numeric comparison, then the phone's approval of a payment.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use bandpass_bluetooth::pipe::{Frame, Pipe};
use bandpass_core::verify_self_signed;
use bandpass_proximity::ble::{Event, Link, Role, Uuid};
use bandpass_roles::{Phone, Request, os_rng, random_id};
use clap::Args;
use serde_json::{Value, json};

/// The service that a band has for its phone: 50612b1e-... is this project's own.
const SERVICE: Uuid = *b"\x50\x61\x2b\x1e\x9d\x04\x4c\x77\xa3\x5e\x0f\x41\x6e\x2d\x88\x01";
/// What the band answers.
const TAKEN: &[u8] = b"taken";

#[derive(Args)]
pub(crate) struct WristOptions {
    /// Thumbprint of the paired phone's key.
    #[arg(long, allow_hyphen_values = true)]
    phone: String,
    /// Other numbers are shown, and the owner says so.
    #[arg(long)]
    differs: bool,
}

#[derive(Args)]
pub(crate) struct PhoneOptions {
    /// The phone's key.
    #[arg(long)]
    key: std::path::PathBuf,
    /// Thumbprint of the band's key.
    #[arg(long, allow_hyphen_values = true)]
    band: String,
    /// What is paid: an entry of transaction data, as it was sent.
    #[arg(long, allow_hyphen_values = true)]
    transaction_data: String,
}

pub(crate) fn wrist(options: &WristOptions) -> Result<Value> {
    let pipe = Pipe::open();
    pipe.advertise(SERVICE, &SERVICE)?;
    let mut link = Link::new(Role::Band, 23)?;
    let mut found = json!({"who": "wrist", "approval": null});
    while let Some(frame) = pipe.next()? {
        match frame {
            Frame::Compare(number) => {
                found["number"] = number.into();
                pipe.compared(!options.differs)?;
            }
            Frame::Connected(mtu) => {
                found["mtu"] = mtu.into();
                link = Link::new(Role::Band, mtu)?;
            }
            Frame::Value(characteristic, value) => match link.received(characteristic, &value)? {
                Event::Message(approval) => {
                    let signed = verify_self_signed(std::str::from_utf8(&approval)?, "band-approval+jwt", &[]);
                    let by_phone = signed.ok().filter(|signed| signed.thumbprint == options.phone);
                    found["approval"] = by_phone.map(|signed| Value::Object(signed.payload)).into();
                    pipe.send(link.send(TAKEN)?)?;
                }
                Event::Started | Event::Chunk | Event::Ended => {}
            },
            Frame::Disconnected => break,
            Frame::Tapped(_) => {}
        }
    }
    Ok(found)
}

pub(crate) fn phone(options: &PhoneOptions) -> Result<Value> {
    let phone = Phone::new(crate::key(&options.key)?);
    let pipe = Pipe::open();
    let mut talking = None;
    let mut found = json!({"who": "phone", "taken": false});
    while let Some(frame) = pipe.next()? {
        match frame {
            Frame::Tapped(service) => pipe.connect(service[..].try_into()?)?,
            Frame::Compare(number) => {
                found["number"] = number.into();
                pipe.compared(true)?;
            }
            Frame::Connected(mtu) => {
                let link = talking.insert(Link::new(Role::Reader, mtu)?);
                let request = Request {
                    audience: "x509_san_dns:shop.example".into(),
                    nonce: random_id(&mut os_rng()),
                    transaction_data: vec![options.transaction_data.clone()],
                };
                let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
                let approval = phone.approve(&request, &options.band, &["face"], now, &mut os_rng());
                pipe.send([link.start()?])?;
                let values = link.send(approval.as_bytes())?;
                found["mtu"] = mtu.into();
                found["fragments"] = values.len().into();
                pipe.send(values)?;
            }
            Frame::Value(characteristic, value) => {
                let Some(link) = &mut talking else { break };
                if link.received(characteristic, &value)? == Event::Message(TAKEN.into()) {
                    found["taken"] = true.into();
                    pipe.send([link.end()])?;
                    break;
                }
            }
            Frame::Disconnected => break,
        }
    }
    pipe.disconnect()?;
    Ok(found)
}
