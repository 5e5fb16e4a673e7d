//! What is in the log can be read without us: by stock cqrs-es, and by an auditor with `psql`.

use crate::support::actors::Market;
use crate::support::commands::Installation;
use ::commands::Commands;
use ::commands::event_store::{NewEvent, StreamId, Submission, Verdict};
use cqrs_es::persist::PersistedEventStore;
use cqrs_es::{Aggregate, EventStore as _};
use domain::Decide;
use domain::api_key::ApiKey;
use domain::consent::Consent;
use domain::device::Device;
use domain::extractor::Extractor;
use domain::ftm_chip::FtmChip;
use domain::misp_license::MispLicense;
use domain::oidc_client::OidcClient;
use domain::partner::Partner;
use domain::person::Person;
use domain::policy::Policy;
use domain::policy_group::PolicyGroup;
use domain::policy_request::PolicyRequest;
use domain::proposal::Proposal;
use domain::sbi::Sbi;
use domain::trust_certificate::TrustCertificate;
use postgres_es::PostgresEventRepository;
use projections::log::{LogRow, after};
use std::collections::{BTreeMap, BTreeSet};
use strum::VariantNames;

async fn after_a_busy_day() -> (Installation, Commands, Vec<LogRow>) {
    let installation = Installation::new().await;
    let node = installation.node();
    Market::open(&node).await.busy_day(&node).await;
    let log = after(node.store().pool(), 0, i64::MAX).await.unwrap();
    (installation, node, log)
}

#[tokio::test]
async fn a_busy_day_has_every_event_there_is() {
    let (_installation, _node, log) = after_a_busy_day().await;
    let happened: BTreeSet<String> =
        log.iter().map(|row| format!("{}.{}", row.aggregate_type, row.event_type)).collect();
    let can_happen: BTreeSet<String> = [
        names::<Partner>(domain::partner::Event::VARIANTS),
        names::<Person>(domain::person::Event::VARIANTS),
        names::<Policy>(domain::policy::Event::VARIANTS),
        names::<PolicyGroup>(domain::policy_group::Event::VARIANTS),
        names::<PolicyRequest>(domain::policy_request::Event::VARIANTS),
        names::<Extractor>(domain::extractor::Event::VARIANTS),
        names::<ApiKey>(domain::api_key::Event::VARIANTS),
        names::<MispLicense>(domain::misp_license::Event::VARIANTS),
        names::<Sbi>(domain::sbi::Event::VARIANTS),
        names::<Device>(domain::device::Event::VARIANTS),
        names::<FtmChip>(domain::ftm_chip::Event::VARIANTS),
        names::<Proposal>(domain::proposal::Event::VARIANTS),
        names::<Consent>(domain::consent::Event::VARIANTS),
        names::<OidcClient>(domain::oidc_client::Event::VARIANTS),
        names::<TrustCertificate>(domain::trust_certificate::Event::VARIANTS),
    ]
    .concat()
    .into_iter()
    .collect();
    assert_eq!(happened, can_happen);
}

fn names<A: Aggregate>(events: &[&str]) -> Vec<String> {
    events.iter().map(|event| format!("{}.{event}", A::TYPE)).collect()
}

#[tokio::test]
async fn every_stream_loads_through_the_stock_store_of_cqrs_es() {
    let (_installation, node, log) = after_a_busy_day().await;
    let loaded = [
        loads::<Partner>(&node, &log).await,
        loads::<Person>(&node, &log).await,
        loads::<Policy>(&node, &log).await,
        loads::<PolicyGroup>(&node, &log).await,
        loads::<PolicyRequest>(&node, &log).await,
        loads::<Extractor>(&node, &log).await,
        loads::<ApiKey>(&node, &log).await,
        loads::<MispLicense>(&node, &log).await,
        loads::<Sbi>(&node, &log).await,
        loads::<Device>(&node, &log).await,
        loads::<FtmChip>(&node, &log).await,
        loads::<Proposal>(&node, &log).await,
        loads::<Consent>(&node, &log).await,
        loads::<OidcClient>(&node, &log).await,
        loads::<TrustCertificate>(&node, &log).await,
    ];
    assert!(loaded.iter().all(|streams| *streams > 0), "{loaded:?}");
}

/// Loads all streams of one noun in both ways, and tells how many there are.
async fn loads<A: Decide + PartialEq + std::fmt::Debug>(node: &Commands, log: &[LogRow]) -> usize {
    let of_noun = log.iter().filter(|row| row.aggregate_type == A::TYPE);
    let ids: BTreeSet<String> = of_noun.map(|row| row.aggregate_id.clone()).collect();
    let repository = PostgresEventRepository::new(node.store().pool().clone());
    let stock =
        PersistedEventStore::<_, A>::new_event_store(repository).with_upcasters(A::upcasters());
    let ids: Vec<String> = ids.into_iter().collect();
    for (id, state, version) in node.store().load_many::<A>(&ids).await.unwrap() {
        let context = stock.load_aggregate(&id).await.unwrap();
        assert_eq!(context.aggregate, state);
        assert_eq!(context.current_sequence, usize::try_from(version).unwrap());
        assert!(!state.is_missing());
    }
    ids.len()
}

