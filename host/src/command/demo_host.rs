//! The host of the demonstration, and the people in it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use bandpass::digest;
use bandpass_roles::{BAND_VCT, Band, BandDetails, Issuer, Key, Phone, StatusList, StatusTimes, base64url, os_rng};
use serde_json::{Map, json};

const SHOP: &str = "x509_san_dns:shop.example";
const OTHER_SHOP: &str = "x509_san_dns:other.example";
/// Place of Lin's band in the issuer's status list.
const STATUS_LIST: u32 = 1;
const STATUS_INDEX: usize = 412;
pub(super) const SETTINGS: &str = r#"{"currency":"CNY","passwordless_limit":"200.00"}"#;

pub(super) const MERCHANT: &str = "merchant-7";
pub(super) const OTHER_MERCHANT: &str = "merchant-8";
/// Where its server is, unless its configuration is changed.
pub(super) const LISTEN: &str = "127.0.0.1:8080";
const ISSUER: &str = "https://wallet.example";

/// A host's configuration with all that it names, and the wallet provider whom it trusts. Its store is a new one.
pub(super) fn write_host(folder: &Path, plugin: &[u8], listen: &str, now: u64) -> Result<Issuer> {
    let key = Key::generate(&mut os_rng());
    let issuer = &Issuer::new(ISSUER, key.clone());
    let sha256 = digest(plugin);
    let config = format!(
        r#"name = "till-1"
signing_key = "signing-key.jwk"
trust = "trust.json"
status_lists = ["status-list"]
plugins = "plugins"
checkpoints = "checkpoints"

[server]
listen = "{listen}"
public_url = "http://{listen}"

[plugin.retail-checkout]
sha256 = "{sha256}"

[merchant.{MERCHANT}]
audience = ["{SHOP}"]
policy = [{{ plugin = "retail-checkout", settings = {{ currency = "CNY", passwordless_limit = "200.00" }} }}]

[merchant.{MERCHANT}.access]
origins = ["http://{listen}"]
redirect_uris = ["http://{listen}/"]

[merchant.{OTHER_MERCHANT}]
audience = ["{OTHER_SHOP}"]
policy = [{{ plugin = "retail-checkout", settings = {{ currency = "CNY", passwordless_limit = "200.00" }} }}]
"#
    );
    fs::create_dir_all(folder.join("plugins"))?;
    remove(folder, &["store.sqlite", "store.sqlite-wal", "store.sqlite-shm", "checkpoints"])?;
    write(folder, "issuer.jwk", key.to_private_jwk().to_string().as_bytes())?;
    write(folder, "bandpass.toml", config.as_bytes())?;
    write(folder, "trust.json", json!({"issuers": [issuer.trust_entry(&[BAND_VCT])]}).to_string().as_bytes())?;
    write(folder, "status-list", status_list(issuer, now)?.as_bytes())?;
    write(folder, &format!("plugins/{sha256}.wasm"), plugin)?;
    Ok(issuer.clone())
}

/// The wallet provider of a folder.
pub(super) fn issuer(folder: &Path) -> Result<Issuer> {
    let path = folder.join("issuer.jwk");
    let jwk = serde_json::from_slice(&fs::read(&path).with_context(|| path.display().to_string())?)?;
    Ok(Issuer::new(ISSUER, Key::from_private_jwk(&jwk)?))
}

/// Removes what is there of these files.
pub(super) fn remove(folder: &Path, names: &[&'static str]) -> Result<()> {
    for name in names {
        match fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error).context(*name),
            _ => {}
        }
    }
    Ok(())
}

pub(super) fn write(folder: &Path, name: &str, content: &[u8]) -> Result<()> {
    let path = folder.join(name);
    fs::write(&path, content).with_context(|| path.display().to_string())
}

/// The issuer's status list, in which everybody is valid.
pub(super) fn status_list(issuer: &Issuer, now: u64) -> Result<String> {
    let list = StatusList::new(2, 1 << 20).context("two bits")?;
    Ok(issuer.sign_status_list(STATUS_LIST, &list, &StatusTimes { issued_at: now, expires: now + 3_600, ttl: 300 }))
}

/// A fresh band with a credential of this issuer.
pub(super) fn issue(issuer: &Issuer, key: &Key, phone: &Phone, now: u64) -> Result<Band> {
    let owner = json!({"sub": base64url(b"account-1"), "given_name": "Lin", "birthdate": "1990-05-17"});
    let details = BandDetails {
        band_jwk: key.jwk(),
        phone_thumbprint: phone.thumbprint(),
        epoch: 1,
        measures: vec!["wear".into(), "unlock".into(), "confirm".into()],
        issued_at: now,
        valid_days: 14,
        status_list: STATUS_LIST,
        status_index: STATUS_INDEX,
        owner: owner.as_object().cloned().unwrap_or_else(Map::new),
    };
    let credential = issuer.issue(&details, &mut os_rng())?;
    Ok(Band::new(key.clone(), credential))
}

/// Sample policies are built into the folder `dist` of the target folder that this program is in.
pub(super) fn built_plugin() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let folders = program.ancestors().map(|folder| folder.join("dist/plugins/retail-checkout.wasm"));
    folders.into_iter().find(|path| path.is_file()).context("no policy was built: give one with `--plugin FILE`")
}
