//! Bluetooth Low Energy, mdoc peripheral server mode (ISO/IEC 18013-5:2021, 8.3.3.1.1): the band is GATT server and
//! peripheral, the reader client and central. Nobody pairs: encryption is the session's.

mod chunks;
mod link;

pub use link::{Event, Link, MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES, Role, Value};

/// A UUID of 128 bits, the first byte first, as it is written. In advertising data it comes with its last byte first.
pub type Uuid = [u8; 16];

/// The characteristics of the band's service (section 8.3.3.1.1.4, table 11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Characteristic {
    /// Start and end; notify, write without response.
    State,
    /// What the reader sends; write without response.
    ClientToServer,
    /// What the band sends; notify.
    ServerToClient,
}

impl Characteristic {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::State, Self::ClientToServer, Self::ServerToClient];

    /// Its UUID, such as `00000001-A123-48CE-896B-4C76973373E6`.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        let first = match self {
            Self::State => 1,
            Self::ClientToServer => 2,
            Self::ServerToClient => 3,
        };
        [0, 0, 0, first, 0xa1, 0x23, 0x48, 0xce, 0x89, 0x6b, 0x4c, 0x76, 0x97, 0x33, 0x73, 0xe6]
    }
}