/// Until version 2 an accepted certificate did not have to say what was signed for it.
#[tokio::test]
async fn what_was_stored_in_an_earlier_shape_loads_in_todays_in_both_ways() {
    let (installation, node, log) = after_a_busy_day().await;
    let is_newest = |row: &&LogRow| row.event_type == "certificate_accepted";
    let newest = log.iter().find(is_newest).unwrap();
    assert_eq!(newest.event_version, "2.0");
    let database = &installation.database;
    database.as_owner("alter table events disable trigger events_are_immutable").await;
    database
        .as_owner(
            "update events set event_version = '1.0', \
             payload = ((payload::jsonb) - 'tbs_sha256')::json \
             where event_type = 'certificate_accepted'",
        )
        .await;
    let log_before = after(node.store().pool(), 0, i64::MAX).await.unwrap();
    let older = log_before.iter().find(is_newest).unwrap();
    assert!(!older.payload.contains("tbs_sha256"), "{}", older.payload);
    let [now, then] = [newest, older].map(|row| row.decode::<Partner>().unwrap().event);
    assert_eq!(then, now, "the hash is read off the certificate");
    assert!(loads::<Partner>(&node, &log_before).await > 0);
    assert!(loads::<FtmChip>(&node, &log_before).await > 0);
}

#[tokio::test]
async fn an_auditor_with_sql_computes_the_leaf_hashes_that_we_compute() {
    let (installation, _node, log) = after_a_busy_day().await;
    let mut db = installation.database.owner_pool().acquire().await.unwrap();
    let theirs: Vec<(i64, String)> =
        sqlx::query_as(documented_sql()).fetch_all(&mut *db).await.unwrap();
    let ours: Vec<(i64, String)> =
        log.iter().map(|row| (row.position, hex::encode(row.stored().leaf_hash()))).collect();
    assert_eq!(theirs, ours);
}

/// The statement in the documentation of the entry's format, word for word.
fn documented_sql() -> &'static str {
    static SQL: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
        let source = include_str!("../../domain/src/log_entry.rs");
        let (_, after) = source.split_once("//! ```sql\n").unwrap();
        let (sql, _) = after.split_once("//! ```").unwrap();
        sql.replace("//! ", "")
    });
    &SQL
}

#[tokio::test]
async fn payload_and_metadata_are_stored_byte_for_byte() {
    let installation = Installation::new().await;
    let node = installation.node();
    // No serialiser of ours writes like this; what is hashed is what came, whatever it looks like.
    let payload = r#"{ "name":"Gr\u00f6ße",  "type":"created","description": "a/\/b 1.0" }"#;
    let request_id = ::commands::new_id();
    let metadata = format!(
        r#"{{"roles":"","actor":"x" ,"actor_partner":"","correlation_id":"","causation_id":"","request_id":"{request_id}"}}"#
    );
    let stream = StreamId::of::<PolicyGroup>("by-hand");
    let event = NewEvent {
        stream: stream.clone(),
        event_type: "created".to_owned(),
        event_version: "1.0".to_owned(),
        payload: payload.to_owned(),
        metadata: metadata.clone(),
    };
    let streams = BTreeMap::from([(stream, 0)]);
    let submission = Submission { events: vec![event], streams, request_id, ..Default::default() };
    assert_eq!(node.store().append(submission).await.unwrap(), Verdict::Accepted(1));
    let row = &after(node.store().pool(), 0, 1).await.unwrap()[0];
    assert_eq!((row.payload.as_str(), &row.metadata), (payload, &metadata));
    assert!(row.stored().entry().ends_with(&format!("{metadata}\n{payload}")));
}

#[tokio::test]
async fn an_event_with_a_nul_character_is_refused_before_it_is_queued() {
    let installation = Installation::new().await;
    let market = Market::open(&installation.node()).await;
    let document = serde_json::json!({
        "authTokenType": "policy",
        "allowedAuthTypes": [],
        "allowedKycAttributes": [{"attributeName": "na\u{0}me"}],
    });
    // A queue that cannot move: only what never enters it is answered.
    let log = installation.database.lock_the_log().await;
    let refused = market.manager.drafts_with(&market.group, "NUL", document).await;
    assert!(matches!(refused, Err(::commands::Error::Refused(_))), "{refused:?}");
    log.release().await;
}
