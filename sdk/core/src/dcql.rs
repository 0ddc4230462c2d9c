//! DCQL: what a relying party asks to see, and whether a submission is an answer to it (OpenID4VP 1.0, section 6).

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use crate::claims::{ClaimPath, PathSegment, selected};
use crate::encoding::{base64url, json};
use crate::error::{Code, Error};
use crate::trust::SD_JWT_VC;

/// A DCQL query (OpenID4VP 1.0, section 6), as it was sent to the wallet.
///
/// The standard leaves it to the verifier to check that an answer is one; a wallet is not relied upon. Given to
/// [`Challenge::dcql`](crate::Challenge::dcql), the query is held against every submission:
///
/// - Nothing comes that was not asked for: no other query id, not several presentations unless `multiple` is true.
/// - Every presentation matches its Credential Query: `format`, `meta.vct_values`, `trusted_authorities`,
///   `require_cryptographic_holder_binding`, and `claims` with `claim_sets` and `values`.
/// - What is required is answered: every query, or with `credential_sets` one option of every set that is not
///   `"required": false`. A query is answered when every presentation that came for it holds and matches.
///
/// More may be disclosed than was asked for. An index in a path counts the elements that were disclosed, since digests
/// of undisclosed elements can't be told from decoys. A number matches if it is the same integer; one that was written
/// with a fraction or an exponent is none.
///
/// Of `trusted_authorities`, `aki` is matched; an entry of another type matches nothing. Only `dc+sd-jwt` can be
/// answered yet.
#[derive(Clone, Debug)]
pub struct Dcql {
    queries: Vec<CredentialQuery>,
    /// Place in `queries`.
    by_id: BTreeMap<String, usize>,
    /// What must be answered: of each set one option, that is every query whose place it lists.
    required: Vec<Vec<Vec<usize>>>,
}

/// A Credential Query (section 6.1).
#[derive(Clone, Debug)]
pub(crate) struct CredentialQuery {
    id: String,
    multiple: bool,
    holder_binding: bool,
    /// None for a format that can't be answered yet.
    vct_values: Option<Vec<String>>,
    /// Key identifiers of authorities, any of which will do; none that could match if only other types were named.
    authorities: Option<Vec<Vec<u8>>>,
    claims: Vec<ClaimQuery>,
    /// Places in `claims`, the preferred combination first. Without `claim_sets` one of all; empty without `claims`.
    claim_sets: Vec<Vec<usize>>,
}

/// A Claims Query (section 6.3).
#[derive(Clone, Debug)]
struct ClaimQuery {
    path: ClaimPath,
    /// Strings, integers and booleans; empty if any value will do.
    values: Vec<Value>,
}

/// What a Credential Query is held against, beside the claims.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    /// `vct`, and of `aka_vcts` those that the issuer is trusted for.
    pub(crate) types: Vec<String>,
    /// Key identifiers of the authorities in the issuer's certificate chain; none for keys of a JWKS.
    pub(crate) authority_key_ids: Vec<Vec<u8>>,
}

impl Dcql {
    /// Parses a query. Members that are not known are ignored, as the standard demands; in those that are, anything that
    /// it does not allow is refused.
    ///
    /// # Errors
    /// [`Code::ChallengeMalformed`], with the place in the query (RFC 9535), such as `$.credentials[0].meta`.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Error> {
        let document = json(bytes).map_err(|_| malformed("the query is not JSON, or is too large", "$"))?;
        let document = Node { value: &document, at: "$".to_owned() };
        let (mut queries, mut by_id) = (Vec::new(), BTreeMap::new());
        for node in document.needed("credentials")?.items()? {
            let query = CredentialQuery::parse(&node)?;
            if by_id.insert(query.id.clone(), queries.len()).is_some() {
                return Err(malformed("two queries have the same `id`", &node.at).actual(&query.id));
            }
            queries.push(query);
        }
        // 6.4.2: without sets, everything is asked for.
        let mut required = Vec::from([[(0..queries.len()).collect()].into()]);
        if let Some(sets) = document.member("credential_sets")? {
            required.clear();
            for set in sets.items()? {
                let mut options = Vec::new();
                for option in set.needed("options")?.items()? {
                    options.push(option.places(&by_id)?);
                }
                if set.flag("required", true)? {
                    required.push(options);
                }
            }
        }
        Ok(Self { queries, by_id, required })
    }

    pub(crate) fn query(&self, id: &str) -> Option<&CredentialQuery> {
        self.queries.get(*self.by_id.get(id)?)
    }

    /// The query that a credential answers: the one with this id. Without an id, the only one.
    pub(crate) fn asked(&self, id: &str) -> Option<&CredentialQuery> {
        match (id, self.queries.as_slice()) {
            ("", [only]) => Some(only),
            _ => self.query(id),
        }
    }

    pub(crate) fn queries(&self) -> &[CredentialQuery] {
        &self.queries
    }

    /// Nothing came that was not asked for, and nothing that is required is missing; `sent`: the query of each
    /// presentation.
    pub(crate) fn check_sent(&self, sent: &[&str]) -> Result<(), Error> {
        for id in sent {
            let query = self.query(id).ok_or_else(|| unexpected("a presentation answers no query", id))?;
            if !query.multiple && sent.iter().filter(|other| *other == id).count() > 1 {
                return Err(unexpected("a query that asks for one presentation has several", id));
            }
        }
        let unanswered = self.unanswered(|id| sent.contains(&id));
        unanswered.map_or(Ok(()), |id| {
            Err(Error::new(Code::TokenIncomplete, "a query that must be answered has no presentation").claim(id))
        })
    }

    /// A query that must be answered and is not: of the option that is preferred, where there are several.
    pub(crate) fn unanswered(&self, is_answered: impl FnMut(&str) -> bool) -> Option<&str> {
        let answered = self.queries.iter().map(|query| query.id.as_str()).map(is_answered).collect::<Vec<_>>();
        let open = |place: &&usize| !answered.get(**place).is_some_and(|answered| *answered);
        let unsatisfied = self
            .required
            .iter()
            .find(|options| options.iter().all(|option| option.iter().any(|place| open(&place))))?;
        let place = unsatisfied.first()?.iter().find(open)?;
        self.queries.get(*place).map(|query| query.id.as_str())
    }
}

