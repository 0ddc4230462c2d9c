//! What is a `DeviceResponse`, and what is none.

use anyhow::Result;
use bandpass_roles::cbor::Cbor;
use bandpass_roles::mdoc::{BAND_DOCTYPE, time};
use serde_json::json;
use sha2::{Digest as _, Sha384, Sha512};

use super::super::Vectors;
use super::{at, edit, in_first, two_documents};
use crate::draft::NOW;

type Hash = fn(&[u8]) -> Vec<u8>;

type Bytes = fn(&mut Vec<u8>);
type Change = fn(&mut Cbor);

const RESPONSE: &str = "ISO 18013-5, 8.3.2.1.2.2";
const STATUS: &str = "ISO 18013-5, 8.3.2.1.2.3";
const MSO: &str = "ISO 18013-5, 9.1.2.4";

pub(super) fn accepted(vectors: &mut Vectors) -> Result<()> {
    vectors.accept("nothing-disclosed", RESPONSE, |draft| {
        draft.hidden =
            vec!["/sub", "/given_name", "/family_name", "/birthdate", "/nationalities", "/age_equal_or_over"];
    })?;
    vectors.accept("without-name-spaces", RESPONSE, |draft| {
        draft.member();
        draft.hidden =
            vec!["/sub", "/given_name", "/family_name", "/birthdate", "/nationalities", "/age_equal_or_over"];
    })?;
    let digests: [(&str, &str, Hash); 2] = [
        ("sha-384", "SHA-384", |bytes| Sha384::digest(bytes).to_vec()),
        ("sha-512", "SHA-512", |bytes| Sha512::digest(bytes).to_vec()),
    ];
    for (what, algorithm, hash) in digests {
        vectors.accept(what, MSO, |draft| {
            draft.mdoc().hash = hash;
            draft.mdoc().mso = edit(|mso| *mso.member("digestAlgorithm") = algorithm.into());
        })?;
    }
    vectors.accept("element-authorized-by-name", MSO, |draft| {
        let elements = ["iat", "aud", "nonce", "jti", "band"].into_iter().map(Cbor::from).collect();
        draft.mdoc().mso = edit(|mso| {
            let elements = Cbor::members([(BAND_DOCTYPE, Cbor::Array(elements))]);
            *mso.member("deviceKeyInfo").member("keyAuthorizations") = Cbor::members([("dataElements", elements)]);
        });
    })?;
    vectors.accept("unknown-members-that-the-issuer-signed", MSO, |draft| {
        draft.mdoc().mso = edit(|mso| {
            *mso.member("x") = Cbor::Null;
            *mso.member("validityInfo").member("expectedUpdate") = time(NOW);
            *mso.member("deviceKeyInfo").member("keyInfo") = Cbor::Map(vec![(Cbor::Integer(1), "x".into())]);
        });
    })?;
    vectors.accept("documents-that-were-not-returned", RESPONSE, |draft| {
        draft.mdoc().response = edit(|response| {
            let errors = Cbor::members([("example.other.1", Cbor::Integer(0))]);
            *response.member("documentErrors") = Cbor::Array(vec![errors]);
        });
        draft.mdoc().document = edit(|document| {
            let errors = Cbor::members([("email", Cbor::Integer(0))]);
            *document.member("errors") = Cbor::members([(BAND_DOCTYPE, errors)]);
        });
    })?;
    vectors.accept("valid-until-within-the-tolerance", MSO, |draft| {
        draft.claims.insert("exp".into(), (NOW - 59).into());
    })?;
    vectors.accept("valid-from-within-the-tolerance", MSO, |draft| {
        draft.mdoc().mso = edit(|mso| *mso.member("validityInfo").member("validFrom") = time(NOW + 60));
    })?;
    vectors.accept("two-documents", "band profile, Access and tickets", |draft| two_documents(draft, |_| ()))?;
    vectors.refuse("holder.key", "two-documents", "band profile, Access and tickets", |draft| {
        two_documents(draft, |other| {
            if let Ok(key) = crate::draft::key(7) {
                other.claims.insert("cnf".into(), json!({"jwk": key.jwk()}));
                other.holder_key = key;
            }
        });
    })?;
    vectors.refuse("token.unexpected", "two-documents-in-one-presentation", "OpenID4VP 1.0, B.2.5", |draft| {
        two_documents(draft, |_| ());
        draft.expected.query_id = "band".into();
        draft.edit_token = Some(Box::new(|token| json!({"band": [token]}).to_string()));
    })?;
    vectors.refuse("token.missing", "no-document-for-the-query", RESPONSE, |draft| {
        two_documents(draft, |_| ());
        draft.expected.query_id = "example.other.1".into();
    })
}

