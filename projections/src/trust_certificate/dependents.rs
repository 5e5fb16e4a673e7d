//! What rests on trust certificates: those below them, and the newest certificates of partners and
//! FTM chips that have not ended.

use super::Row;
use crate::Result;
use crate::ftm_chip;
use crate::held::Held as _;
use chrono::{DateTime, Utc};
use domain::reference::{PartnerType, TrustDomain};
use sqlx::PgExecutor;
use std::collections::{BTreeSet, HashMap};
use strum::VariantArray as _;

/// The most dependents that are named; the rest is counted.
pub const MAX_NAMED: i64 = 1_000;

/// What would be trusted no more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dependents {
    /// Noun and id, at most [`MAX_NAMED`], trust certificates first.
    pub named: Vec<(String, String)>,
    /// How many there are in all.
    pub count: i64,
}

/// Who uses certificates: noun, id, domain, and path and serial number of the newest certificate.
/// $1: now, $2 and $3: types of partners and their domains, $4: the states of chips in use.
const USERS: &str = "\
    select 'partner' as noun, p.id, d.domain, p.certificate_path as path, \
      p.certificate_serial as serial \
    from partner p join unnest($2::text[], $3::text[]) d(type, domain) on d.type = p.partner_type \
    where p.status <> 'DEACTIVATED' and p.certificate_expires_at > $1 \
    union all \
    select 'ftm_chip', c.id, d.domain, c.certificate_path, c.certificate_serial \
    from ftm_chip c join partner p on p.id = c.partner_id \
      join unnest($2::text[], $3::text[]) d(type, domain) on d.type = p.partner_type \
    where c.status = any($4) and c.certificate_expires_at > $1";

/// How many certificates of partners and chips have these trust certificates in their paths, by the
/// ids of these.
pub async fn used_by(
    db: impl PgExecutor<'_>,
    ids: &[String],
    now: DateTime<Utc>,
) -> Result<HashMap<String, i64>> {
    let sql = format!(
        "select t.id, (select count(*) from ({USERS}) u where u.domain = t.partner_domain \
           and u.path @> jsonb_build_array(t.fingerprint)) \
         from trust_certificate t where t.id = any($5)"
    );
    let (types, domains) = domains_of_types();
    let query = sqlx::query_as(&sql).bind(now).bind(types).bind(domains);
    let counts: Vec<(String, i64)> =
        query.bind(ftm_chip::Row::LIVE).bind(ids).fetch_all(db).await?;
    Ok(counts.into_iter().collect())
}

/// What is trusted no more when `ca` is not, or, where serial numbers are given, when it takes these
/// back; then whatever its key has issued counts, under any of its certificates.
pub async fn dependents(
    db: impl PgExecutor<'_>,
    ca: &Row,
    serials: Option<&BTreeSet<String>>,
    now: DateTime<Utc>,
) -> Result<Dependents> {
    let sql = format!(
        "with recursive issuer as (\
           select fingerprint from trust_certificate where partner_domain = $5 \
             and (fingerprint = $6 or ($8::text[] is not null and key_fingerprint = $7))), \
         below as (\
           select t.id, t.fingerprint from trust_certificate t \
             join issuer i on i.fingerprint = t.issuer_fingerprint \
             where t.partner_domain = $5 and t.fingerprint <> t.issuer_fingerprint \
             and ($8 is null or t.serial = any($8)) \
           union \
           select t.id, t.fingerprint from trust_certificate t \
             join below b on b.fingerprint = t.issuer_fingerprint where t.partner_domain = $5), \
         users as ({USERS}), \
         dependent as (\
           select 'trust_certificate' as noun, id from below \
           union \
           select u.noun, u.id from issuer i join users u on u.domain = $5 \
             and u.path @> jsonb_build_array(i.fingerprint) \
             and ($8 is null or (u.path->>1 = i.fingerprint and u.serial = any($8))) \
           union \
           select u.noun, u.id from below b join users u on u.domain = $5 \
             and u.path @> jsonb_build_array(b.fingerprint)) \
         select noun, id, count(*) over () from dependent \
         order by noun = 'trust_certificate' desc, noun, id limit {MAX_NAMED}"
    );
    let (types, domains) = domains_of_types();
    let serials: Option<Vec<&str>> = serials.map(|it| it.iter().map(String::as_str).collect());
    let query = sqlx::query_as(&sql).bind(now).bind(types).bind(domains).bind(ftm_chip::Row::LIVE);
    let query = query.bind(ca.partner_domain.to_string()).bind(&ca.fingerprint);
    let rows: Vec<(String, String, i64)> =
        query.bind(&ca.key_fingerprint).bind(serials).fetch_all(db).await?;
    let count = rows.first().map_or(0, |(_, _, count)| *count);
    Ok(Dependents { named: rows.into_iter().map(|(noun, id, _)| (noun, id)).collect(), count })
}

/// Every type of partner, and beside it the domain that its certificates belong to.
fn domains_of_types() -> (Vec<String>, Vec<String>) {
    let domain = |it: &PartnerType| -> TrustDomain { it.terms().trust_domain };
    let pair = |it: &PartnerType| (it.to_string(), domain(it).to_string());
    PartnerType::VARIANTS.iter().map(pair).unzip()
}
