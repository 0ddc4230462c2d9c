//! The wallet provider, who issues bands' credentials and says which of them are lost.

use anyhow::{Context as _, Result};
use bandpass_roles::mdoc::{BAND_DOCTYPE, Mdoc, MdocDetails, issue};
use bandpass_roles::{Issuer, Key, StatusList, StatusTimes, os_rng};
use serde_json::{Map, Value, json};

use crate::authority::{Authority, Certified};

const NAME: &str = "https://wallet.example";
const DAY: u64 = 86_400;
/// The status of a lost band (band profile, section Credential).
const SUSPENDED: u8 = 2;

/// A wallet provider with one status list.
pub struct Provider {
    authority: Authority,
    signer: Certified,
    issuer: Issuer,
    list: StatusList,
    issued: usize,
}

impl Provider {
    /// A new one.
    ///
    /// # Errors
    /// Never, but for a bug.
    pub fn new(now: u64) -> Result<Self> {
        let authority = Authority::new("CN=Example Wallet Root,C=FR", now)?;
        let signer = authority.document_signer("CN=Example Wallet,C=FR")?;
        let issuer = Issuer::new(NAME, signer.key.clone()).certified(vec![signer.certificate.clone()]);
        let list = StatusList::new(2, 64).context("a list of two bits")?;
        Ok(Self { authority, signer, issuer, list, issued: 0 })
    }

    /// Its entry in trust lists.
    #[must_use]
    pub fn trust_entry(&self) -> Value {
        json!({"iss": NAME, "doctypes": [BAND_DOCTYPE], "x5c_roots": [self.authority.root()],
            "status_uris": [format!("{NAME}/status/")]})
    }

    /// Its status list, signed.
    #[must_use]
    pub fn status_list(&self, now: u64) -> Vec<u8> {
        let times = StatusTimes { issued_at: now, expires: now + DAY, ttl: 300 };
        self.issuer.sign_status_list_cwt(1, &self.list, &times)
    }

    /// A band's credential for this hotel with a key of its own, and its index in the status list.
    pub fn band(&mut self, owner: &Value, now: u64) -> (Key, Mdoc, usize) {
        let rng = &mut os_rng();
        let (key, phone, index) = (Key::generate(rng), Key::generate(rng), self.issued);
        self.issued += 1;
        let mut elements = Map::from_iter([
            ("pairing".to_owned(), json!({"jkt": phone.thumbprint(), "epoch": 1})),
            ("band_measures".to_owned(), json!(["wear", "unlock", "confirm"])),
        ]);
        elements.extend(owner.as_object().cloned().unwrap_or_default());
        let details = MdocDetails {
            doctype: BAND_DOCTYPE.into(),
            elements: vec![(BAND_DOCTYPE.into(), elements)],
            device_jwk: key.jwk(),
            authorized: vec![BAND_DOCTYPE.into()],
            // Whole days: a finer time would tell one band from another.
            signed: now / DAY * DAY,
            valid_until: now / DAY * DAY + 14 * DAY,
            status: Some((index, self.issuer.status_uri(1))),
        };
        let credential = issue(&self.signer.key, std::slice::from_ref(&self.signer.certificate), &details, rng);
        (key, credential, index)
    }

    /// A band is lost, or found again.
    ///
    /// # Errors
    /// If there is no such index.
    pub fn lost(&mut self, index: usize, is_lost: bool) -> Result<()> {
        self.list.set(index, if is_lost { SUSPENDED } else { 0 }).then_some(()).context("an index in the list")
    }
}