/// What is no `DeviceResponse`.
#[expect(clippy::too_many_lines, reason = "a list")]
pub(super) fn add(vectors: &mut Vectors) -> Result<()> {
    const CODE: &str = "token.malformed";
    let bytes: [(&str, Bytes); 6] = [
        ("cut", |bytes| bytes.truncate(bytes.len() / 2)),
        ("byte-after", |bytes| bytes.push(0)),
        ("empty-map", |bytes| *bytes = vec![0xa0]),
        ("indefinite-map", |bytes| {
            bytes[0] = 0xbf;
            bytes.push(0xff);
        }),
        ("member-twice", |bytes| {
            bytes[0] = 0xa4;
            bytes.extend(["status".into(), Cbor::Integer(0)].iter().flat_map(Cbor::encode));
        }),
        ("member-with-a-number", |bytes| {
            bytes[0] = 0xa4;
            bytes.extend([0, 0]);
        }),
    ];
    for (what, change) in bytes {
        vectors.refuse(CODE, what, "RFC 8949, 5.3", |draft| draft.mdoc().bytes = Some(Box::new(change)))?;
    }
    vectors.refuse(CODE, "too-deep", "RFC 8949, 10", |draft| {
        draft.mdoc().response = edit(|response| {
            let deep = (0..64).fold(Cbor::Null, |inside, _| Cbor::Array(vec![inside]));
            *response.member("documentErrors") = Cbor::Array(vec![deep]);
        });
    })?;
    vectors.refuse("token.too-large", "bytes", "limit", |draft| {
        draft.mdoc().bytes = Some(Box::new(|bytes| bytes.resize(128 * 1024 + 1, 0)));
    })?;
    vectors.refuse("token.too-large", "documents", "limit", |draft| {
        draft.mdoc().response = edit(|response| {
            *response.member("documents") = Cbor::Array(vec![Cbor::Map(Vec::new()); 17]);
        });
    })?;
    vectors.refuse("token.too-large", "elements", "limit", |draft| {
        draft.mdoc().items = in_first(|items| items.resize(513, (String::new(), Cbor::Null)));
    })?;
    vectors.refuse("token.too-large", "values", "limit", |draft| {
        draft.mdoc().elements = in_first(|items| {
            items.push(("many".into(), Cbor::Array(vec![Cbor::Integer(0); 4_096])));
        });
    })?;
    for (what, version) in [("version-1-1", "1.1"), ("version-2", "2.0"), ("version-empty", "")] {
        vectors.refuse("token.unsupported", what, RESPONSE, |draft| {
            draft.mdoc().response = edit(move |response| *response.member("version") = version.into());
        })?;
    }
    for status in [10, 11, 12, -1] {
        vectors.refuse("token.status", &status.to_string().replace('-', "minus-"), STATUS, |draft| {
            draft.mdoc().response = edit(move |response| *response.member("status") = Cbor::Integer(status));
        })?;
    }
    vectors.refuse("token.status", "without-documents", STATUS, |draft| {
        draft.mdoc().response = edit(|response| {
            *response.member("status") = Cbor::Integer(10);
            response.remove("documents");
        });
    })?;
    vectors.refuse("token.missing", "without-documents", RESPONSE, |draft| {
        draft.mdoc().response = edit(|response| response.remove("documents"));
    })?;
    vectors.refuse("token.missing", "no-documents", RESPONSE, |draft| {
        draft.mdoc().response = edit(|response| *response.member("documents") = Cbor::Array(Vec::new()));
    })?;
    let changes: [(&str, Change); 7] = [
        ("response-unknown-member", |response| *response.member("x") = Cbor::Null),
        ("response-without-version", |response| response.remove("version")),
        ("response-without-status", |response| response.remove("status")),
        ("status-a-string", |response| *response.member("status") = "0".into()),
        ("version-a-number", |response| *response.member("version") = Cbor::Integer(1)),
        ("documents-a-map", |response| *response.member("documents") = Cbor::Map(Vec::new())),
        ("document-errors-a-map", |response| *response.member("documentErrors") = Cbor::Map(Vec::new())),
    ];
    for (what, change) in changes {
        vectors.refuse(CODE, what, RESPONSE, |draft| draft.mdoc().response = edit(change))?;
    }
    let changes: [(&str, Change); 19] = [
        ("document-unknown-member", |document| *document.member("x") = Cbor::Null),
        ("document-without-doctype", |document| document.remove("docType")),
        ("document-without-issuer-signed", |document| document.remove("issuerSigned")),
        ("errors-an-array", |document| *document.member("errors") = Cbor::Array(Vec::new())),
        ("issuer-signed-unknown-member", |document| *document.member("issuerSigned").member("x") = Cbor::Null),
        // `nameSpaces` may be left out: under another name what it holds would pass as that.
        ("issuer-signed-name-spaces-renamed", |document| {
            let issuer_signed = document.member("issuerSigned");
            let name_spaces = issuer_signed.member("nameSpaces").clone();
            issuer_signed.remove("nameSpaces");
            *issuer_signed.member("namespaces") = name_spaces;
        }),
        ("name-spaces-an-array", |document| {
            *document.member("issuerSigned").member("nameSpaces") = Cbor::Array(Vec::new());
        }),
        ("name-space-empty", |document| {
            *document.member("issuerSigned").member("nameSpaces").member("x") = Cbor::Array(Vec::new());
        }),
        ("name-space-a-map", |document| {
            *document.member("issuerSigned").member("nameSpaces").member("x") = Cbor::Map(Vec::new());
        }),
        ("name-space-a-number", |document| {
            let item = Cbor::Array(vec![Cbor::Null]);
            *document.member("issuerSigned").member("nameSpaces") = Cbor::Map(vec![(Cbor::Integer(1), item)]);
        }),
        ("without-issuer-auth", |document| document.member("issuerSigned").remove("issuerAuth")),
        ("device-signed-unknown-member", |document| *document.member("deviceSigned").member("x") = Cbor::Null),
        ("device-signed-without-name-spaces", |document| document.member("deviceSigned").remove("nameSpaces")),
        ("device-name-spaces-not-tagged", |document| {
            *document.member("deviceSigned").member("nameSpaces") = Cbor::Bytes(vec![0xa0]);
        }),
        ("device-name-space-empty", |document| {
            let name_spaces = Cbor::members([(BAND_DOCTYPE, Cbor::Map(Vec::new()))]);
            *document.member("deviceSigned").member("nameSpaces") = name_spaces.embedded();
        }),
        ("without-device-auth", |document| document.member("deviceSigned").remove("deviceAuth")),
        ("device-auth-empty", |document| *document.member("deviceSigned").member("deviceAuth") = Cbor::Map(Vec::new())),
        ("device-auth-twice", |document| {
            let auth = document.member("deviceSigned").member("deviceAuth");
            *auth.member("deviceMac") = auth.member("deviceSignature").clone();
        }),
        ("device-auth-with-its-payload", |document| {
            let signature = document.member("deviceSigned").member("deviceAuth").member("deviceSignature");
            at(signature, 2, Cbor::Bytes(Vec::new()));
        }),
    ];
    for (what, change) in changes {
        vectors.refuse(CODE, what, RESPONSE, |draft| draft.mdoc().document = edit(change))?;
    }
    let changes: [(&str, Change); 7] = [
        ("issuer-auth-tagged", |auth| *auth = Cbor::Tag(18, Box::new(auth.clone()))),
        ("issuer-auth-of-three", |auth| {
            if let Cbor::Array(items) = auth {
                items.truncate(3);
            }
        }),
        ("issuer-auth-detached", |auth| at(auth, 2, Cbor::Null)),
        ("mso-not-tagged", |auth| at(auth, 2, Cbor::Bytes(Cbor::Map(Vec::new()).encode()))),
        ("mso-an-array", |auth| at(auth, 2, Cbor::Bytes(Cbor::Array(Vec::new()).embedded().encode()))),
        ("issuer-auth-crit", |auth| {
            let alg = (Cbor::Integer(1), Cbor::Integer(-7));
            let crit = (Cbor::Integer(2), Cbor::Array(vec![Cbor::Integer(99)]));
            at(auth, 0, Cbor::Bytes(Cbor::Map(vec![alg, crit]).encode()));
        }),
        ("issuer-auth-label-twice", |auth| {
            at(auth, 1, Cbor::Map(vec![(Cbor::Integer(1), Cbor::Integer(-7))]));
        }),
    ];
    for (what, change) in changes {
        vectors.refuse(CODE, what, "RFC 9052, 4.2", |draft| draft.mdoc().issuer_auth = edit(change))?;
    }
    Ok(())
}