fn unexpected(why: &'static str, id: &str) -> Error {
    Error::new(Code::TokenUnexpected, why).claim(id)
}

impl CredentialQuery {
    fn parse(node: &Node<'_>) -> Result<Self, Error> {
        let id = node.needed("id")?.id()?;
        let format = node.needed("format")?.text()?;
        let meta = node.needed("meta")?;
        let vct_values = match format {
            SD_JWT_VC => Some(meta.needed("vct_values")?.texts()?),
            // Appendix B.2.3.
            "mso_mdoc" => {
                meta.needed("doctype_value")?.text()?;
                None
            }
            _ => {
                meta.object()?;
                None
            }
        };
        let mut authorities = None;
        if let Some(entries) = node.member("trusted_authorities")? {
            let mut key_ids = Vec::new();
            for entry in entries.items()? {
                let is_aki = entry.needed("type")?.text()? == "aki";
                let values = entry.needed("values")?;
                for (value, node) in values.texts()?.iter().zip(values.items()?) {
                    if is_aki {
                        key_ids.push(base64url(value).ok_or_else(|| node.wrong("a key identifier is not base64url"))?);
                    }
                }
            }
            authorities = Some(key_ids);
        }
        let (mut claims, mut claim_ids) = (Vec::<ClaimQuery>::new(), BTreeMap::new());
        for claim in node.member("claims")?.map_or(Ok(Vec::new()), |claims| claims.items())? {
            if let Some(id) = claim.member("id")?
                && claim_ids.insert(id.id()?, claims.len()).is_some()
            {
                return Err(id.wrong("two claims have the same `id`"));
            }
            let query = ClaimQuery::parse(&claim)?;
            // 6.1: a query points to a claim once.
            if claims.iter().any(|other| other.path == query.path) {
                return Err(claim.wrong("a claim is asked for twice"));
            }
            claims.push(query);
        }
        let mut claim_sets = Vec::new();
        match node.member("claim_sets")? {
            Some(sets) => {
                if claims.is_empty() || claim_ids.len() < claims.len() {
                    return Err(sets.wrong("with `claim_sets` there are `claims`, each with an `id`"));
                }
                for set in sets.items()? {
                    claim_sets.push(set.places(&claim_ids)?);
                }
            }
            None if claims.is_empty() => {}
            None => claim_sets.push((0..claims.len()).collect()),
        }
        Ok(Self {
            id,
            multiple: node.flag("multiple", false)?,
            holder_binding: node.flag("require_cryptographic_holder_binding", true)?,
            vct_values,
            authorities,
            claims,
            claim_sets,
        })
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Whether a presentation needs the holder's proof (section 6.1).
    pub(crate) fn holder_binding(&self) -> bool {
        self.holder_binding
    }

    /// Format, type and authorities.
    pub(crate) fn check_kind(&self, kind: &Kind) -> Result<(), Error> {
        let Some(vct_values) = &self.vct_values else {
            let error = Error::new(Code::ClaimsFormat, "the query asks for a credential of another format");
            return Err(error.claim(&self.id).actual(SD_JWT_VC));
        };
        if !kind.types.iter().any(|found| vct_values.contains(found)) {
            let error = Error::new(Code::ClaimsType, "the query asks for a credential of another type");
            return Err(error.claim("vct").expected(&vct_values.join(", ")).actual(&kind.types.join(", ")));
        }
        match &self.authorities {
            Some(wanted) if !kind.authority_key_ids.iter().any(|found| wanted.contains(found)) => {
                let error = Error::new(Code::ClaimsAuthority, "no authority that the query names certified the issuer");
                Err(error.claim(&self.id))
            }
            _ => Ok(()),
        }
    }

    /// Claims and their values (section 6.4.1): one of the combinations; if none, what the preferred one lacks.
    pub(crate) fn check_claims(&self, claims: &Map<String, Value>) -> Result<(), Error> {
        let mut results = self.claim_sets.iter().map(|set| self.check_claim_set(set, claims));
        let Some(preferred) = results.next() else {
            return Ok(());
        };
        if preferred.is_ok() || results.any(|result| result.is_ok()) { Ok(()) } else { preferred }
    }

    fn check_claim_set(&self, set: &[usize], claims: &Map<String, Value>) -> Result<(), Error> {
        let asked = set.iter().filter_map(|place| self.claims.get(*place));
        let asked = asked.map(|query| (query, selected(claims, &query.path))).collect::<Vec<_>>();
        if let Some((query, _)) = asked.iter().find(|(_, found)| found.is_empty()) {
            return Err(missing(&query.path));
        }
        let other = |(query, found): &&(&ClaimQuery, Vec<&Value>)| {
            !query.values.is_empty() && !found.iter().any(|value| query.values.contains(value))
        };
        asked.iter().find(other).map_or(Ok(()), |(query, _)| {
            let values = query.values.iter().map(ToString::to_string).collect::<Vec<_>>();
            let error = Error::new(Code::ClaimsMismatch, "a claim has none of the values that were asked for");
            Err(error.claim(&query.path.to_string()).expected(&values.join(", ")))
        })
    }
}

/// A claim that was asked for was not disclosed.
pub(crate) fn missing(path: &ClaimPath) -> Error {
    Error::new(Code::ClaimsMissing, "a claim that was asked for was not disclosed").claim(&path.to_string())
}

impl ClaimQuery {
    fn parse(node: &Node<'_>) -> Result<Self, Error> {
        let mut path = Vec::new();
        for step in node.needed("path")?.items()? {
            path.push(match step.value {
                Value::String(key) => PathSegment::Key(key.clone()),
                Value::Null => PathSegment::All,
                index => {
                    let index = index.as_u64().and_then(|index| index.try_into().ok());
                    PathSegment::Index(index.ok_or_else(|| step.wrong("a path has names, places and `null`"))?)
                }
            });
        }
        let mut values = Vec::new();
        for value in node.member("values")?.map_or(Ok(Vec::new()), |values| values.items())? {
            if !(value.value.is_string() || value.value.is_boolean() || value.value.is_i64() || value.value.is_u64()) {
                return Err(value.wrong("a value is a string, an integer or a boolean"));
            }
            values.push(value.value.clone());
        }
        Ok(Self { path: ClaimPath::new(path), values })
    }
}

/// A value in the query, and where it stands.
struct Node<'a> {
    value: &'a Value,
    at: String,
}

