//! `pms doctor` says what is wrong, and what to do.

use crate::support::actors::{Market, policy_manager};
use crate::support::commands::Installation;
use crate::support::sealing::seals;
use api::config::Config;
use api::demo::Demo;
use api::doctor::{Diagnosis, State, examine};
use api::last_seen::LastSeen;
use std::path::Path;
use tempfile::TempDir;

/// An installation with something of everything, whose log is sealed, and its node's folder.
async fn installation() -> (Installation, TempDir) {
    let installation = Installation::new().await;
    let node = installation.sealing_node().await;
    node.adopt_keys().await.unwrap();
    Market::open(&node).await;
    seals(&node).await;
    (installation, tempfile::tempdir().unwrap())
}

fn config(installation: &Installation, data_dir: &Path) -> Config {
    Config {
        database_url: Some(installation.database.url().to_owned()),
        key_dir: Some(installation.key_folder().to_owned()),
        data_dir: data_dir.to_owned(),
        ..Config::default()
    }
}

async fn examined(config: &Config) -> Vec<Diagnosis> {
    let mut told = Vec::new();
    examine(config, &mut |diagnosis| told.push(diagnosis)).await;
    told
}

/// What is wrong: part, and what was seen.
async fn wrongs(config: &Config) -> Vec<(&'static str, String)> {
    let wrong = examined(config).await.into_iter().filter(|it| it.state == State::Wrong);
    wrong
        .map(|it| {
            assert!(!it.cure.is_empty(), "{it}");
            (it.part, it.told)
        })
        .collect()
}

#[tokio::test]
async fn a_sound_installation_has_nothing_wrong() {
    let installation = Installation::new().await;
    let node = installation.sealing_node().await;
    Demo::new(117, 7).run(&node).await.unwrap();
    seals(&node).await;
    let folder = tempfile::tempdir().unwrap();
    let told = examined(&config(&installation, folder.path())).await;
    let parts: Vec<_> = told.iter().map(|it| it.part).collect();
    for part in [
        "disk",
        "keys",
        "database",
        "clock",
        "log",
        "read tables",
        "claims",
        "durability",
        "personal data",
        "roles",
        "seal",
    ] {
        assert!(parts.contains(&part), "{part} was not looked at");
    }
    // The servers of tests are not durable.
    let wrong: Vec<_> = told.iter().filter(|it| it.state == State::Wrong).collect();
    assert!(wrong.iter().all(|it| it.part == "durability"), "{wrong:#?}");
}

#[tokio::test]
async fn whatever_is_wrong_is_named_with_its_place() {
    let untouched = "alter table events disable trigger user;";
    let cases = [
        (
            "log",
            "events_are_immutable",
            "alter table events disable trigger events_are_immutable".to_owned(),
        ),
        ("log", "position 2", format!("{untouched} delete from events where position = 2")),
        (
            "log",
            "position 3",
            format!("{untouched} update events set sequence = sequence + 5 where position = 3"),
        ),
        (
            "log",
            "position 4",
            format!(
                "{untouched} update events set recorded_at = recorded_at - interval '1 h' where position = 4"
            ),
        ),
        (
            "claims",
            "partner_id of partner/nobody",
            "insert into claims values ('partner_id', 'n', 'partner/nobody')".to_owned(),
        ),
        (
            "claims",
            "the policy_name of policy",
            "delete from claims where kind = 'policy_name'".to_owned(),
        ),
        (
            "personal data",
            "of partner/alice-co",
            "delete from subject_keys where subject = 'partner/alice-co'".to_owned(),
        ),
        (
            "read tables",
            "partner alice-co is missing",
            "delete from read.partner where id = 'alice-co'".to_owned(),
        ),
        (
            "seal",
            "position 5",
            format!(
                "{untouched} update events set payload = '{{\"type\":\"x\"}}' where position = 5"
            ),
        ),
        (
            "seal",
            "tile/0/000",
            "update log_tiles set hashes = set_byte(hashes, 40, get_byte(hashes, 40) # 1)"
                .to_owned(),
        ),
        ("roles", "may update", "grant update on events to pms_serve".to_owned()),
        (
            "clock",
            "20",
            format!(
                "{untouched} update events set recorded_at = recorded_at + interval '1 day' \
            where position = (select max(position) from events)"
            ),
        ),
    ];
    for (part, place, damage) in cases {
        let (installation, folder) = installation().await;
        installation.database.as_owner(&damage).await;
        let wrong = wrongs(&config(&installation, folder.path())).await;
        let named = wrong.iter().any(|(about, told)| *about == part && told.contains(place));
        assert!(named, "{part}, {place}: {wrong:#?}");
    }
}

