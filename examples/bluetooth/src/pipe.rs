//! What goes to `bridge.py` and comes from it: frames, described there.

use std::io::{Read as _, Stdout, Write as _, stdin, stdout};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bandpass_proximity::ble::{Characteristic, Uuid, Value};

/// How long one end waits for the other.
const PATIENCE: Duration = Duration::from_secs(5);

/// What comes from the bridge.
pub enum Frame {
    /// A tap, with the engagement.
    Tapped(Vec<u8>),
    /// With this MTU.
    Connected(u16),
    /// A value that was written or notified.
    Value(Characteristic, Vec<u8>),
    /// Does the other device show the same number?
    Compare(String),
    /// The link is gone.
    Disconnected,
}

/// The bridge's side of standard input and output.
pub struct Pipe {
    frames: Receiver<Result<Frame>>,
    out: Stdout,
}

impl Pipe {
    /// Of this process.
    #[must_use]
    pub fn open() -> Self {
        let (sender, frames) = channel();
        thread::spawn(move || while sender.send(read()).is_ok() {});
        Self { frames, out: stdout() }
    }

    /// The next frame. None if the other end keeps silent.
    ///
    /// # Errors
    /// The bridge's.
    pub fn next(&self) -> Result<Option<Frame>> {
        self.frames.recv_timeout(PATIENCE).ok().transpose()
    }

    /// Advertises a service, and has a tap give an engagement to whoever taps.
    ///
    /// # Errors
    /// The bridge's.
    pub fn advertise(&self, service: Uuid, engagement: &[u8]) -> Result<()> {
        self.write(b'A', &[&service, engagement].concat())
    }

    /// Connects to whoever advertises a service.
    ///
    /// # Errors
    /// The bridge's.
    pub fn connect(&self, service: Uuid) -> Result<()> {
        self.write(b'S', &service)
    }

    /// Writes or notifies values.
    ///
    /// # Errors
    /// The bridge's.
    pub fn send(&self, values: impl IntoIterator<Item = Value>) -> Result<()> {
        for (characteristic, value) in values {
            let place = Characteristic::ALL.iter().position(|other| *other == characteristic).context("one of all")?;
            self.write(b'V', &[&[u8::try_from(place + 1)?], &value[..]].concat())?;
        }
        Ok(())
    }

    /// Whether the other device shows the same number.
    ///
    /// # Errors
    /// The bridge's.
    pub fn compared(&self, same: bool) -> Result<()> {
        self.write(b'N', &[same.into()])
    }

    /// Disconnects.
    ///
    /// # Errors
    /// The bridge's.
    pub fn disconnect(&self) -> Result<()> {
        self.write(b'D', &[])
    }

    fn write(&self, kind: u8, rest: &[u8]) -> Result<()> {
        let length = u32::try_from(1 + rest.len())?.to_be_bytes();
        let mut out = self.out.lock();
        out.write_all(&[&length, &[kind][..], rest].concat())?;
        Ok(out.flush()?)
    }
}

fn read() -> Result<Frame> {
    let mut length = [0; 4];
    let mut stdin = stdin().lock();
    stdin.read_exact(&mut length)?;
    let mut frame = Vec::new();
    stdin.take(u32::from_be_bytes(length).into()).read_to_end(&mut frame)?;
    Ok(match &frame[..] {
        [b'T', engagement @ ..] => Frame::Tapped(engagement.to_vec()),
        [b'C', mtu @ ..] => Frame::Connected(u16::from_be_bytes(mtu.try_into()?)),
        [b'V', number, value @ ..] => {
            let place = usize::from(*number).checked_sub(1).context("characteristics begin at 1")?;
            Frame::Value(*Characteristic::ALL.get(place).context("no such characteristic")?, value.to_vec())
        }
        [b'N', digits @ ..] => Frame::Compare(String::from_utf8(digits.to_vec())?),
        [b'D'] => Frame::Disconnected,
        _ => bail!("an unknown frame"),
    })
}
