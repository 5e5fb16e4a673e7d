//! What is in the log stays as it is, even for the owner of the database, and `pms serve` works
//! under a role that cannot change that.

use crate::support::actors::policy_manager;
use crate::support::commands::Installation;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Executor as _};

const RESTRICT_VIOLATION: &str = "23001";
const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// With what error PostgreSQL refuses a statement.
async fn refusal(options: PgConnectOptions, sql: &str) -> String {
    let mut db = options.connect().await.unwrap();
    match db.execute(sql).await {
        Err(sqlx::Error::Database(refusal)) => refusal.code().unwrap().into_owned(),
        other => panic!("{sql}: {other:?}"),
    }
}

async fn with_one_event() -> Installation {
    let installation = Installation::new().await;
    policy_manager(&installation.node()).creates_group("Banking").await.unwrap();
    installation
}

#[tokio::test]
async fn the_owner_cannot_change_or_remove_an_event() {
    let installation = with_one_event().await;
    for sql in [
        "update events set payload = '{}'",
        "update events set recorded_at = now() where position = 1",
        "delete from events",
        "truncate events",
        "truncate events cascade",
        "insert into events select * from events on conflict (position) do update set payload = '{}'",
        "merge into events using events as other on true when matched then delete",
    ] {
        assert_eq!(refusal(installation.database.owner(), sql).await, RESTRICT_VIOLATION, "{sql}");
    }
}

#[tokio::test]
async fn a_session_that_calls_itself_a_replica_cannot_either() {
    let installation = with_one_event().await;
    let replica = installation.database.owner().options([("session_replication_role", "replica")]);
    for sql in ["update events set payload = '{}'", "delete from events", "truncate events"] {
        assert_eq!(refusal(replica.clone(), sql).await, RESTRICT_VIOLATION, "{sql}");
    }
}

#[tokio::test]
async fn the_serving_role_owns_nothing() {
    let installation = Installation::new().await;
    let owned = "select (select count(*) from pg_class where relowner = 'pms_serve'::regrole) \
                 + (select count(*) from pg_proc where proowner = 'pms_serve'::regrole) \
                 + (select count(*) from pg_namespace where nspowner = 'pms_serve'::regrole)";
    assert_eq!(installation.database.ask::<i64>(owned).await, 0);
}

#[tokio::test]
async fn the_serving_role_can_neither_change_history_nor_what_guards_it() {
    let installation = with_one_event().await;
    for sql in [
        "update events set payload = '{}'",
        "delete from events",
        "truncate events",
        "alter table events disable trigger all",
        "drop trigger events_are_immutable on events",
        "create trigger mine before insert on events for each row execute function refuse_change()",
        "create or replace function refuse_change() returns trigger language sql as 'select null'",
        "alter table events drop column payload",
        "drop table events",
        "create table mine (id int)",
        "drop schema read cascade",
        "create schema mine",
        "update read.fold_version set version = 'mine'",
        "insert into read.fold_version values ('mine')",
        "delete from read.fold_version",
        "truncate read.fold_version",
        "drop table read.partner",
        "truncate read.partner",
        "update log_epochs set from_position = 1",
        "delete from log_epochs",
        "update idempotency_keys set position = 1",
        "update personal_data set ciphertext = ''",
        "update secret_hashes set hash = ''",
    ] {
        let code = refusal(installation.database.serving(), sql).await;
        assert_eq!(code, INSUFFICIENT_PRIVILEGE, "{sql}");
    }
}
