//! The log in files, by C2SP tlog-tiles.

use super::Audited;
use crate::support::PATIENCE;
use crate::support::actors::second_admin;
use crate::support::http::App;
use api::server::RateLimit;
use api::transport::{Times, Transport};
use domain::actor::Role;
use domain::audit::auditor::Auditor;
use domain::audit::bundle::decode;
use domain::audit::tile::{FULL, Tile, Tiles};
use domain::subject::SubjectKind;
use reqwest::Method;
use serde_json::json;
use std::time::Duration;
use strum::IntoEnumIterator as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Everything that is under a checkpoint, tile by tile of a level.
fn tiles(level: u8, size: u64) -> impl Iterator<Item = Tile> {
    (0..).map_while(move |index| Tile::at(level, index, size))
}

/// More events than a tile has hashes.
async fn fill(audited: &Audited) {
    while audited.head().await <= i64::from(FULL) {
        let more = (0..50).map(|_| audited.market.anything());
        for done in futures::future::join_all(more).await {
            done.unwrap();
        }
    }
}

#[tokio::test]
async fn an_auditor_fetches_the_whole_log_and_finds_every_event_under_the_signed_root() {
    let audited = Audited::new().await;
    fill(&audited).await;
    audited.seal().await;
    let checkpoint = audited.checkpoint().await.checkpoint;
    assert_eq!(i64::try_from(checkpoint.size).unwrap(), audited.head().await);

    let mut fetched = Tiles::default();
    for tile in (0..8).flat_map(|level| tiles(level, checkpoint.size)) {
        fetched.insert(tile, audited.gets(&tile.path()).await.bytes());
    }
    fetched.authenticate(checkpoint.size, &checkpoint.root).unwrap();

    let mut auditor = Auditor::default();
    for tile in tiles(0, checkpoint.size) {
        let bundle = audited.audits(&tile.bundle_path()).await.bytes();
        let entries = decode(&bundle).collect::<Result<Vec<_>, _>>().unwrap();
        assert_eq!(entries.len(), usize::from(tile.width));
        for entry in entries {
            auditor.add(entry).judged.unwrap();
        }
    }
    assert_eq!((auditor.size(), auditor.root()), (checkpoint.size, checkpoint.root));
}

#[tokio::test]
async fn a_file_stays_as_it_is_while_the_log_grows() {
    let audited = Audited::new().await;
    let old = audited.checkpoint().await.checkpoint;
    let tile = Tile::at(0, 0, old.size).unwrap();
    let before = (
        audited.gets(&tile.path()).await.bytes(),
        audited.audits(&tile.bundle_path()).await.bytes(),
    );
    fill(&audited).await;
    audited.seal().await;
    let now = (
        audited.gets(&tile.path()).await.bytes(),
        audited.audits(&tile.bundle_path()).await.bytes(),
    );
    assert!(audited.checkpoint().await.checkpoint.size > old.size);
    assert_eq!(before, now);
    assert_eq!(before.0.len(), usize::from(tile.width) * 32);
}

#[tokio::test]
async fn an_erasure_changes_no_file() {
    let audited = Audited::new().await;
    let tile = Tile::at(0, 0, audited.checkpoint().await.checkpoint.size).unwrap();
    let before = audited.audits(&tile.bundle_path()).await.bytes();
    let alice = &audited.market.alice.partner;
    let proposal = audited.market.admin.erases(SubjectKind::Partner, alice).await.unwrap().id;
    second_admin(&audited.app.node).confirms(&proposal).await.unwrap();
    assert_eq!(audited.audits(&tile.bundle_path()).await.bytes(), before);
}

#[tokio::test]
async fn tiles_are_kept_a_day_by_everybody_entries_by_one_and_the_checkpoint_by_nobody() {
    let audited = Audited::new().await;
    let tile = Tile::at(0, 0, audited.checkpoint().await.checkpoint.size).unwrap();
    let (text, bytes) = ("text/plain; charset=utf-8", "application/octet-stream");
    let a_day = "max-age=86400";
    for (served, media_type, caching) in [
        (audited.gets("checkpoint").await, text, "no-cache".to_owned()),
        (audited.gets(&tile.path()).await, bytes, format!("public, {a_day}")),
        (audited.audits(&tile.bundle_path()).await, bytes, format!("private, {a_day}")),
    ] {
        assert_eq!(served.media_type.as_ref().unwrap(), media_type);
        assert_eq!(served.caching.as_ref().unwrap(), &caching);
        assert!(!served.bytes().is_empty());
    }
    for path in ["checkpoint".to_owned(), tile.path()] {
        let head = audited.asks_to(Method::HEAD, &path).await;
        assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
        let post = audited.asks_to(Method::POST, &path).await;
        assert_eq!(post.status, 405);
    }
}

#[tokio::test]
async fn entries_are_for_auditors_alone() {
    let audited = Audited::new().await;
    let path = Tile::at(0, 0, audited.checkpoint().await.checkpoint.size).unwrap().bundle_path();
    assert_eq!(audited.gets(&path).await.refusal(), (401, "TOKEN_MISSING".to_owned()));
    let url = audited.app.url(&format!("/log/{path}"));
    let forged = reqwest::Client::new().get(&url).bearer_auth("not.a.token");
    assert_eq!(audited.sends(forged).await.refusal(), (401, "TOKEN_INVALID".to_owned()));
    for role in Role::iter() {
        let caller = audited.app.person("somebody", role);
        let request = reqwest::Client::new().get(&url).bearer_auth(caller.token());
        let served = audited.sends(request).await;
        if role == Role::Auditor {
            assert_eq!(served.status, 200);
        } else {
            assert_eq!(served.refusal(), (403, "FORBIDDEN".to_owned()), "{role}");
        }
    }
}

