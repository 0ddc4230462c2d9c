//! One signature of the presentation, by each with a key that it has parsed already. What takes a digest gets it; ring takes
//! the message, and hashes it each time.

use anyhow::{Context as _, Result, bail, ensure};
use aws_lc_rs::digest::{Digest, SHA256};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED as AWS_LC_ES256, ParsedPublicKey};
use bandpass_es256::{PrecomputedKey, PublicKey};
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use ring::signature::{ECDSA_P256_SHA256_FIXED as RING_ES256, UnparsedPublicKey};
use wasmtime::{Engine, Instance, Module, Store};

use crate::Contender;

pub(crate) const AWS_LC: &str = "aws-lc-rs 1.19.0";
pub(crate) const P256: &str = "p256 0.14.0";
const ES256: &str = "bandpass-es256";
const PRECOMPUTED: &str = "bandpass-es256, precomputed key";

/// A key, and what it signed.
pub(crate) struct Signed {
    /// The uncompressed point (SEC 1).
    pub(crate) key: Vec<u8>,
    pub(crate) message: Vec<u8>,
    pub(crate) digest: [u8; 32],
    pub(crate) signature: [u8; 64],
}

pub(crate) fn native(signed: &Signed) -> Result<Vec<Contender>> {
    let Signed { ref key, ref message, digest, signature } = *signed;
    let es256 = PublicKey::from_sec1(key).context("a key")?;
    let precomputed = PrecomputedKey::from(&es256);
    let p256 = VerifyingKey::from_sec1_bytes(key)?;
    let aws_lc = ParsedPublicKey::new(&AWS_LC_ES256, key)?;
    let aws_lc_digest = Digest::import_less_safe(&digest, &SHA256)?;
    let ring = UnparsedPublicKey::new(&RING_ES256, key.clone());
    let message = message.clone();
    Ok(vec![
        Contender::new(AWS_LC, move || Ok(aws_lc.verify_digest_sig(&aws_lc_digest, &signature)?)),
        Contender::new("ring 0.17.14", move || ring.verify(&message, &signature).ok().context("refused")),
        Contender::new(ES256, move || held(es256.verify_vartime(&digest, &signature))),
        Contender::new(PRECOMPUTED, move || held(precomputed.verify_vartime(&digest, &signature))),
        Contender::new(P256, move || Ok(p256.verify_prehash(&digest, &Signature::from_slice(&signature)?)?)),
    ])
}

pub(crate) fn plain_wasm(signed: &Signed, engine: &Engine, guest: &[u8]) -> Result<Vec<Contender>> {
    let module = Module::new(engine, guest)?;
    let point = signed.key.strip_prefix(&[4]).context("a point")?;
    let input = [point, &signed.digest, &signed.signature].concat();
    [(ES256, "es256"), (PRECOMPUTED, "precomputed"), (P256, "p256")]
        .into_iter()
        .map(|(name, export)| {
            let mut store = Store::new(engine, ());
            store.set_epoch_deadline(1);
            let instance = Instance::new(&mut store, &module, &[])?;
            let Some(memory) = instance.get_memory(&mut store, "memory") else { bail!("no memory") };
            let place = instance.get_typed_func::<(), u32>(&mut store, "input")?.call(&mut store, ())?;
            memory.write(&mut store, place.try_into()?, &input)?;
            let verify = instance.get_typed_func::<(), u32>(&mut store, export)?;
            Ok(Contender::new(name, move || held(verify.call(&mut store, ())? == 1)))
        })
        .collect()
}

fn held(verified: bool) -> Result<()> {
    ensure!(verified, "refused");
    Ok(())
}
