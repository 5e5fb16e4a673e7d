//! `/metrics`: what a monitoring system scrapes. Numbers of this node and of what all nodes share;
//! no names but those of followers, so nothing of people and things.

use super::{Node, READ_TIME};
use crate::graphql_over_http::accepts;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use commands::event_store::Health;
use projections::audit::standing::{Standing, standing};
use projections::follower::Row;
use projections::log::{Extent, extent};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, prometheus_text, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use sqlx::PgPool;
use std::fmt;
use tokio::time::timeout;

const OPEN_METRICS: &str = "application/openmetrics-text";

/// `OpenMetrics` 1.0 for who accepts it, else Prometheus' text format 0.0.4. While the database is
/// away, what the node knows of itself.
pub async fn metrics(State(node): State<Node>, headers: HeaderMap) -> Response {
    let store = node.commands.store();
    let shared = timeout(READ_TIME, shared(store.pool())).await.ok().and_then(Result::ok);
    let (health, waiting) = (*store.health().borrow(), store.waiting());
    let mut registry = Registry::with_prefix("pms");
    registry.register_collector(Box::new(Scrape { health, waiting, shared }));
    let mut body = String::new();
    let (encoded, media_type) = if accepts(&headers, OPEN_METRICS) {
        let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        (text::encode(&mut body, &registry), media_type)
    } else {
        let media_type = "text/plain; version=0.0.4; charset=utf-8";
        (prometheus_text::encode(&mut body, &registry), media_type)
    };
    match encoded {
        Ok(()) => ([(header::CONTENT_TYPE, media_type)], body).into_response(),
        Err(fmt::Error) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn shared(pool: &PgPool) -> projections::Result<Shared> {
    Ok((extent(pool).await?, standing(pool).await?, projections::follower::all(pool).await?))
}

/// The log, its seal and the followers: the same for all nodes.
type Shared = (Extent, Standing, Vec<Row>);

/// What is so at the moment of a scrape.
#[derive(Debug)]
struct Scrape {
    health: Health,
    waiting: usize,
    /// `None` while the database is away.
    shared: Option<Shared>,
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Self { health, waiting, shared } = self;
        let mut one = |name, help, value: i64| gauge(&mut encoder, name, help, &value);
        let ready = i64::from(health.ready);
        one("appender_ready", "Whether this node can append to the log", ready)?;
        let waiting = i64::try_from(*waiting).unwrap_or(i64::MAX);
        one("appender_waiting", "Submissions of this node that wait for their verdict", waiting)?;
        one("appender_head", "The last position that this node has committed", health.head)?;
        let Some((log, seal, followers)) = shared else { return Ok(()) };
        one("log_head", "The last position of the log", log.head)?;
        one("log_epoch", "Raised when another server goes on with the log", log.epoch)?;
        of_seal(&mut encoder, seal)?;
        of_followers(&mut encoder, followers)
    }
}

fn of_seal(encoder: &mut DescriptorEncoder<'_>, seal: &Standing) -> fmt::Result {
    let help = "Events that the newest signed checkpoint covers";
    gauge(encoder, "checkpoint_size", help, &seal.size)?;
    if let Some(age) = seal.age {
        gauge(encoder, "checkpoint_age_seconds", "Seconds since it was signed last", &age)?;
    }
    let help = "Events of the log that no signed checkpoint covers";
    gauge(encoder, "checkpoint_lag_events", help, &seal.lag)?;
    let help = "Events that a checkpoint covers which enough witnesses have seen";
    gauge(encoder, "checkpoint_witnessed_size", help, &seal.witnessed_size)?;
    let help = "Seconds since the log has had an event that no witnessed checkpoint covers";
    gauge(encoder, "checkpoint_unwitnessed_seconds", help, &seal.unwitnessed_age)
}

fn of_followers(encoder: &mut DescriptorEncoder<'_>, rows: &[Row]) -> fmt::Result {
    each(encoder, rows, "position", "The last event that is worked off", |it| it.position)?;
    let help = "Events of the log that are not worked off";
    each(encoder, rows, "lag_events", help, |it| it.lag)?;
    let help = "Seconds since a node has worked or asked whether there was something to do";
    each(encoder, rows, "heartbeat_age_seconds", help, |it| it.heartbeat_age)?;
    let help = "Keys of which something could not be done";
    each(encoder, rows, "parked_keys", help, |it| Some(it.parked_keys))?;
    let help = "Whether it waits for an operator";
    each(encoder, rows, "stopped", help, |it| Some(i64::from(it.stopped.is_some())))
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: &impl EncodeGaugeValue,
) -> fmt::Result {
    encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(value)
}

/// A gauge with a number for each follower that has one.
fn each<N: EncodeGaugeValue>(
    encoder: &mut DescriptorEncoder<'_>,
    rows: &[Row],
    name: &str,
    help: &str,
    number: impl Fn(&Row) -> Option<N>,
) -> fmt::Result {
    let name = format!("follower_{name}");
    let mut gauge = encoder.encode_descriptor(&name, help, None, MetricType::Gauge)?;
    for row in rows {
        if let Some(number) = number(row) {
            gauge.encode_family(&[("follower", row.name.as_str())])?.encode_gauge(&number)?;
        }
    }
    Ok(())
}
