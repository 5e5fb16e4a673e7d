//! `pms`: the partner management system on the command line.
#![expect(clippy::print_stdout, reason = "what people and scripts read")]

use api::as_of::AsOf;
use api::audit_export::Export;
use api::audit_verify::Verify;
use api::auth::{DevelopmentIssuer, Issuers};
use api::config::{Config, LogFormat};
use api::doctor::{State, examine};
use api::errors::chain;
use api::last_seen::{self, LastSeen};
use api::server::Node;
use api::service::{Database, Error, commands, development_issuer, issuers, start_error};
use api::witnesses::{self, Witnesses};
use clap::{Parser, Subcommand};
use commands::event_store::raise_epoch;
use commands::keys::Keys;
use commands::{Commands, now};
use domain::actor::Role;
use domain::audit::key::VerifierKey;
use projections::log::{Extent, Until};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use tracing_subscriber::EnvFilter;

/// Partner management for a national ID that can prove what it did.
///
/// Settings come from the environment (`DATABASE_URL`, `PMS_LISTEN`, `PMS_DATA_DIR`, …) and from
/// the file that `--config` names; see `docs/operator.md`. Exit codes: 0 done, 1 failed, 2 wrong usage.
#[derive(Debug, Parser)]
#[command(name = "pms", version)]
struct Cli {
    /// A TOML file with settings; the environment wins.
    #[arg(long, env = "PMS_CONFIG", global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve GraphQL over HTTP; without `DATABASE_URL` on a PostgreSQL of its own.
    Serve {
        /// Only say whether the settings make sense.
        #[arg(long)]
        check_config: bool,
        /// Serve the system as it was at this position of the log or at this time (RFC 3339), read
        /// only; on an address of its own, whether the service runs or not.
        #[arg(long, value_name = "POSITION|TIME")]
        as_of: Option<Until>,
    },
    /// Bring the database to this program's shape.
    Migrate,
    /// Create the default policy groups and policies where they are missing.
    Bootstrap,
    /// Fold the read tables anew from the log, without downtime.
    Rebuild {
        /// Change nothing: compare the live tables with the log, and end with 1 when they differ.
        #[arg(long)]
        verify: bool,
    },
    /// Fill the system with a believable world.
    Demo(api::demo::Demo),
    /// Make an access token of the development issuer.
    Token {
        /// Who asks.
        #[arg(long)]
        subject: String,
        /// In which role; may be repeated.
        #[arg(long = "role", required = true)]
        roles: Vec<Role>,
        /// For which partner, beside those that the log knows; may be repeated.
        #[arg(long = "partner")]
        partners: Vec<String>,
    },
    /// Make the next issuing key in the key folder; nodes sign with it once they are started again.
    RotateIssuingKey,
    /// Make a key that signs the log beside those that do, and start to sign with it.
    AddLogKey,
    /// Sign the log no more with a key, once another one has signed beside it for 90 days.
    RetireLogKey {
        /// The key, in the form `name+id+base64`.
        key: VerifierKey,
    },
    /// A key that signs the log was stolen: go on under another name with a new key alone.
    RestartLog {
        /// The new name.
        #[arg(long)]
        origin: String,
    },
    /// Tell everybody who follows the log that positions have other content: after it was put back.
    RaiseEpoch {
        /// The first such position; by default the next one.
        #[arg(long, value_parser = clap::value_parser!(i64).range(1..))]
        from: Option<i64>,
    },
    /// Let outsiders verify the log without us: docs/auditing.md.
    Audit {
        #[command(subcommand)]
        command: Audit,
    },
    /// Say what is wrong with this installation, and the cure; changes nothing.
    Doctor,
    /// Print the GraphQL schema.
    Schema,
}

