//! Wishes of every kind, and what each leaves in the database when it is granted: what tests of
//! faults count.

use super::actors::{Market, Person, partner};
use super::commands::{Installation, in_one_batch};
use super::proxy::Proxy;
use ::commands::event_store::{EventStore, Limits};
use ::commands::keys::Keys;
use ::commands::{Commands, Done, Result};
use domain::certificate::Certificate;
use futures::future::join_all;
use projections::verify::verify;
use sqlx::{ConnectOptions as _, PgPool};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is wished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// One new event, and a name.
    Group,
    /// One new event, two names and personal data.
    Registration,
    /// Two submissions: what will be signed; what was signed, which makes the partner active.
    Certificate,
    /// One new event, a secret, and a fence.
    Key,
    /// A cascade over several streams.
    Suspension,
    /// What is so already, under a key.
    Nothing,
    /// Three wishes in one batch, after one of its own.
    Several,
    /// What a rule forbids.
    Refused,
}

/// Rows of each table; for fences, how often one was raised.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Left {
    pub events: i64,
    pub claims: i64,
    pub fences: i64,
    pub personal_data: i64,
    pub secret_hashes: i64,
    pub idempotency_keys: i64,
}

const LEFT: &str = "select (select count(*) from events) as events, \
    (select count(*) from claims) as claims, \
    (select coalesce(sum(version), 0)::bigint from fences) as fences, \
    (select count(*) from personal_data) as personal_data, \
    (select count(*) from secret_hashes) as secret_hashes, \
    (select count(*) from idempotency_keys) as idempotency_keys";

/// What a wish leaves that was not granted.
const NOTHING: Left = Left {
    events: 0,
    claims: 0,
    fences: 0,
    personal_data: 0,
    secret_hashes: 0,
    idempotency_keys: 0,
};

impl Left {
    /// Both together.
    pub fn and(self, more: Self) -> Self {
        Self {
            events: self.events + more.events,
            claims: self.claims + more.claims,
            fences: self.fences + more.fences,
            personal_data: self.personal_data + more.personal_data,
            secret_hashes: self.secret_hashes + more.secret_hashes,
            idempotency_keys: self.idempotency_keys + more.idempotency_keys,
        }
    }
}

impl Wish {
    /// What it leaves when it is granted.
    pub fn leaves(self) -> Left {
        let one = Left { events: 1, idempotency_keys: 1, ..NOTHING };
        match self {
            Self::Group => Left { claims: 1, ..one },
            Self::Registration => Left { claims: 2, personal_data: 1, ..one },
            Self::Certificate => Left { events: 3, claims: 1, ..one },
            Self::Key => Left { claims: 1, secret_hashes: 1, fences: 1, ..one },
            Self::Suspension => Left { events: 3, ..one },
            Self::Nothing => Left { idempotency_keys: 1, ..NOTHING },
            Self::Several => Left { events: 4, claims: 4, idempotency_keys: 4, ..NOTHING },
            Self::Refused => NOTHING,
        }
    }

    /// What it may leave when it is not granted. What we are about to sign may be announced, and its
    /// key taken: `docs/decisions/0005-signing-is-announced.md`.
    pub fn may_leave(self) -> Vec<Left> {
        match self {
            Self::Certificate => vec![NOTHING, Left { events: 1, claims: 1, ..NOTHING }],
            _ => vec![NOTHING],
        }
    }

    /// Whether a rule forbids it.
    pub fn is_refused(self) -> bool {
        self == Self::Refused
    }
}

/// A market in which things are wished.
pub struct Stage {
    /// What lies behind it.
    pub installation: Installation,
    /// Its people, at a node that nothing happens to.
    pub market: Market,
    pool: PgPool,
    keys: Arc<Keys>,
    names: Cell<usize>,
    certificates: RefCell<BTreeMap<String, Certificate>>,
}

