//! What folding the whole log takes: time per event, and memory per row that there is.
//!
//! `./dev bench --bench rebuild` starts a durable server of its own with 10,000 partners, policy groups
//! and API keys, puts 100,000 events over them into the log and then 900,000 more over the same ones,
//! and at both sizes rebuilds the read tables, verifies them and opens the past. Each is done by a
//! process of its own, whose highest memory the system tells. What counts is the ratio: memory follows
//! rows, not events.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark talks and may fail")]

use api::embedded_postgres::{Server, Settings, find_binaries};
use projections::as_of;
use projections::log::Until;
use projections::rebuild::rebuild;
use projections::verify::verify;
use sqlx::{Connection as _, Executor as _, PgConnection};
use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const GRACE: Duration = Duration::from_secs(20);
const ROWS: f64 = 10_000.0;
const SIZES: [i64; 2] = [100_000, 1_000_000];
const WORKS: [&str; 3] = ["rebuild", "verify", "as-of"];
/// Tells the process that does one work which, and on which database.
const WORK: &str = "PMS_BENCH_WORK";
const URL: &str = "PMS_BENCH_URL";

/// Event n of the log belongs to thing 1 + (n − 1) mod 10,000: a partner, a group or a key. Each begins
/// once and then changes to and fro, as true events would have it.
const EVENTS: &str = r"
insert into events
select noun, noun || '-' || thing, sequence, kind, '1.0', (case
    when sequence > 1 and noun = 'policy_group' then
      jsonb_build_object('type', kind, 'name', 'Group ' || thing, 'description', 'Since ' || n)
    when sequence > 1 then jsonb_build_object('type', kind, 'reason', 'for the ' || sequence || 'th time')
    when noun = 'partner' then jsonb_build_object('type', kind, 'organization_name', 'Bank ' || md5(n::text),
      'partner_type', 'AUTH_PARTNER', 'policy_group_id', 'policy_group-' || 1 + n % 2000,
      'member', 'subject-' || thing, 'contact', jsonb_build_object(
        'reference', md5(n::text)::uuid, 'commitment', encode(sha256(n::text::bytea), 'base64')))
    when noun = 'policy_group' then
      jsonb_build_object('type', kind, 'name', 'Group ' || thing, 'description', 'Since ' || n)
    else jsonb_build_object('type', kind, 'partner_id', 'partner-' || 1 + n % 3000, 'policy_id', 'kyc',
      'label', 'branch ' || thing, 'lookup_id', substr(md5(n::text), 1, 12), 'last_four', 'a1b2',
      'expires_at', '2027-11-18T11:06:40.123456Z')
  end)::json, json_build_object('actor', 'admin', 'roles', 'PARTNER_ADMIN', 'actor_partner', '',
    'correlation_id', md5(n::text)::uuid, 'causation_id', md5(n::text)::uuid, 'request_id', md5(n::text)::uuid),
  n, timestamptz '2026-01-01' + n * interval '1 second'
from (select *, case
    when noun = 'policy_group' then case sequence when 1 then 'created' else 'updated' end
    when sequence = 1 then case noun when 'partner' then 'registered' else 'generated' end
    when sequence % 2 = 0 then 'suspended'
    else case noun when 'partner' then 'reactivated' else 'resumed' end end as kind
  from (select n, 1 + (n - 1) / 10000 as sequence, 1 + (n - 1) % 10000 as thing,
      case when (n - 1) % 10000 < 3000 then 'partner' when (n - 1) % 10000 < 5000 then 'policy_group'
        else 'api_key' end as noun
    from generate_series($1::bigint, $2::bigint) n) things) named
";

#[tokio::main]
async fn main() {
    if let Ok(work) = env::var(WORK) {
        return measure(&work, &env::var(URL).unwrap()).await;
    }
    let folder = tempfile::Builder::new().prefix("pms-bench-").tempdir_in("/var/tmp").unwrap();
    // PostgreSQL runs as another account when we are root.
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let bin_dir = find_binaries(Path::new("../.pms")).unwrap();
    let root = folder.path().join("postgres");
    let server = Server::start(&Settings { root, bin_dir, durable: true }).unwrap();
    let url = server.url("postgres");
    let mut owner = PgConnection::connect(&url).await.unwrap();
    projections::migrate::migrate(&mut owner).await.unwrap();

    println!("work    |  events | seconds  events/s | peak MiB  bytes/row | of 100,000 events");
    let (mut begin, mut first) = (1, [0.0; 3]);
    for events in SIZES {
        sqlx::query(EVENTS).bind(begin).bind(events).execute(&mut owner).await.unwrap();
        owner.execute("vacuum analyze events").await.unwrap();
        begin = events + 1;
        for (work, first) in WORKS.iter().zip(&mut first) {
            let (seconds, peak) = in_its_own_process(work, &url);
            if *first == 0.0 {
                *first = peak;
            }
            let rate = f64::from(u32::try_from(events).unwrap()) / seconds;
            println!(
                "{work:7} | {events:7} | {seconds:7.2} {rate:9.0} | {:8.1} {:10.0} | {:5.2}",
                peak / 1_048_576.0,
                peak / ROWS,
                peak / *first
            );
        }
    }
    server.stop(GRACE).unwrap();
}

/// Seconds, and the bytes of memory that it took at most beyond those that it began with.
fn in_its_own_process(work: &str, url: &str) -> (f64, f64) {
    let output = Command::new(env::current_exe().unwrap()).env(WORK, work).env(URL, url).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stdout).unwrap();
    let (seconds, peak) = told.trim().split_once(' ').unwrap();
    (seconds.parse().unwrap(), peak.parse().unwrap())
}

async fn measure(work: &str, url: &str) {
    let mut owner = PgConnection::connect(url).await.unwrap();
    let (before, start) = (kibibytes("VmRSS"), Instant::now());
    match work {
        "rebuild" => rebuild(&mut owner, |_| {}).await.unwrap(),
        "verify" => assert!(verify(&mut owner, |_| {}).await.unwrap().is_good()),
        _ => {
            let sql = "select max(position) from events";
            let head = sqlx::query_scalar(sql).fetch_one(&mut owner).await.unwrap();
            let past = as_of::open(&mut owner, Until::Position(head), |_| {}).await.unwrap();
            as_of::close(&mut owner, &past).await.unwrap();
        }
    }
    let peak = 1024.0 * (kibibytes("VmHWM") - before);
    println!("{} {peak}", start.elapsed().as_secs_f64());
}

/// What Linux tells of this process (proc(5)).
fn kibibytes(name: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
