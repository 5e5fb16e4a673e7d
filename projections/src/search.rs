//! One search over everything that has a name: ids, names and labels of all nouns, in one statement.
//!
//! Personal data is not searched. What was found is ranked: first whose id or name it is, then what
//! begins with it, then what contains it. Each kind is asked for its first few of each rank, by an
//! index, so a frequent word costs no more than a rare one.

use crate::noun::Noun;
use crate::page::{Parameter, Statement, beginning, escaped, limit};
use crate::{Error, Result, Viewer};
use async_graphql::{ID, SimpleObject};
use domain::Finding;
use domain::ids::PartnerId;
use serde::Deserialize;
use sqlx::PgPool;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How many hits are told when nobody says how many.
const DEFAULT_HITS: i32 = 20;
/// The shortest text that can be searched, in characters. Three letters or digits and more are
/// found anywhere in a name, fewer only at its beginning.
const MIN_TEXT: usize = 2;
/// The longest one.
const MAX_TEXT: usize = 64;
/// The shortest part of a name that is found anywhere in it.
const MIN_PART: usize = 3;

/// Something that was found.
#[derive(Debug, Clone, Deserialize, SimpleObject)]
pub struct SearchHit {
    /// What kind of thing it is.
    pub noun: Noun,
    /// Its id.
    pub id: ID,
    /// What it is called: its organisation, name, label, subject, version, make and model; a
    /// request goes by its policy.
    pub label: String,
    /// Whose it is; absent for what belongs to no partner.
    pub partner_id: Option<PartnerId>,
}

/// Whose things of one kind are searched.
#[derive(Debug, Clone)]
pub struct Scope {
    /// Whose.
    pub viewer: Viewer,
    /// Drafts are for those who write them.
    pub without_drafts: bool,
}

/// Where a kind of thing is found.
struct Place {
    /// What it is called.
    label: &'static str,
    /// The texts that are searched beside its id.
    names: &'static [&'static str],
    /// Its partner.
    partner: &'static str,
    /// What is no draft.
    no_draft: &'static str,
    /// Whether every partner may see all of it.
    menu: bool,
}