impl Stage {
    /// Opens with a partner that has two keys.
    pub async fn open() -> Self {
        let installation = Installation::new().await;
        let market = Market::open(&installation.node()).await;
        market.approved_request().await;
        for label in ["one", "two"] {
            market.alice.generates_key(&market.policy, label).await.unwrap();
        }
        let keys = Arc::new(Keys::open(installation.key_folder(), true).unwrap());
        let pool = installation.database.serving_pool();
        let (names, certificates) = (Cell::default(), RefCell::default());
        Self { installation, market, pool, keys, names, certificates }
    }

    /// A node whose appender has just connected through a line.
    pub async fn node_behind(&self, line: &Proxy, limits: Limits) -> Commands {
        let way = line.way(&self.installation.database.serving());
        let store = EventStore::start(self.pool.clone(), way, limits);
        store.health().wait_for(|health| health.ready).await.unwrap();
        Commands::new(store, self.keys.clone())
    }

    /// The node that nothing happens to.
    pub fn node(&self) -> &Commands {
        self.market.admin.node()
    }

    /// What is in the database.
    pub async fn left(&self) -> Left {
        sqlx::query_as(LEFT).fetch_one(&self.pool).await.unwrap()
    }

    /// A name for the next wish, and what that needs.
    pub async fn prepare(&self, wish: Wish) -> String {
        self.names.set(self.names.get() + 1);
        let name = format!("w{}", self.names.get());
        if wish == Wish::Certificate {
            let person = partner(self.node(), &name);
            person.registers(&self.market.group).await.unwrap();
            let certificate = self.market.authority.leaf(&person.organization());
            self.certificates.borrow_mut().insert(name.clone(), certificate);
        }
        name
    }

    /// Wishes at a node. The idempotency keys begin with `name`.
    pub async fn wish(&self, wish: Wish, node: &Commands, name: &str) -> Vec<Result<Done>> {
        let market = &self.market;
        let asks = |person: &Person| person.at(node).once(name);
        vec![match wish {
            Wish::Group => asks(&market.manager).creates_group(name).await,
            Wish::Registration => partner(node, name).once(name).registers(&market.group).await,
            Wish::Certificate => {
                let certificate = self.certificates.borrow()[name].clone();
                partner(node, name).once(name).uploads(&certificate).await
            }
            Wish::Key => asks(&market.alice).generates_key(&market.policy, name).await,
            Wish::Suspension => asks(&market.admin).suspends(&market.alice.partner).await,
            Wish::Nothing => asks(&market.manager).renames_group(&market.group, "Banking").await,
            Wish::Refused => asks(&market.manager).creates_group("Banking").await,
            Wish::Several => return self.wish_several(node, name).await,
        }]
    }

    async fn wish_several(&self, node: &Commands, name: &str) -> Vec<Result<Done>> {
        let manager = self.market.manager.at(node);
        let creates = async |name: String| manager.once(&name).creates_group(&name).await;
        let first = Cell::new(None);
        let blocker = async { first.set(Some(creates(format!("{name}-0")).await)) };
        let others = (1..4).map(|number| creates(format!("{name}-{number}"))).collect();
        let mut done = in_one_batch(&self.installation, node, blocker, others).await;
        done.push(first.take().unwrap());
        done
    }

    /// The same again, at the node that nothing happens to.
    pub async fn wish_again(&self, wish: Wish, name: &str) -> Vec<Result<Done>> {
        if wish != Wish::Several {
            return self.wish(wish, self.node(), name).await;
        }
        let names = (1..4).chain([0]).map(|number| format!("{name}-{number}"));
        let again = names.map(async |name| self.wish(Wish::Group, self.node(), &name).await);
        join_all(again).await.into_iter().flatten().collect()
    }

    /// What was suspended works again, for the next wish.
    pub async fn clear(&self, wish: Wish) {
        if wish == Wish::Suspension {
            self.market.admin.reactivates(&self.market.alice.partner).await.unwrap();
        }
    }

    /// Positions have no gaps, and the read tables are what the log says.
    pub async fn agrees(&self) {
        let gaps = "select count(*) - max(position) from events";
        assert_eq!(self.installation.database.ask::<i64>(gaps).await, 0);
        let mut owner = self.installation.database.owner().connect().await.unwrap();
        let found = verify(&mut owner, |_| {}).await.unwrap();
        assert!(found.is_good(), "{found:?}");
    }
}
