//! DCQL: what a relying party asks to see, and whether a submission is an answer to it (OpenID4VP 1.0, section 6).

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use crate::age::NESTED;
use crate::claims::{ClaimPath, PathSegment, selected};
use crate::credential::strings;
use crate::encoding::{Places, base64url, decimal, json};
use crate::error::{Code, Error};
use crate::trust::SD_JWT_VC;

/// A DCQL query (OpenID4VP 1.0, section 6), as it was sent to the wallet.
///
/// The standard leaves it to the verifier to check that an answer is one; a wallet is not relied upon. Given to
/// [`Challenge::dcql`](crate::Challenge::dcql), the query is held against every submission:
///
/// - Nothing comes that was not asked for: no other query id, not several presentations unless `multiple` is true.
/// - Every presentation matches its Credential Query: `format`, `vct_values` or `doctype_value` in `meta`, `trusted_authorities`,
///   `require_cryptographic_holder_binding`, and `claims` with `claim_sets` and `values`.
/// - What is required is answered: every query, or with `credential_sets` one option of every set that is not
///   `"required": false`. A query is answered when every presentation that came for it holds and matches.
///
/// More may be disclosed than was asked for. An index in a path counts the elements that were disclosed, since digests
/// of undisclosed elements can't be told from decoys. A number matches if it is the same integer; one that was written
/// with a fraction or an exponent is none.
///
/// Of `trusted_authorities`, `aki` is matched; an entry of another type matches nothing. `dc+sd-jwt` and `mso_mdoc` can be
/// answered.
#[derive(Clone, Debug)]
pub struct Dcql {
    queries: Vec<CredentialQuery>,
    /// Place in `queries`.
    by_id: Places,
    /// What must be answered: of each set one option, that is every query whose place it lists.
    required: Vec<Vec<Vec<usize>>>,
}

/// A Credential Query (section 6.1).
#[derive(Clone, Debug)]
pub(crate) struct CredentialQuery {
    id: String,
    multiple: bool,
    holder_binding: bool,
    /// None for a format that can't be answered.
    format: Option<Format>,
    /// `vct_values`, or the only `doctype_value`.
    types: Vec<String>,
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

/// Format of a credential (appendix B).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    SdJwt,
    Mdoc,
}

impl Format {
    fn name(self) -> &'static str {
        match self {
            Self::SdJwt => SD_JWT_VC,
            Self::Mdoc => MDOC,
        }
    }
}

/// `format` of an mdoc (appendix B.2).
const MDOC: &str = "mso_mdoc";