#[derive(Debug, Subcommand)]
enum Audit {
    Export(Export),
    Verify(Verify),
    /// Print the newest signed checkpoint, for the archive; its age and the keys on stderr. Ends with 1
    /// when there is none or it is stale.
    Checkpoint,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Command::Audit { command: Audit::Verify(verify) } = &cli.command {
        let report = verify.run(); // no setting of this machine has a say in it
        println!("{report}");
        return ExitCode::from(report.verdict() as u8);
    }
    let outcome = Config::load(cli.config.as_deref())
        .map_err(|error| chain(&error))
        .and_then(|config| run(&config, cli.command).map_err(|error| chain(&error)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("pms: {message}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(config: &Config, command: Command) -> Result<(), Error> {
    match command {
        Command::Schema => println!("{}", api::schema::sdl().trim_end()),
        Command::Token { subject, roles, partners } => {
            println!("{}", token(config, &subject, &roles, &partners)?);
        }
        Command::RotateIssuingKey => {
            let certificate = Keys::rotate_issuing_key(&config.key_dir())?;
            println!("{} (sha256 {})", certificate.subject(), certificate.sha256());
            println!("Start every node again: until then it signs with the key before.");
        }
        Command::RaiseEpoch { from } => {
            with_database(config, async |database| {
                let Extent { head, epoch } =
                    raise_epoch(&mut database.serving().await?, from).await.map_err(start_error)?;
                println!("the log is in epoch {epoch}; its last position is {head}");
                Ok(())
            })
            .await?;
        }
        Command::Audit { command: Audit::Export(export) } => {
            let keys = export.disclose.then(|| Keys::open(&config.key_dir(), false)).transpose()?;
            let keys = keys.as_ref().map(|keys| &keys.wrapping);
            with_database(config, async |database| export.run(database, keys).await).await?;
        }
        Command::Audit { command: Audit::Checkpoint } => {
            with_database(config, api::audit_export::checkpoint).await?;
        }
        // main has done it
        Command::Audit { command: Audit::Verify(_) } => {}
        Command::AddLogKey => {
            with_commands(config, async |commands| {
                let key = commands.add_log_key().await.map_err(start_error)?;
                println!("{key}");
                Ok(())
            })
            .await?;
        }
        Command::RetireLogKey { key } => {
            with_commands(config, async |commands| {
                commands.retire_log_key(key, now()).await.map_err(start_error)
            })
            .await?;
        }
        Command::RestartLog { origin } => {
            with_commands(config, async |commands| {
                let key = commands.restart_log(&origin).await.map_err(start_error)?;
                println!("{key}");
                Ok(())
            })
            .await?;
        }
        Command::Doctor => return doctor(config).await,
        Command::Serve { check_config: true, .. } => {
            witnesses(config)?;
            println!("the settings make sense");
        }
        Command::Serve { as_of: Some(until), .. } => serve_as_of(config, until).await?,
        Command::Serve { .. } => serve(config).await?,
        Command::Migrate => {
            with_database(config, async |database| {
                Ok(projections::migrate::migrate(&mut database.owner().await?).await?)
            })
            .await?;
        }
        Command::Rebuild { verify: true } => with_database(config, api::rebuild::verify).await?,
        Command::Rebuild { verify: false } => with_database(config, api::rebuild::rebuild).await?,
        Command::Bootstrap => {
            with_commands(config, async |commands| commands.bootstrap().await.map_err(start_error))
                .await?;
        }
        Command::Demo(demo) => {
            with_commands(config, async |commands| demo.run(commands).await.map_err(start_error))
                .await?;
        }
    }
    Ok(())
}

/// Does something with the database and stops the node's own server afterwards.
async fn with_database(
    config: &Config,
    work: impl AsyncFnOnce(&Database) -> Result<(), Error>,
) -> Result<(), Error> {
    start_log(config);
    let database = Database::join(config)?;
    let outcome = work(&database).await;
    database.stop();
    outcome
}

async fn with_commands(
    config: &Config,
    work: impl AsyncFnOnce(&Commands) -> Result<(), Error>,
) -> Result<(), Error> {
    with_database(config, async |database| {
        database.prepare().await?;
        let commands = commands(config, database).await?;
        work(&commands).await
    })
    .await
}

/// Exits with 1 when something is wrong.
async fn doctor(config: &Config) -> Result<(), Error> {
    start_log(config);
    let mut wrong = 0;
    examine(config, &mut |diagnosis| {
        wrong += usize::from(diagnosis.state == State::Wrong);
        println!("{diagnosis}");
    })
    .await;
    if wrong == 0 { Ok(()) } else { Err(Error::Unsound(wrong)) }
}

async fn serve(config: &Config) -> Result<(), Error> {
    start_log(config);
    let witnesses = witnesses(config)?;
    let database = Database::open(config)?;
    database.prepare().await?;
    let commands = commands(config, &database).await?;
    let origin = config.audit_origin.as_deref();
    let log_keys = commands.adopt_log_key(origin).await.map_err(start_error)?;
    commands.bootstrap().await.map_err(start_error)?;
    let issuers = issuers(config)?;
    announce(config, &issuers);
    for key in log_keys {
        println!("  log key     {key}");
    }
    let schema = api::schema::schema();
    let (issuers, transport) = (Arc::new(issuers), Arc::new(config.transport()));
    let node = Node { commands: commands.clone(), schema, issuers, transport };
    let seen_file = LastSeen::file(&config.data_dir);
    let put_back = last_seen::keep(seen_file.clone(), commands.store().clone());
    let expiry = commands.clone();
    tokio::spawn(async move { expiry.watch_expiry().await });
    let examiner = commands.clone();
    tokio::spawn(async move { examiner.examine_from_time_to_time().await });
    tokio::spawn(witnesses::watch(commands.clone(), witnesses));
    let seen = LastSeen::read(&seen_file).and_then(|it| it.sealed());
    let (sealer, store) = (commands.sealer(seen), commands.store().clone());
    tokio::spawn(async move { sealer.run(&store).await });
    tokio::spawn(async move { commands.forget_what_has_expired().await });
    let listener = tokio::net::TcpListener::bind(config.listen).await.map_err(Error::Listen)?;
    tokio::select! {
        () = api::server::serve(listener, node, told_to_stop()) => Ok(()),
        died = database.keep_alive() => died,
        end = put_back => Err(end),
    }
}

/// Those who are asked to witness the log, if any.
fn witnesses(config: &Config) -> Result<Option<Witnesses>, Error> {
    Ok(config.witness_policy.as_deref().map(Witnesses::open).transpose()?)
}

/// As [`serve`], of the past: nothing is migrated, appended, followed or forgotten.
async fn serve_as_of(config: &Config, until: Until) -> Result<(), Error> {
    with_database(config, async |database| {
        let issuers = issuers(config)?;
        let listener = tokio::net::TcpListener::bind(config.listen).await.map_err(Error::Listen)?;
        let mut past = AsOf::open(config, database, until).await?;
        announce(config, &issuers);
        println!("  as of       {} (position {})\n", past.point().at, past.point().position);
        let (issuers, transport) = (Arc::new(issuers), Arc::new(config.transport()));
        let commands = past.commands.clone();
        let node = Node { commands, schema: api::schema::schema(), issuers, transport };
        let served = tokio::select! {
            () = api::server::serve(listener, node, told_to_stop()) => Ok(()),
            lost = past.lost() => Err(lost),
        };
        past.close().await;
        served
    })
    .await
}

async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("stopping");
}

/// Where to look, and whose tokens to look with.
fn announce(config: &Config, issuers: &Issuers) {
    println!("\n  GraphiQL    http://{}/graphql", config.listen);
    println!("  data        {}", config.data_dir.display());
    match issuers {
        Issuers::Development(issuer) => announce_tokens(issuer),
        // Asks for their keys, too, so that the first token need not wait.
        Issuers::External(_) => {
            issuers.states().iter().for_each(|it| println!("  issuer      {}", it.issuer));
        }
    }
}

/// Tokens to look with: the development issuer is for people at this machine.
fn announce_tokens(issuer: &DevelopmentIssuer) {
    println!(
        "\n  DEVELOPMENT ISSUER: everybody on this machine can be anybody. Tokens for 12 hours:\n"
    );
    let people = [
        ("admin", Role::PartnerAdmin),
        ("policy-manager", Role::PolicyManager),
        ("alice", Role::AuthPartner),
        ("auditor", Role::Auditor),
    ];
    for (subject, role) in people {
        let life = chrono::TimeDelta::hours(12);
        if let Some(token) = issuer.issue(subject, &[role], &[], now(), life) {
            println!("  {subject} ({role})\n  {{\"Authorization\": \"Bearer {token}\"}}\n");
        }
    }
}

fn token(
    config: &Config,
    subject: &str,
    roles: &[Role],
    partners: &[String],
) -> Result<String, Error> {
    let issuer = development_issuer(config)?;
    let token = issuer.issue(subject, roles, partners, now(), chrono::TimeDelta::hours(12));
    token.ok_or_else(|| Error::Command("the token cannot be signed".into()))
}

fn start_log(config: &Config) {
    let filter = EnvFilter::new(&config.log);
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
    std::panic::set_hook(Box::new(log_panic));
}

/// Where a panic happened, within the span of its request. Not what it says: that may be anything.
fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    tracing::error!(place, "a panic");
}
