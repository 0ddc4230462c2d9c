//! DCQL: what a relying party asks to see, and whether a submission is an answer to it (OpenID4VP 1.0, section 6).

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString as _};
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
        let document = Node { value: &document, step: Step::Root };
        let (mut queries, mut by_id) = (Vec::new(), BTreeMap::new());
        let credentials = document.needed("credentials")?;
        for (place, value) in credentials.items()?.iter().enumerate() {
            let node = credentials.item(place, value);
            let query = CredentialQuery::parse(&node)?;
            if by_id.insert(query.id.clone(), place).is_some() {
                return Err(node.wrong("two queries have the same `id`"));
            }
            queries.push(query);
        }
        let mut required = Vec::new();
        match document.member("credential_sets")? {
            // 6.4.2: without sets, everything is asked for.
            None => required.push([(0..queries.len()).collect()].into()),
            Some(sets) => {
                for (place, value) in sets.items()?.iter().enumerate() {
                    let set = sets.item(place, value);
                    let options = set.needed("options")?.place_lists(&by_id)?;
                    if set.flag("required", true)? {
                        required.push(options);
                    }
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
        self.check_answered(&mut |id| sent.contains(&id)).map_err(|id| {
            Error::new(Code::TokenIncomplete, "a query that must be answered has no presentation").claim(id)
        })
    }

    /// The error is a query that must be answered and is not: of the option that is preferred, where there are several.
    pub(crate) fn check_answered(&self, is_answered: &mut dyn FnMut(&str) -> bool) -> Result<(), &str> {
        let open = self.queries.iter().map(|query| (!is_answered(&query.id)).then_some(query.id.as_str()));
        let open = open.collect::<Vec<_>>();
        let first_open = |option: &Vec<usize>| option.iter().find_map(|place| *open.get(*place)?);
        for options in &self.required {
            let mut preferred = None;
            for option in options {
                let Some(id) = first_open(option) else {
                    preferred = None;
                    break;
                };
                preferred = preferred.or(Some(id));
            }
            if let Some(id) = preferred {
                return Err(id);
            }
        }
        Ok(())
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
            _ if meta.value.is_object() => None,
            _ => return Err(meta.wrong("it is not an object")),
        };
        let mut authorities = None;
        if let Some(entries) = node.member("trusted_authorities")? {
            let mut key_ids = Vec::new();
            for (place, value) in entries.items()?.iter().enumerate() {
                let entry = entries.item(place, value);
                let is_aki = entry.needed("type")?.text()? == "aki";
                let values = entry.needed("values")?;
                for value in values.texts()? {
                    if is_aki {
                        key_ids
                            .push(base64url(&value).ok_or_else(|| values.wrong("a key identifier is not base64url"))?);
                    }
                }
            }
            authorities = Some(key_ids);
        }
        let (mut claims, mut claim_ids) = (Vec::<ClaimQuery>::new(), BTreeMap::new());
        if let Some(asked) = node.member("claims")? {
            for (place, value) in asked.items()?.iter().enumerate() {
                let claim = asked.item(place, value);
                if let Some(id) = claim.member("id")?
                    && claim_ids.insert(id.id()?, place).is_some()
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
        }
        let claim_sets = match node.member("claim_sets")? {
            Some(sets) if claims.is_empty() || claim_ids.len() < claims.len() => {
                return Err(sets.wrong("with `claim_sets` there are `claims`, each with an `id`"));
            }
            Some(sets) => sets.place_lists(&claim_ids)?,
            None if claims.is_empty() => Vec::new(),
            None => [(0..claims.len()).collect()].into(),
        };
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
        let mut preferred = Ok(());
        for set in &self.claim_sets {
            let result = self.check_claim_set(set, claims);
            if result.is_ok() {
                return result;
            }
            preferred = preferred.and(result);
        }
        preferred
    }

    fn check_claim_set(&self, set: &[usize], claims: &Map<String, Value>) -> Result<(), Error> {
        // That a claim is not there comes first, in the order of the codes.
        for with_values in [false, true] {
            for query in set.iter().filter_map(|place| self.claims.get(*place)) {
                let found = selected(claims, &query.path);
                if found.is_empty() {
                    return Err(missing(&query.path));
                }
                if with_values && !query.values.is_empty() && !found.iter().any(|found| query.allows(found)) {
                    let error = Error::new(Code::ClaimsMismatch, "a claim has none of the values that were asked for");
                    return Err(error.claim(&query.path.to_string()));
                }
            }
        }
        Ok(())
    }
}

/// A claim that was asked for was not disclosed.
pub(crate) fn missing(path: &ClaimPath) -> Error {
    Error::new(Code::ClaimsMissing, "a claim that was asked for was not disclosed").claim(&path.to_string())
}

impl ClaimQuery {
    fn parse(node: &Node<'_>) -> Result<Self, Error> {
        let mut path = Vec::new();
        let steps = node.needed("path")?;
        for step in steps.items()? {
            path.push(match step {
                Value::String(key) => PathSegment::Key(key.clone()),
                Value::Null => PathSegment::All,
                index => {
                    let index = index.as_u64().and_then(|index| index.try_into().ok());
                    PathSegment::Index(index.ok_or_else(|| steps.wrong("a path has names, places and `null`"))?)
                }
            });
        }
        let mut values = Vec::new();
        if let Some(allowed) = node.member("values")? {
            for value in allowed.items()? {
                if !(value.is_string() || value.is_boolean() || value.is_i64() || value.is_u64()) {
                    return Err(allowed.wrong("a value is a string, an integer or a boolean"));
                }
                values.push(value.clone());
            }
        }
        Ok(Self { path: ClaimPath::new(path), values })
    }

    /// Type and value are the same as those of one that was asked for (section 6.3).
    fn allows(&self, found: &Value) -> bool {
        self.values.iter().any(|asked| match (asked, found) {
            (Value::String(asked), Value::String(found)) => asked == found,
            (Value::Bool(asked), Value::Bool(found)) => asked == found,
            (Value::Number(asked), Value::Number(found)) => {
                let number = asked.as_i128();
                number.is_some() && number == found.as_i128()
            }
            _ => false,
        })
    }
}

/// A value in the query, and where it stands.
struct Node<'a> {
    value: &'a Value,
    step: Step<'a>,
}