/// What a Credential Query is held against, beside the claims.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    pub(crate) format: Format,
    /// The types that count: first `vct`, unless only others are trusted; then those of `aka_vcts` that are.
    pub(crate) types: Vec<String>,
    /// Authorities that the certificates of the issuer's chain name; none for keys of a JWKS.
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
        check_shape(&document, &QUERY, "$")?;
        let (mut queries, mut by_id) = (Vec::new(), Places::default());
        for (place, value) in items(document.get("credentials")).iter().enumerate() {
            let at = item_of("$.credentials", place);
            let query = CredentialQuery::parse(value, &at)?;
            if !by_id.insert(query.id.clone(), place) {
                return Err(malformed("two queries have the same `id`", &at));
            }
            queries.push(query);
        }
        let mut required = Vec::new();
        // 6.4.2: without sets, everything is asked for.
        if document.get("credential_sets").is_none() {
            required.push([(0..queries.len()).collect()].into());
        }
        for (place, set) in items(document.get("credential_sets")).iter().enumerate() {
            let options = place_lists(set.get("options"), &by_id).ok_or_else(|| {
                malformed("no query has this `id`", &member_of(&item_of("$.credential_sets", place), "options"))
            })?;
            if flag(set, "required", true) {
                required.push(options);
            }
        }
        Ok(Self { queries, by_id, required })
    }

    pub(crate) fn query(&self, id: &str) -> Option<&CredentialQuery> {
        self.queries.get(self.by_id.get(id)?)
    }

    /// The first query that asks for mdocs of this type.
    pub(crate) fn for_doctype(&self, doctype: &str) -> Option<&CredentialQuery> {
        let asks = |query: &&CredentialQuery| {
            query.format == Some(Format::Mdoc) && query.types.iter().any(|one| one == doctype)
        };
        self.queries.iter().find(asks)
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
    /// Of what has the shape of one; `at`: where it stands.
    fn parse(query: &Value, at: &str) -> Result<Self, Error> {
        let format = text(query, "format");
        let meta = query.get("meta").unwrap_or(&Value::Null);
        let shape = match format {
            SD_JWT_VC => SD_JWT_META,
            MDOC => MDOC_META,
            _ => Shape::Object(&[]),
        };
        check_shape(meta, &shape, &member_of(at, "meta"))?;
        let mut authorities = query.get("trusted_authorities").map(|_| Vec::new());
        for entry in items(query.get("trusted_authorities")).iter().filter(|entry| text(entry, "type") == "aki") {
            for value in items(entry.get("values")) {
                let key_id = value.as_str().and_then(base64url);
                let key_id = key_id.ok_or_else(|| malformed("a key identifier is not base64url", at))?;
                authorities.get_or_insert_default().push(key_id);
            }
        }
        let (mut claims, mut claim_ids) = (Vec::<ClaimQuery>::new(), Places::default());
        for (place, value) in items(query.get("claims")).iter().enumerate() {
            let query = match format {
                MDOC if cfg!(feature = "mdoc") => {
                    ClaimQuery::of_mdoc(value, text(meta, "doctype_value")).ok_or_else(|| {
                        malformed("a path is not a namespace and an element", &item_of(&member_of(at, "claims"), place))
                    })?
                }
                _ => ClaimQuery::parse(value),
            };
            let is_known = value.get("id").is_some() && !claim_ids.insert(text(value, "id").to_owned(), place);
            // 6.1: a query points to a claim once.
            if is_known || claims.iter().any(|other| other.path == query.path) {
                return Err(malformed(
                    "two claims have the same `id` or `path`",
                    &item_of(&member_of(at, "claims"), place),
                ));
            }
            claims.push(query);
        }
        let claim_sets = match query.get("claim_sets") {
            None if claims.is_empty() => Vec::new(),
            None => [(0..claims.len()).collect()].into(),
            found => place_lists(found, &claim_ids).filter(|_| claim_ids.len() == claims.len()).ok_or_else(|| {
                malformed("a claim has no `id`, or not one that is named", &member_of(at, "claim_sets"))
            })?,
        };
        Ok(Self {
            id: text(query, "id").to_owned(),
            multiple: flag(query, "multiple", false),
            holder_binding: flag(query, "require_cryptographic_holder_binding", true),
            format: match format {
                SD_JWT_VC => Some(Format::SdJwt),
                MDOC => Some(Format::Mdoc),
                _ => None,
            },
            types: match meta.get("doctype_value") {
                Some(Value::String(doctype)) if format == MDOC => [doctype.clone()].into(),
                _ => strings(meta.get("vct_values")).unwrap_or_default(),
            },
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

    pub(crate) fn names_authorities(&self) -> bool {
        self.authorities.is_some()
    }

    /// Format, type and authorities.
    pub(crate) fn check_kind(&self, kind: &Kind) -> Result<(), Error> {
        if self.format != Some(kind.format) {
            let error = Error::new(Code::ClaimsFormat, "the query asks for a credential of another format");
            return Err(error.claim(&self.id).actual(kind.format.name()));
        }
        if !kind.types.iter().any(|found| self.types.contains(found)) {
            let error = Error::new(Code::ClaimsType, "the query asks for a credential of another type");
            let claim = if kind.format == Format::Mdoc { "docType" } else { "vct" };
            return Err(error.claim(claim).expected(&self.types.join(", ")).actual(&kind.types.join(", ")));
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
                    return Err(error.claim(&query.path.text()));
                }
            }
        }
        Ok(())
    }
}

/// A claim that was asked for was not disclosed.
pub(crate) fn missing(path: &ClaimPath) -> Error {
    Error::new(Code::ClaimsMissing, "a claim that was asked for was not disclosed").claim(&path.text())
}

impl ClaimQuery {
    /// Of what has the shape of one.
    fn parse(query: &Value) -> Self {
        let step = |step: &Value| match step {
            Value::String(key) => PathSegment::Key(key.clone()),
            index => index_of(index).map_or(PathSegment::All, PathSegment::Index),
        };
        let path = ClaimPath::new(items(query.get("path")).iter().map(step).collect());
        Self { path, values: items(query.get("values")).to_vec() }
    }

    /// The same of an mdoc (appendix B.2.4): a namespace and an element. Where the claims of an mdoc have it, see
    /// [`Verified::claims`](crate::Verified::claims).
    fn of_mdoc(query: &Value, doctype: &str) -> Option<Self> {
        let [Value::String(name_space), Value::String(element)] = items(query.get("path")) else { return None };
        let mut path = Vec::new();
        match element.split_once('.') {
            _ if name_space != doctype => path.extend([name_space.as_str(), element]),
            Some((NESTED, member)) => path.extend([NESTED, member]),
            _ => path.push(element),
        }
        let path = ClaimPath::new(path.into_iter().map(|key| PathSegment::Key(key.to_owned())).collect());
        Some(Self { path, values: items(query.get("values")).to_vec() })
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

/// What a value in the query must look like. The shape is checked as a whole, before anything is read.
enum Shape {
    /// A string that is not empty.
    Text,
    /// Letters, digits, `_` and `-`.
    Id,
    Flag,
    /// A step of a path.
    Step,
    /// What a claim may be compared with.
    Scalar,
    /// Not empty.
    Array(&'static Self),
    Object(&'static [Member]),
}

/// Name, whether it must be there, and what it is.
type Member = (&'static str, bool, Shape);

const QUERY: Shape =
    Shape::Object(&[("credentials", true, Shape::Array(&CREDENTIAL)), ("credential_sets", false, Shape::Array(&SET))]);

const CREDENTIAL: Shape = Shape::Object(&[
    ("id", true, Shape::Id),
    ("format", true, Shape::Text),
    ("multiple", false, Shape::Flag),
    ("meta", true, Shape::Object(&[])),
    ("trusted_authorities", false, Shape::Array(&AUTHORITY)),
    ("require_cryptographic_holder_binding", false, Shape::Flag),
    ("claims", false, Shape::Array(&CLAIM)),
    ("claim_sets", false, IDS_LISTS),
]);

const AUTHORITY: Shape = Shape::Object(&[("type", true, Shape::Text), ("values", true, Shape::Array(&Shape::Text))]);

const SET: Shape = Shape::Object(&[("options", true, IDS_LISTS), ("required", false, Shape::Flag)]);

const CLAIM: Shape = Shape::Object(&[
    ("id", false, Shape::Id),
    ("path", true, Shape::Array(&Shape::Step)),
    ("values", false, Shape::Array(&Shape::Scalar)),
]);

const IDS_LISTS: Shape = Shape::Array(&Shape::Array(&Shape::Text));

/// Appendix B.3.5.
const SD_JWT_META: Shape = Shape::Object(&[("vct_values", true, Shape::Array(&Shape::Text))]);

/// Appendix B.2.3.
const MDOC_META: Shape = Shape::Object(&[("doctype_value", true, Shape::Text)]);

fn check_shape(value: &Value, shape: &Shape, at: &str) -> Result<(), Error> {
    let fits = match shape {
        Shape::Text => value.as_str().is_some_and(|text| !text.is_empty()),
        Shape::Id => value.as_str().is_some_and(is_id),
        Shape::Flag => value.is_boolean(),
        Shape::Step => value.is_string() || value.is_null() || index_of(value).is_some(),
        Shape::Scalar => value.is_string() || value.is_boolean() || value.is_i64() || value.is_u64(),
        Shape::Array(each) => {
            for (place, item) in items(Some(value)).iter().enumerate() {
                check_shape(item, each, &item_of(at, place))?;
            }
            !items(Some(value)).is_empty()
        }
        Shape::Object(members) => {
            for (name, is_needed, shape) in *members {
                let at = member_of(at, name);
                match value.get(name) {
                    Some(member) => check_shape(member, shape, &at)?,
                    None if *is_needed && value.is_object() => return Err(malformed("a member is missing", &at)),
                    None => {}
                }
            }
            value.is_object()
        }
    };
    if fits { Ok(()) } else { Err(malformed("a member is empty, or of the wrong type", at)) }
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

fn index_of(step: &Value) -> Option<u32> {
    step.as_u64()?.try_into().ok()
}

/// Nothing if it is no array.
fn items(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn flag(object: &Value, name: &str, default: bool) -> bool {
    object.get(name).and_then(Value::as_bool).unwrap_or(default)
}

/// For each of several arrays of ids, where those stand that it names; none if an id is not known.
fn place_lists(lists: Option<&Value>, by_id: &Places) -> Option<Vec<Vec<usize>>> {
    let mut all = Vec::new();
    for list in items(lists) {
        let mut places = Vec::new();
        for id in items(Some(list)) {
            places.push(by_id.get(id.as_str()?)?);
        }
        all.push(places);
    }
    Some(all)
}

/// The place of an element below that of its array.
fn item_of(at: &str, place: usize) -> String {
    [at, "[", &decimal(place), "]"].concat()
}

/// The place of a member below that of its object.
fn member_of(at: &str, name: &str) -> String {
    [at, ".", name].concat()
}

fn malformed(why: &'static str, at: &str) -> Error {
    Error::new(Code::ChallengeMalformed, why).claim(at)
}
