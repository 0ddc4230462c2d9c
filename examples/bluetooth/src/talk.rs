//! Both ends of a conversation: ISO/IEC 18013-5 in mdoc peripheral server mode, engaged by a tap. What is said is the caller's.

use std::time::Instant;

use anyhow::{Context as _, Result, anyhow};
use bandpass_proximity::ble::{Event, Link, Role, Uuid};
use bandpass_proximity::{Band, Code, EphemeralKey, Reader, Received, Session};
use bandpass_roles::os_rng;
use serde_json::{Value, json};

use crate::pipe::{Frame, Pipe};

/// A band that is tapped, until the reader leaves. `answer` says what it answers in a session; none ends it.
///
/// Returns the session, if there was one, and why it ended if somebody did something wrong.
///
/// # Errors
/// The bridge's, and those of `answer`.
pub fn be_tapped(
    pipe: &Pipe,
    mut answer: impl FnMut(&Session, &[u8]) -> Result<Option<Vec<u8>>>,
) -> Result<(Option<Session>, Option<Code>)> {
    let mut service = Uuid::default();
    getrandom::fill(&mut service).map_err(|error| anyhow!("{error}"))?;
    let band = Band::by_nfc(EphemeralKey::generate(&mut os_rng()), service);
    pipe.advertise(service, band.handover_select().context("a tap")?)?;
    let (mut waiting, mut session, mut wrong, mut over) = (Some(band), None, None, false);
    let mut link = Link::new(Role::Band, 23)?;
    while let Some(frame) = pipe.next()? {
        let (characteristic, value) = match frame {
            Frame::Connected(mtu) => {
                link = Link::new(Role::Band, mtu)?;
                continue;
            }
            // The reader said this before it knew that the session is over.
            Frame::Value(..) if over => continue,
            Frame::Value(characteristic, value) => (characteristic, value),
            Frame::Disconnected => break,
            Frame::Tapped(_) | Frame::Compare(_) => continue,
        };
        let heard = match link.received(characteristic, &value) {
            Ok(Event::Message(message)) => hear(&mut waiting, &mut session, &message),
            // The reader disconnects.
            Ok(Event::Started | Event::Chunk | Event::Ended) => continue,
            Err(code) => Err(code),
        };
        match (heard, &mut session) {
            (Ok(Some(request)), Some(session)) => {
                let answer = answer(session, &request)?;
                over = answer.is_none();
                let message = match answer {
                    Some(shown) => session.seal(&shown)?,
                    None => session.terminate(),
                };
                pipe.send(link.send(&message)?)?;
            }
            (Ok(_), _) => {}
            (Err(code), _) => {
                (wrong, over) = (Some(code), true);
                if let Some(reply) = code.reply() {
                    pipe.send(link.send(&reply)?)?;
                }
                pipe.send([link.end()])?;
            }
        }
    }
    Ok((session, wrong))
}

/// The request in a message, the first of which establishes the session. None at its end.
fn hear(waiting: &mut Option<Band>, session: &mut Option<Session>, message: &[u8]) -> Result<Option<Vec<u8>>, Code> {
    if let Some(band) = waiting.take() {
        let (established, request) = band.establish(message)?;
        *session = Some(established);
        return Ok(Some(request));
    }
    match session.as_mut().ok_or(Code::Ended)?.open(message)? {
        Received::Data(request) | Received::Last(request) => Ok(Some(request)),
        Received::End => Ok(None),
    }
}

/// A reader's side of a session with a band that was tapped.
pub struct Conversation<'a> {
    pipe: &'a Pipe,
    session: Session,
    link: Link,
    start: Instant,
    fragments: u32,
    /// What went over the link: `mtu`, and of `request` and `response` their `bytes` and `fragments`.
    pub figures: Value,
}

impl<'a> Conversation<'a> {
    /// Waits for a tap, connects, and asks: `request` is made for the session transcript. None if nobody came.
    ///
    /// # Errors
    /// The bridge's, and those of the session.
    pub fn begin(pipe: &'a Pipe, request: impl FnOnce(&[u8]) -> Result<Vec<u8>>) -> Result<Option<Self>> {
        let (mut tapped, mut start) = (None, Instant::now());
        while let Some(frame) = pipe.next()? {
            match frame {
                Frame::Tapped(select) => {
                    start = Instant::now();
                    let reader = Reader::by_nfc(&select, None)?;
                    pipe.connect(reader.service()?)?;
                    tapped = Some(reader);
                }
                Frame::Connected(mtu) => {
                    let reader = tapped.context("tapped before")?;
                    let key = EphemeralKey::generate(&mut os_rng());
                    let request = request(&reader.transcript(&key))?;
                    let (session, message) = reader.establish(key, &request)?;
                    let mut link = Link::new(Role::Reader, mtu)?;
                    pipe.send([link.start()?])?;
                    let values = link.send(&message)?;
                    let figures = json!({"mtu": mtu, "request": {"bytes": message.len(), "fragments": values.len()}});
                    pipe.send(values)?;
                    return Ok(Some(Self { pipe, session, link, start, fragments: 0, figures }));
                }
                Frame::Value(..) | Frame::Compare(_) => {}
                Frame::Disconnected => break,
            }
        }
        Ok(None)
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// What the band says next; or in a word why it says nothing more.
    ///
    /// # Errors
    /// The bridge's.
    pub fn hear(&mut self) -> Result<Result<Vec<u8>, String>> {
        let silence = |why: &str| Ok(Err(why.to_owned()));
        loop {
            let (characteristic, value) = match self.pipe.next()? {
                Some(Frame::Value(characteristic, value)) => (characteristic, value),
                Some(Frame::Disconnected) => return silence("the link is gone"),
                Some(_) => continue,
                None => return silence("silence"),
            };
            self.fragments += 1;
            let message = match self.link.received(characteristic, &value) {
                Ok(Event::Message(message)) => message,
                Ok(Event::Started | Event::Chunk) => continue,
                Ok(Event::Ended) => return silence("the band ended it"),
                Err(code) => return silence(&code.to_string()),
            };
            return match self.session.open(&message) {
                Ok(Received::Data(shown) | Received::Last(shown)) => {
                    if let Some(figures) = self.figures.as_object_mut() {
                        let response = json!({"bytes": message.len(), "fragments": self.fragments});
                        figures.insert("response".into(), response);
                        figures.insert("milliseconds".into(), (self.start.elapsed().as_secs_f64() * 1e3).into());
                    }
                    Ok(Ok(shown))
                }
                Ok(Received::End) => silence("the band ended it"),
                Err(code) => silence(&code.to_string()),
            };
        }
    }

    /// Says something more.
    ///
    /// # Errors
    /// The bridge's, and those of the session.
    pub fn say(&mut self, what: &[u8]) -> Result<()> {
        let message = self.session.seal(what)?;
        self.pipe.send(self.link.send(&message)?)
    }

    /// Ends the session and the connection.
    ///
    /// # Errors
    /// The bridge's.
    pub fn end(mut self) -> Result<()> {
        let termination = self.session.terminate();
        // If the band ended it nobody listens.
        if let Ok(values) = self.link.send(&termination) {
            self.pipe.send(values)?;
            self.pipe.send([self.link.end()])?;
        }
        self.pipe.disconnect()
    }
}