enum Step<'a> {
    Root,
    Member(&'a Node<'a>, &'a str),
    Item(&'a Node<'a>, usize),
}

impl<'a> Node<'a> {
    #[cold]
    #[inline(never)]
    fn wrong(&self, why: &'static str) -> Error {
        malformed(why, &self.at())
    }

    /// A normalized path, but for the shorter form of names (RFC 9535).
    fn at(&self) -> String {
        match self.step {
            Step::Root => "$".to_owned(),
            Step::Member(parent, name) => format!("{}.{name}", parent.at()),
            Step::Item(parent, place) => format!("{}[{place}]", parent.at()),
        }
    }

    fn member<'b>(&'b self, name: &'b str) -> Result<Option<Node<'b>>, Error> {
        let members = self.value.as_object().ok_or_else(|| self.wrong("it is not an object"))?;
        Ok(members.get(name).map(|value| Node { value, step: Step::Member(self, name) }))
    }

    #[inline(never)]
    fn needed<'b>(&'b self, name: &'b str) -> Result<Node<'b>, Error> {
        let nothing = Node { value: &Value::Null, step: Step::Member(self, name) };
        self.member(name)?.ok_or_else(|| nothing.wrong("a member is missing"))
    }

    /// Those of a non-empty array.
    fn items(&self) -> Result<&'a [Value], Error> {
        let items = self.value.as_array().filter(|items| !items.is_empty());
        items.map(Vec::as_slice).ok_or_else(|| self.wrong("it is not an array, or it is empty"))
    }

    fn item<'b>(&'b self, place: usize, value: &'b Value) -> Node<'b> {
        Node { value, step: Step::Item(self, place) }
    }

    fn text(&self) -> Result<&'a str, Error> {
        let text = self.value.as_str().filter(|text| !text.is_empty());
        text.ok_or_else(|| self.wrong("it is not a string, or it is empty"))
    }

    fn texts(&self) -> Result<Vec<String>, Error> {
        let mut texts = Vec::new();
        for (place, value) in self.items()?.iter().enumerate() {
            texts.push(self.item(place, value).text()?.to_owned());
        }
        Ok(texts)
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

    /// For each of several non-empty arrays of ids, where those stand that it names.
    fn place_lists(&self, by_id: &BTreeMap<String, usize>) -> Result<Vec<Vec<usize>>, Error> {
        let mut lists = Vec::new();
        for (place, value) in self.items()?.iter().enumerate() {
            let list = self.item(place, value);
            let mut places = Vec::new();
            for (place, value) in list.items()?.iter().enumerate() {
                let id = list.item(place, value);
                places.push(*by_id.get(id.text()?).ok_or_else(|| id.wrong("nothing has this `id`"))?);
            }
            lists.push(places);
        }
        Ok(lists)
    }
}

fn malformed(why: &'static str, at: &str) -> Error {
    Error::new(Code::ChallengeMalformed, why).claim(at)
}