#[tokio::test]
async fn what_is_not_sealed_is_not_there() {
    let app = App::start().await;
    for path in ["/log/checkpoint", "/log/tile/0/000.p/1", "/log/tile/0/000"] {
        assert_eq!(reqwest::get(app.url(path)).await.unwrap().status(), 404, "{path}");
    }
    let audited = Audited::of(app).await;
    let size = audited.checkpoint().await.checkpoint.size;
    audited.market.anything().await.unwrap();
    let there = Tile::at(0, 0, size).unwrap();
    let beyond = Tile { width: there.width + 1, ..there };
    assert_eq!(audited.gets(&there.path()).await.status, 200);
    for path in [
        beyond.path(),
        Tile { width: FULL, ..there }.path(),
        Tile { index: 1, width: 1, ..there }.path(),
        Tile { level: 1, width: 1, ..there }.path(),
        Tile { level: 63, width: 1, ..there }.path(),
        Tile { index: u64::MAX, ..there }.path(),
    ] {
        assert_eq!(audited.gets(&path).await.refusal(), (404, "NOT_FOUND".to_owned()), "{path}");
    }
    assert_eq!(audited.audits(&beyond.bundle_path()).await.refusal().0, 404);
    audited.seal().await;
    assert_eq!(audited.gets(&beyond.path()).await.status, 200);
    assert_eq!(audited.audits(&beyond.bundle_path()).await.status, 200);
}

/// The first line of the answer to a path that is sent as it is.
async fn status_line(app: &App, path: &str) -> String {
    let address = app.url("").replace("http://", "");
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, socket.read_to_end(&mut answer)).await.unwrap().ok();
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn whatever_is_spelt_otherwise_is_not_there() {
    let audited = Audited::new().await;
    assert_eq!(status_line(&audited.app, "/log/tile/0/000.p/1").await, "HTTP/1.1 200 OK");
    assert_eq!(status_line(&audited.app, "/log/tile/0/000.p/1?x").await, "HTTP/1.1 200 OK");
    let long = format!("/log/tile/0/{}", "x000/".repeat(4000));
    let zeros = format!("/log/tile/0/{}", "0".repeat(30_000));
    for path in [
        "/log",
        "/log/",
        "/log//checkpoint",
        "/log/checkpoint/",
        "/log/checkpoint%00",
        "/log/Checkpoint",
        "/log/%63heckpoint",
        "/log/tile",
        "/log/tile/",
        "/log/tile/0",
        "/log/tile/0/000.p/0",
        "/log/tile/0/000.p/01",
        "/log/tile/0/000.p/256",
        "/log/tile/0/000.p/257",
        "/log/tile/0/000.p/-1",
        "/log/tile/0/000%2Ep/1",
        "/log/tile/0/000.p%2F1",
        "/log/tile/%30/000.p/1",
        "/log/tile/0/000.p/1/",
        "/log/tile/0/../0/000.p/1",
        "/log/tile/../checkpoint",
        "/log/%2e%2e/metrics",
        "/log/..%2fmetrics",
        "/log/tile/00/000.p/1",
        "/log/tile/-1/000.p/1",
        "/log/tile/64/000.p/1",
        "/log/tile/18446744073709551616/000",
        "/log/tile/0/x999/x999/x999/x999/x999/x999/x999/x999/999",
        "/log/tile/0/0000",
        "/log/tile/0/x000/000.p/1",
        "/log/tile/8/0/000",
        "/log/tile/0/000.p/1;drop",
        "/log/tile/0/\u{660}\u{660}\u{660}",
        "/log/tile/entries",
        "/log/tile/entries/",
        "/log/tile/entries/000.p/0",
        "/log/tile/entries/..",
        &long,
        &zeros,
    ] {
        let status = status_line(&audited.app, path).await;
        let is_told = ["HTTP/1.1 404 Not Found", "HTTP/1.1 400 Bad Request"];
        assert!(is_told.contains(&&*status), "{status}: {}", &path[..path.len().min(80)]);
    }
}

#[tokio::test]
async fn an_address_that_asks_for_too_many_files_waits() {
    let per_address = RateLimit::per_second(1);
    let app = App::with(Transport { per_address, ..Transport::default() }).await;
    let mut statuses = Vec::new();
    for _ in 0..30 {
        let served = reqwest::get(app.url("/log/checkpoint")).await.unwrap();
        statuses.push(served.status().as_u16());
    }
    assert!(statuses.starts_with(&[404; 10]), "{statuses:?}");
    assert!(statuses.contains(&429), "{statuses:?}");
}

#[tokio::test]
async fn strangers_and_those_who_have_signed_in_do_not_wait_for_each_other() {
    let times = Times { query: Duration::from_millis(50), ..Times::default() };
    let full = Transport { log_files: Semaphore::new(0), times, ..Transport::default() };
    let app = App::with(full).await;
    for path in ["/log/checkpoint", "/log/tile/0/000.p/1"] {
        assert_eq!(reqwest::get(app.url(path)).await.unwrap().status(), 504, "{path}");
    }
    assert_eq!(app.auditor().asks("{ me { subject } }", json!({})).await.status, 200);

    let app = App::with(Transport { queries: Semaphore::new(0), ..Transport::default() }).await;
    for path in ["/log/checkpoint", "/log/tile/0/000.p/1"] {
        assert_eq!(reqwest::get(app.url(path)).await.unwrap().status(), 404, "{path}");
    }
}
