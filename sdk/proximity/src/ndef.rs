//! The NFC handover select message (ISO/IEC 18013-5:2021, 8.2.2.1; NFC Forum Connection Handover 1.5 and NDEF 1.0).

use alloc::vec::Vec;

use crate::ble::Uuid;
use crate::code::Code;

/// Type name formats (NDEF, section 3.2.6).
const WELL_KNOWN: u8 = 1;
const MEDIA: u8 = 2;
const EXTERNAL: u8 = 4;

const HANDOVER_SELECT: &[u8] = b"Hs";
const ALTERNATIVE_CARRIER: &[u8] = b"ac";
const BLE: &[u8] = b"application/vnd.bluetooth.le.oob";
const DEVICE_ENGAGEMENT: &[u8] = b"iso.org:18013:deviceengagement";

/// Types of advertising data (Bluetooth Core Specification Supplement, part A).
const SERVICES: [u8; 2] = [0x06, 0x07];
const LE_ROLE: u8 = 0x1c;
/// Roles of one that can be a peripheral: only that, or rather that than central, or rather central.
const PERIPHERAL: [u8; 3] = [0, 2, 3];

struct Record<'a> {
    format: u8,
    kind: &'a [u8],
    id: &'a [u8],
    payload: &'a [u8],
}

/// What a handover select message says.
pub(crate) struct Selected<'a> {
    pub(crate) device_engagement: &'a [u8],
    /// The service of mdoc peripheral server mode.
    pub(crate) service: Option<Uuid>,
}

/// A select message of static handover: the band is the peripheral, and active.
pub(crate) fn handover_select(device_engagement: &[u8], service: Uuid) -> Vec<u8> {
    let carrier = Record { format: WELL_KNOWN, kind: ALTERNATIVE_CARRIER, id: b"", payload: b"\x01\x010\x01\x04mdoc" };
    // Version 1.5.
    let select = [&[0x15], &message(&[carrier])[..]].concat();
    // UUIDs are sent with the last byte first.
    let uuid = service.iter().rev().copied().collect::<Vec<_>>();
    let ble = [&[2, LE_ROLE, PERIPHERAL[0], 17, SERVICES[1]], &uuid[..]].concat();
    message(&[
        Record { format: WELL_KNOWN, kind: HANDOVER_SELECT, id: b"", payload: &select },
        Record { format: MEDIA, kind: BLE, id: b"0", payload: &ble },
        Record { format: EXTERNAL, kind: DEVICE_ENGAGEMENT, id: b"mdoc", payload: device_engagement },
    ])
}

impl<'a> Selected<'a> {
    pub(crate) fn read(message: &'a [u8]) -> Result<Self, Code> {
        Self::parse(message).ok_or(Code::Handover)
    }

    fn parse(message: &'a [u8]) -> Option<Self> {
        let records = records(message)?;
        let [select, others @ ..] = &records[..] else { return None };
        let [version, carriers @ ..] = select.payload else { return None };
        if !select.is(WELL_KNOWN, HANDOVER_SELECT) || version >> 4 != 1 {
            return None;
        }
        let mut engagements = others.iter().filter(|record| record.is(EXTERNAL, DEVICE_ENGAGEMENT));
        let (Some(engagement), None) = (engagements.next(), engagements.next()) else { return None };
        let mut service = None;
        for carrier in self::records(carriers)? {
            if !carrier.is(WELL_KNOWN, ALTERNATIVE_CARRIER) {
                continue;
            }
            let (id, auxiliary) = carrier.references()?;
            for ble in others.iter().filter(|record| record.is(MEDIA, BLE) && record.id == id) {
                let data = advertising_data(ble.payload)?;
                let find = |kinds: &[u8]| data.iter().find(|(kind, _)| kinds.contains(kind)).map(|(_, value)| *value);
                let (Some(role), Some(uuids)) = (find(&[LE_ROLE]), find(&SERVICES)) else { continue };
                let mut uuid = Uuid::try_from(uuids.get(..16)?).ok()?;
                uuid.reverse();
                if matches!(role, [role] if PERIPHERAL.contains(role)) && auxiliary.contains(&engagement.id) {
                    service = service.or(Some(uuid));
                }
            }
        }
        Some(Self { device_engagement: engagement.payload, service })
    }
}

impl<'a> Record<'a> {
    fn is(&self, format: u8, kind: &[u8]) -> bool {
        self.format == format && self.kind == kind
    }

    /// What an alternative carrier record refers to: the carrier's record, and others that belong to it.
    fn references(&self) -> Option<(&'a [u8], Vec<&'a [u8]>)> {
        let mut rest = self.payload.get(1..)?;
        let id = counted(&mut rest)?;
        let count = take(&mut rest, 1)?;
        let auxiliary = (0..*count.first()?).map(|_| counted(&mut rest)).collect::<Option<_>>()?;
        rest.is_empty().then_some((id, auxiliary))
    }
}

/// Each with its type.
fn advertising_data(mut data: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut structures = Vec::new();
    while !data.is_empty() {
        let [kind, value @ ..] = counted(&mut data)? else { return None };
        structures.push((*kind, value));
    }
    Some(structures)
}

/// The records of a message (NDEF, section 3.2). None in chunks.
fn records(mut rest: &[u8]) -> Option<Vec<Record<'_>>> {
    let mut records = Vec::new();
    loop {
        let [flags, kind_length] = *take(&mut rest, 2)? else { return None };
        let (begins, ends, chunked) = (flags & 0x80 != 0, flags & 0x40 != 0, flags & 0x20 != 0);
        let (short, has_id) = (flags & 0x10 != 0, flags & 0x08 != 0);
        if begins != records.is_empty() || chunked {
            return None;
        }
        let length = take(&mut rest, if short { 1 } else { 4 })?;
        let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        let id_length = match has_id {
            true => *take(&mut rest, 1)?.first()?,
            false => 0,
        };
        let kind = take(&mut rest, kind_length.into())?;
        let id = take(&mut rest, id_length.into())?;
        records.push(Record { format: flags & 7, kind, id, payload: take(&mut rest, length)? });
        if ends {
            return rest.is_empty().then_some(records);
        }
    }
}

fn message(records: &[Record<'_>]) -> Vec<u8> {
    let mut message = Vec::new();
    // Whatever is written here is shorter.
    let byte = |length: usize| u8::try_from(length).unwrap_or(u8::MAX);
    for (place, Record { format, kind, id, payload }) in records.iter().enumerate() {
        let begins = if place == 0 { 0x80 } else { 0 };
        let ends = if place + 1 == records.len() { 0x40 } else { 0 };
        let has_id = if id.is_empty() { 0 } else { 0x08 };
        message.extend([begins | ends | 0x10 | has_id | format, byte(kind.len()), byte(payload.len())]);
        if !id.is_empty() {
            message.push(byte(id.len()));
        }
        message.extend([*kind, id, payload].concat());
    }
    message
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

/// A byte with a length, and so many bytes.
fn counted<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take(rest, 1)?;
    take(rest, (*length.first()?).into())
}