impl<'a> Node<'a> {
    fn wrong(&self, why: &'static str) -> Error {
        malformed(why, &self.at)
    }

    fn object(&self) -> Result<&'a Map<String, Value>, Error> {
        self.value.as_object().ok_or_else(|| self.wrong("it is not an object"))
    }

    fn member(&self, name: &str) -> Result<Option<Self>, Error> {
        Ok(self.object()?.get(name).map(|value| Self { value, at: format!("{}.{name}", self.at) }))
    }

    fn needed(&self, name: &str) -> Result<Self, Error> {
        let missing = || malformed("a member is missing", &format!("{}.{name}", self.at));
        self.member(name)?.ok_or_else(missing)
    }

    /// Those of a non-empty array.
    fn items(&self) -> Result<Vec<Self>, Error> {
        let items = self.value.as_array().filter(|items| !items.is_empty());
        let items = items.ok_or_else(|| self.wrong("it is not an array, or it is empty"))?;
        let node = |(place, value)| Self { value, at: format!("{}[{place}]", self.at) };
        Ok(items.iter().enumerate().map(node).collect())
    }

    fn text(&self) -> Result<&'a str, Error> {
        let text = self.value.as_str().filter(|text| !text.is_empty());
        text.ok_or_else(|| self.wrong("it is not a string, or it is empty"))
    }

    fn texts(&self) -> Result<Vec<String>, Error> {
        self.items()?.iter().map(|item| item.text().map(ToOwned::to_owned)).collect()
    }

    fn id(&self) -> Result<String, Error> {
        let text = self.text()?;
        match text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-') {
            true => Ok(text.to_owned()),
            false => Err(self.wrong("an `id` has letters, digits, `_` and `-`")),
        }
    }

    fn flag(&self, name: &str, default: bool) -> Result<bool, Error> {
        match self.member(name)? {
            None => Ok(default),
            Some(node) => node.value.as_bool().ok_or_else(|| node.wrong("it is not true or false")),
        }
    }

    /// Where those stand that a non-empty array of ids names.
    fn places(&self, by_id: &BTreeMap<String, usize>) -> Result<Vec<usize>, Error> {
        let mut places = Vec::new();
        for item in self.items()? {
            places.push(*by_id.get(item.text()?).ok_or_else(|| item.wrong("nothing has this `id`"))?);
        }
        Ok(places)
    }
}

fn malformed(why: &'static str, at: &str) -> Error {
    Error::new(Code::ChallengeMalformed, why).claim(at)
}