impl Place {
    const fn new(label: &'static str, names: &'static [&'static str]) -> Self {
        Self { label, names, partner: "t.partner_id", no_draft: "true", menu: false }
    }

    /// What every partner may see.
    const fn menu(self) -> Self {
        Self { partner: "null::text", menu: true, ..self }
    }
}

/// Where things of a kind are found; a proposal has no name.
fn place(noun: Noun) -> Option<Place> {
    Some(match noun {
        Noun::Partner => Place {
            partner: "t.id",
            ..Place::new("t.organization_name", &["t.id", "t.organization_name"])
        },
        Noun::PolicyGroup => Place::new("t.name", &["t.id", "t.name"]).menu(),
        Noun::Policy => Place {
            no_draft: "t.status in ('PUBLISHED', 'DEACTIVATED')",
            ..Place::new("t.name", &["t.id", "t.name"]).menu()
        },
        Noun::PolicyRequest => {
            let policy = "(select name from policy where policy.id = t.policy_id)";
            Place { no_draft: "t.submitted_at is not null", ..Place::new(policy, &[]) }
        }
        Noun::Extractor => Place::new("t.name", &["t.id", "t.name"]).menu(),
        Noun::ApiKey | Noun::MispLicense => Place::new("t.label", &["t.label"]),
        Noun::OidcClient => Place::new("t.name", &["t.name"]),
        Noun::TrustCertificate => Place::new("t.issued_to", &["t.id", "t.issued_to"]).menu(),
        Noun::Sbi => Place::new("t.sw_version", &["t.sw_version"]),
        Noun::Device | Noun::FtmChip => {
            Place::new("t.make || ' ' || t.model", &["t.make", "t.model"])
        }
        Noun::Proposal => return None,
    })
}

/// Whether things of a kind are called something that can be searched.
pub fn has_name(noun: Noun) -> bool {
    place(noun).is_some()
}

/// What `text` is the id or name of, begins or is contained in, the best first, at most `first` (1 to
/// 200, 20 when absent). A kind without a scope is left out; there has to be one that has names.
pub async fn search(
    db: &PgPool,
    scopes: &BTreeMap<Noun, Scope>,
    text: &str,
    first: Option<i32>,
) -> Result<Vec<SearchHit>> {
    let hits: Vec<(serde_json::Value,)> =
        statement(scopes, text, first)?.rows().fetch_all(db).await?;
    hits.into_iter().map(|(hit,)| Ok(serde_json::from_value(hit)?)).collect()
}

/// The statement of [`search`].
pub fn statement(
    scopes: &BTreeMap<Noun, Scope>,
    text: &str,
    first: Option<i32>,
) -> Result<Statement> {
    let text = searched(text)?;
    let first = limit(first, DEFAULT_HITS, "first")?;
    let parameters = patterns(text);
    let anywhere = parameters.len() > 2;
    let mut search = Search { first, anywhere, parts: Vec::new(), parameters };
    for (noun, scope) in scopes {
        search.look_among(*noun, scope);
    }
    let sql = format!(
        "select jsonb_build_object('noun', noun, 'id', id, 'label', label, 'partner_id', partner_id) \
         from (select distinct on (noun, id) * from ({}) a order by noun, id, rank) hit \
         order by rank, lower(label), id limit {first}",
        search.parts.join(" union all ")
    );
    Ok(Statement { sql, parameters: search.parameters })
}

/// The text, what begins with it, and, where it is long enough, what contains it: `$1`, `$2`, `$3`.
fn patterns(text: &str) -> Vec<Parameter> {
    let part = (text.chars().count() >= MIN_PART).then(|| format!("%{}%", escaped(text)));
    let patterns = [Some(text.to_owned()), Some(beginning(text)), part];
    patterns.into_iter().flatten().map(Parameter::Text).collect()
}

/// A search while it is put together.
struct Search {
    first: usize,
    /// Whether the text is long enough to be found anywhere in a name.
    anywhere: bool,
    parts: Vec<String>,
    parameters: Vec<Parameter>,
}

impl Search {
    /// Adds the first few of each rank of one kind.
    fn look_among(&mut self, noun: Noun, Scope { viewer, without_drafts }: &Scope) {
        let Some(place) = place(noun) else { return };
        let mut which = String::new();
        if let (Some(own), false) = (viewer.partner_ids(), place.menu) {
            self.parameters.push(Parameter::Texts(own));
            let _ = write!(which, " and {} = any(${})", place.partner, self.parameters.len());
        }
        if *without_drafts {
            let _ = write!(which, " and {}", place.no_draft);
        }
        let named = |condition: &str| {
            let or = |name| format!(" or lower({name}) {condition}");
            place.names.iter().map(or).collect::<Vec<_>>().concat()
        };
        self.part(
            noun,
            &place,
            0,
            &format!("t.id in ($1, lower($1)){}", named("= lower($1)")),
            &which,
        );
        let id = match (noun, place.names.contains(&"t.id")) {
            (_, true) => "false",
            (Noun::OidcClient, _) => "t.id like $2",
            _ => "t.id like lower($2)",
        };
        self.part(noun, &place, 1, &format!("{id}{}", named("like lower($2)")), &which);
        if !place.names.is_empty() && self.anywhere {
            self.part(noun, &place, 2, &format!("false{}", named("like lower($3)")), &which);
        }
    }

    fn part(&mut self, noun: Noun, place: &Place, rank: i32, found: &str, which: &str) {
        let Place { label, names, partner, .. } = place;
        let order = names.last().map(|name| format!("lower({name}), ")).unwrap_or_default();
        self.parts.push(format!(
            "(select '{noun}'::text as noun, t.id, {label} as label, {partner} as partner_id, \
             {rank} as rank from {noun} t where ({found}){which} \
             order by {order}t.id limit {})",
            self.first
        ));
    }
}

/// The text without blanks around it, or what is wrong with it.
fn searched(text: &str) -> Result<&str> {
    let text = text.trim();
    let length = text.chars().count();
    let refused = |code, message: String, limit, value: usize| {
        Err(Error::Refused(vec![Finding::new(code, "text", message).with(limit, value)]))
    };
    match length {
        0..MIN_TEXT => refused(
            "TOO_SHORT",
            format!("Search for {MIN_TEXT} characters or more."),
            "min",
            MIN_TEXT,
        ),
        MIN_TEXT..=MAX_TEXT => Ok(text),
        _ => refused(
            "TOO_LONG",
            format!("Search for at most {MAX_TEXT} characters."),
            "max",
            MAX_TEXT,
        ),
    }
}