#[tokio::test]
async fn a_log_that_nobody_seals_is_told() {
    let (installation, folder) = installation().await;
    let an_hour_ago = "alter table events disable trigger user; delete from log_checkpoints; \
                       update events set recorded_at = recorded_at - interval '1 h'";
    installation.database.as_owner(an_hour_ago).await;
    let told = examined(&config(&installation, folder.path())).await;
    let seal = told.iter().find(|it| it.part == "seal").unwrap();
    assert_eq!(seal.state, State::Warning);
    assert!(seal.told.contains("position 1 of"), "{seal}");
}

#[tokio::test]
async fn a_checkpoint_that_another_key_has_signed_is_told() {
    let (installation, folder) = installation().await;
    let other = Installation::new().await;
    let stranger = other.sealing_node().await;
    Market::open(&stranger).await;
    let forged = seals(&stranger).await.note;
    let put = format!("update log_checkpoints set note = '{forged}'");
    installation.database.as_owner(&put).await;
    let wrong = wrongs(&config(&installation, folder.path())).await;
    let told = |of: &str| wrong.iter().any(|(part, told)| *part == "seal" && told.contains(of));
    assert!(told("not signed with a key of this installation"), "{wrong:#?}");
}

#[tokio::test]
async fn keys_that_are_not_those_of_the_log_are_told() {
    let ((installation, folder), other) = (installation().await, Installation::new().await);
    drop(other.issuing_key()); // makes them
    let config = config(&installation, folder.path());
    let stolen = Config { key_dir: Some(other.key_folder().to_owned()), ..config.clone() };
    let wrong = wrongs(&stolen).await;
    assert!(
        wrong.iter().any(|(part, told)| *part == "keys" && told.contains("does not hold the keys"))
    );
    let lost = Config { key_dir: Some(folder.path().join("keys")), ..config };
    let told = examined(&lost).await;
    assert!(told.iter().any(|it| it.part == "keys" && it.state == State::Warning), "{told:#?}");
}

#[tokio::test]
async fn a_log_that_was_put_back_is_told() {
    let (installation, folder) = installation().await;
    let node = installation.node();
    let seen = LastSeen::of(node.store().pool()).await.unwrap().unwrap();
    let seen = LastSeen { position: seen.position + 1, ..seen };
    std::fs::write(LastSeen::file(folder.path()), serde_json::to_vec(&seen).unwrap()).unwrap();
    policy_manager(&node).creates_group("Something else").await.unwrap();
    let wrong = wrongs(&config(&installation, folder.path())).await;
    assert!(
        wrong.iter().any(|(part, told)| *part == "log" && told.contains("put back")),
        "{wrong:#?}"
    );
}

#[tokio::test]
async fn a_database_that_is_away_or_of_another_shape_is_told() {
    let (installation, folder) = installation().await;
    let config = config(&installation, folder.path());
    installation.database.as_owner("update read.fold_version set version = 'another'").await;
    let wrong = wrongs(&config).await;
    assert_eq!(wrong, [("database", "its shape is not this program's".to_owned())]);
    installation.database.forbid_connections().await;
    let wrong = wrongs(&config).await;
    assert_eq!(wrong.iter().map(|(part, _)| *part).collect::<Vec<_>>(), ["database"]);
}
