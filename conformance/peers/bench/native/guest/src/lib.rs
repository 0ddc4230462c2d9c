//! One signature verified in plain WebAssembly, by this project and by p256: for the program beside, and for `bench.mjs`.
#![expect(unsafe_code, reason = "exports have names of their own")]

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use bandpass_es256::{PrecomputedKey, PublicKey};
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::ecdsa::{Signature, VerifyingKey};

/// What is verified: x and y of the key, the digest, r and s, 32 octets each. Whoever runs this writes it, once and first.
static INPUT: [AtomicU8; 160] = [const { AtomicU8::new(0) }; 160];
/// The same, with the key as each of them takes it.
static SIGNED: OnceLock<Option<Signed>> = OnceLock::new();

struct Signed {
    key: PublicKey,
    precomputed: PrecomputedKey,
    p256: VerifyingKey,
    digest: [u8; 32],
    signature: [u8; 64],
}

impl Signed {
    fn read() -> Option<Self> {
        let octets = INPUT.each_ref().map(|octet| octet.load(Ordering::Relaxed));
        let (point, signed) = octets.split_first_chunk::<64>()?;
        let (digest, signature) = signed.split_first_chunk()?;
        let sec1 = [&[4], &point[..]].concat();
        let key = PublicKey::from_sec1(&sec1)?;
        Some(Self {
            key,
            precomputed: PrecomputedKey::from(&key),
            p256: VerifyingKey::from_sec1_bytes(&sec1).ok()?,
            digest: *digest,
            signature: signature.try_into().ok()?,
        })
    }
}

fn verifies(verify: impl FnOnce(&Signed) -> bool) -> bool {
    SIGNED.get_or_init(Signed::read).as_ref().is_some_and(verify)
}

/// Where the input goes.
#[unsafe(no_mangle)]
pub extern "C" fn input() -> *const AtomicU8 {
    INPUT.as_ptr()
}

/// By `bandpass-es256`.
#[unsafe(no_mangle)]
pub extern "C" fn es256() -> bool {
    verifies(|signed| signed.key.verify_vartime(&signed.digest, &signed.signature))
}

/// By `bandpass-es256`, with tables of the key.
#[unsafe(no_mangle)]
pub extern "C" fn precomputed() -> bool {
    verifies(|signed| signed.precomputed.verify_vartime(&signed.digest, &signed.signature))
}

/// By p256.
#[unsafe(no_mangle)]
pub extern "C" fn p256() -> bool {
    verifies(|signed| {
        let signature = Signature::from_slice(&signed.signature);
        signature.is_ok_and(|signature| signed.p256.verify_prehash(&signed.digest, &signature).is_ok())
    })
}
