//! Presentations that grow: what is measured over disclosures, issuers and status lists.

use anyhow::{Context as _, Result};
use bandpass_roles::{BAND_VCT, Band, BandDetails, Issuer, Key, Request, StatusList, StatusTimes};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use serde_json::{Map, Value, json};

use crate::draft::NOW;
use crate::{Expected, Requirements, Vector, Verdict};

const AUDIENCE: &str = "x509_san_dns:shop.example";
const NONCE: &str = "XZ4D076lychQ5MbWE5aDNg";

/// How large everything is.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Claims that are disclosed.
    pub disclosures: usize,
    /// Issuers that are trusted. The last one issued the credential.
    pub issuers: usize,
    /// Entries of the status list.
    pub entries: usize,
}

impl Default for Scale {
    fn default() -> Self {
        Self { disclosures: 10, issuers: 1, entries: 1 << 10 }
    }
}

impl Scale {
    /// A band's presentation of that size, from fixed keys, which is accepted.
    ///
    /// # Errors
    /// If it can't be made.
    pub fn vector(&self) -> Result<Vector> {
        let rng = &mut ChaCha20Rng::seed_from_u64(1);
        let key = |number: u8| Key::from_bytes(&[number; 32]);
        let issuers =
            (0..self.issuers).map(|number| Ok(Issuer::new(&format!("https://wallet-{number}.example"), key(1)?)));
        let issuers = issuers.collect::<Result<Vec<_>>>()?;
        let issuer = issuers.last().context("an issuer")?;
        let names = (0..self.disclosures).map(|number| format!("claim-{number}")).collect::<Vec<_>>();
        let owner = names.iter().map(|name| (name.clone(), json!("a value of some length"))).collect::<Map<_, _>>();
        let details = BandDetails {
            band_jwk: key(2)?.jwk(),
            phone_thumbprint: key(3)?.thumbprint(),
            epoch: 1,
            measures: vec!["wear".into()],
            issued_at: NOW,
            valid_days: 14,
            status_list: 1,
            status_index: self.entries / 2,
            owner,
        };
        // A verifier takes lists of two mebibytes at most: what is longer has one bit for each.
        let bits = if self.entries > 1 << 23 { 1 } else { 2 };
        let mut list = StatusList::new(bits, self.entries).context("a list")?;
        // A hundredth is deactivated, none of them ours.
        (1..self.entries).step_by(100).filter(|index| *index != details.status_index).for_each(|index| {
            list.set(index, 1);
        });
        let times = StatusTimes { issued_at: NOW, expires: NOW + 3_600, ttl: 300 };
        let mut band = Band::new(key(2)?, issuer.issue(&details, rng)?);
        band.put_on(NOW - 600);
        let request = Request { audience: AUDIENCE.into(), nonce: NONCE.into(), transaction_data: Vec::new() };
        let disclosed = names.iter().map(String::as_str).collect::<Vec<_>>();
        let trusted = issuers.iter().map(|issuer| issuer.trust_entry(&[BAND_VCT])).collect::<Vec<Value>>();
        Ok(Vector {
            name: format!("scale/{self:?}"),
            section: "band profile, section Credential".into(),
            trust: json!({"issuers": trusted}),
            status_lists: vec![issuer.sign_status_list(1, &list, &times)],
            vp_token: band.present(&request, &disclosed, None, NOW, rng),
            expected: Expected {
                audience: vec![AUDIENCE.into()],
                nonce: NONCE.into(),
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
            result: Verdict::Accepted { claims: Map::new(), transactions: Vec::new() },
        })
    }
}
