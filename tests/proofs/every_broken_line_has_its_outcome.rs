//! The fault table of the appender. Its line breaks at every exchange of its transaction, before the
//! server hears of it and after the server has done it; what was wished is then granted once, or
//! certainly not at all, and what belongs to it is there whole or not at all.
//!
//! | the line breaks                    | the wish was    | and is                          |
//! |------------------------------------|-----------------|---------------------------------|
//! | at any exchange before COMMIT      | not stored      | judged again, on another line   |
//! | before COMMIT reaches the server   | not stored      | looked for, judged again        |
//! | before the answer to COMMIT comes  | stored          | looked for, and answered        |
//! | the same, when it was refused      | nothing to store| judged again                    |
//!
//! When the server stays away, what broke before COMMIT is `UNAVAILABLE`, and what broke at COMMIT is
//! `OUTCOME_UNKNOWN`; the same wish under the same key is then granted once.

use crate::support::actors::{Market, Person, partner};
use crate::support::commands::{Installation, in_one_batch};
use crate::support::proxy::{CUTS, Moment, Proxy, Trouble, is_commit};
use crate::support::wire::Said;
use ::commands::event_store::{EventStore, Limits};
use ::commands::keys::Keys;
use ::commands::{Commands, Done, Error, Result};
use futures::future::join_all;
use projections::rebuild::{dump, rebuild};
use sqlx::{ConnectOptions as _, PgPool};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

/// Before the server hears of it, and after it has done it.
const BEFORE_AND_AFTER: [Trouble; 2] = [Trouble::LostQuestion, Trouble::LostAnswer];

/// What is wished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// One new event, and a name.
    Group,
    /// One new event, two names and personal data.
    Registration,
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

/// What a granted wish leaves: rows of each table; for fences, how often one was raised.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
struct Left {
    events: i64,
    claims: i64,
    fences: i64,
    personal_data: i64,
    secret_hashes: i64,
    idempotency_keys: i64,
}

const LEFT: &str = "select (select count(*) from events) as events, \
    (select count(*) from claims) as claims, \
    (select coalesce(sum(version), 0)::bigint from fences) as fences, \
    (select count(*) from personal_data) as personal_data, \
    (select count(*) from secret_hashes) as secret_hashes, \
    (select count(*) from idempotency_keys) as idempotency_keys";

impl Wish {
    fn leaves(self) -> Left {
        let nothing = Left::default();
        let one = Left { events: 1, idempotency_keys: 1, ..nothing };
        match self {
            Self::Group => Left { claims: 1, ..one },
            Self::Registration => Left { claims: 2, personal_data: 1, fences: 1, ..one },
            Self::Key => Left { claims: 1, secret_hashes: 1, fences: 1, ..one },
            Self::Suspension => Left { events: 3, ..one },
            Self::Nothing => Left { idempotency_keys: 1, ..nothing },
            Self::Several => Left { events: 4, claims: 4, idempotency_keys: 4, ..nothing },
            Self::Refused => nothing,
        }
    }

    fn is_refused(self) -> bool {
        self == Self::Refused
    }
}

/// A market, and a line to its server that a node's appender will use.
struct Stage {
    installation: Installation,
    market: Market,
    keys: Arc<Keys>,
    pool: PgPool,
    proxy: Proxy,
    /// How often something was wished.
    played: Cell<usize>,
}

impl Stage {
    async fn open() -> Self {
        let installation = Installation::new().await;
        let market = Market::open(&installation.node()).await;
        market.approved_request().await;
        for label in ["one", "two"] {
            market.alice.generates_key(&market.policy, label).await.unwrap();
        }
        let keys = Arc::new(Keys::open(installation.key_folder(), true).unwrap());
        let (pool, proxy) =
            (installation.database.serving_pool(), Proxy::before(&installation.database).await);
        Self { installation, market, keys, pool, proxy, played: Cell::new(0) }
    }

    /// A node whose appender has just connected through a line.
    async fn node_behind(&self, proxy: &Proxy, limits: Limits) -> Commands {
        let way = proxy.way(&self.installation.database.serving());
        let store = EventStore::start(self.pool.clone(), way, limits);
        store.health().wait_for(|health| health.ready).await.unwrap();
        Commands::new(store, self.keys.clone())
    }

    async fn left(&self) -> Left {
        sqlx::query_as(LEFT).fetch_one(&self.pool).await.unwrap()
    }

    /// A name that nothing has yet.
    fn name(&self) -> String {
        self.played.set(self.played.get() + 1);
        format!("w{}", self.played.get())
    }

    /// Wishes at a node, under keys that begin with `name`.
    async fn wish(&self, wish: Wish, node: &Commands, name: &str) -> Vec<Result<Done>> {
        let market = &self.market;
        let somebody = |person: &Person| person.at(node).once(name);
        vec![match wish {
            Wish::Group => somebody(&market.manager).creates_group(name).await,
            Wish::Registration => partner(node, name).once(name).registers(&market.group).await,
            Wish::Key => somebody(&market.alice).generates_key(&market.policy, name).await,
            Wish::Suspension => somebody(&market.admin).suspends(&market.alice.partner).await,
            Wish::Nothing => {
                somebody(&market.manager).renames_group(&market.group, "Banking").await
            }
            Wish::Refused => somebody(&market.manager).creates_group("Banking").await,
            Wish::Several => return self.wish_several(node, name).await,
        }]
    }

    async fn wish_several(&self, node: &Commands, name: &str) -> Vec<Result<Done>> {
        let creates = async |name: String| {
            self.market.manager.at(node).once(&name).creates_group(&name).await
        };
        let first = Cell::new(None);
        let blocker = async { first.set(Some(creates(format!("{name}-0")).await)) };
        let others = (1..4).map(|number| creates(format!("{name}-{number}"))).collect();
        let mut done = in_one_batch(&self.installation, node, blocker, others).await;
        done.push(first.take().unwrap());
        done
    }

    /// The same wish again, which has been granted.
    async fn wish_again(&self, wish: Wish, name: &str) -> Vec<Done> {
        let node = self.market.admin.node();
        let names = match wish {
            Wish::Several => (1..4).chain([0]).map(|number| format!("{name}-{number}")).collect(),
            _ => vec![name.to_owned()],
        };
        let again = names.iter().map(|name| match wish {
            Wish::Several => self.wish(Wish::Group, node, name),
            _ => self.wish(wish, node, name),
        });
        join_all(again).await.into_iter().flatten().map(|it| it.unwrap()).collect()
    }

    /// Lets a wish meet trouble, holds what comes of it against the table, and lets another one
    /// follow. What the appender asked until the answer, and what it asked in all.
    async fn play(
        &self,
        wish: Wish,
        strikes: impl IntoIterator<Item = (Moment, Trouble)>,
    ) -> (Vec<Vec<Said>>, Vec<Vec<Said>>) {
        let node = self.node_behind(&self.proxy, Limits::default()).await;
        let (name, before) = (self.name(), self.left().await);
        self.proxy.make_all(strikes);
        let answers = self.wish(wish, &node, &name).await;
        let until_answered = self.proxy.was_asked();
        let after = self.left().await;
        assert_eq!(before.and(wish.leaves()), after, "{wish:?}");
        if wish.is_refused() {
            assert!(matches!(answers[..], [Err(Error::Refused(_))]), "{answers:?}");
        } else {
            let granted: Vec<Done> = answers.into_iter().map(|it| it.unwrap()).collect();
            let again = self.wish_again(wish, &name).await;
            for (first, again) in granted.iter().zip(&again) {
                assert_eq!((&first.id, first.position), (&again.id, again.position));
                assert!(again.replayed && !first.replayed, "{wish:?}");
            }
            assert_eq!(self.left().await, after, "{wish:?} again");
        }
        if wish == Wish::Suspension {
            self.market.admin.reactivates(&self.market.alice.partner).await.unwrap();
        }
        self.wish(Wish::Group, &node, &self.name()).await.pop().unwrap().unwrap();
        (until_answered, self.proxy.was_asked())
    }

    /// Breaks the line at every exchange in each of these ways.
    async fn strike_everywhere(&self, wish: Wish, troubles: &[Trouble]) {
        let (healthy, _) = self.play(wish, []).await;
        assert!(healthy.last().unwrap().iter().any(is_commit), "{healthy:?}");
        for number in 0..healthy.len() {
            for trouble in troubles {
                let strike = (Moment::Exchange(number), *trouble);
                let (asked, _) = self.play(wish, [strike]).await;
                assert!(self.proxy.has_struck(), "{wish:?} {strike:?}");
                let at_commit = number + 1 == healthy.len();
                let is_done = matches!(trouble, Trouble::LostAnswer | Trouble::HalfAnswer);
                let is_found = at_commit && is_done && !wish.is_refused();
                let after = &asked[number + 1..];
                assert_eq!(after.iter().any(is_judgement), !is_found, "{wish:?} {strike:?}");
            }
        }
        self.agrees().await;
    }

    /// Positions have no gaps, and the read tables are what the log says.
    async fn agrees(&self) {
        let gaps = "select count(*) - max(position) from events";
        assert_eq!(self.installation.database.ask::<i64>(gaps).await, 0);
        let owner = self.installation.database.owner_pool();
        let live = format!("{:#?}", dump(&owner).await.unwrap());
        let mut db = self.installation.database.owner().connect().await.unwrap();
        rebuild(&mut db, |_, _| {}).await.unwrap();
        assert_eq!(format!("{:#?}", dump(&owner).await.unwrap()), live);
    }
}

impl Left {
    fn and(self, more: Self) -> Self {
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

/// Whether the facts of a batch are asked for.
fn is_judgement(question: &Vec<Said>) -> bool {
    let facts =
        |said: &Said| matches!(said, Said::Run(statement) if statement.contains("as fold_version"));
    question.iter().any(facts)
}

#[tokio::test]
async fn a_new_event_with_a_name() {
    Stage::open().await.strike_everywhere(Wish::Group, &CUTS).await;
}

#[tokio::test]
async fn a_new_event_with_personal_data() {
    Stage::open().await.strike_everywhere(Wish::Registration, &BEFORE_AND_AFTER).await;
}

#[tokio::test]
async fn a_new_event_with_a_secret() {
    Stage::open().await.strike_everywhere(Wish::Key, &BEFORE_AND_AFTER).await;
}

#[tokio::test]
async fn a_cascade_over_several_streams() {
    Stage::open().await.strike_everywhere(Wish::Suspension, &BEFORE_AND_AFTER).await;
}

#[tokio::test]
async fn a_repeat_without_events() {
    Stage::open().await.strike_everywhere(Wish::Nothing, &CUTS).await;
}

#[tokio::test]
async fn a_batch_of_several() {
    Stage::open().await.strike_everywhere(Wish::Several, &BEFORE_AND_AFTER).await;
}

#[tokio::test]
async fn a_refusal() {
    Stage::open().await.strike_everywhere(Wish::Refused, &BEFORE_AND_AFTER).await;
}

/// Finding out what became of a lost COMMIT, connecting anew, judging again and the wish that comes
/// after it are struck, too.
#[tokio::test]
async fn twice_in_a_row() {
    let stage = Stage::open().await;
    for wish in [Wish::Group, Wish::Nothing] {
        for trouble in BEFORE_AND_AFTER {
            let first = (Moment::Commit, trouble);
            let (_, asked) = stage.play(wish, [first]).await;
            let struck = asked.iter().position(|it| it.iter().any(is_commit)).unwrap();
            for number in 0..asked.len() - struck - 1 {
                for trouble in BEFORE_AND_AFTER {
                    let second = (Moment::Exchange(number), trouble);
                    stage.play(wish, [first, second]).await;
                    assert!(stage.proxy.has_struck(), "{wish:?} {first:?} {second:?}");
                }
            }
        }
    }
    stage.agrees().await;
}

const IMPATIENT: Limits = Limits {
    queue: Duration::from_millis(500),
    outcome: Duration::from_secs(1),
    transaction: Duration::from_secs(3),
};

impl Stage {
    /// The server stays away from this moment on: what the wish is answered, and whether it turns out
    /// to have been granted.
    async fn lose_the_server(&self, wish: Wish, strike: (Moment, Trouble)) -> (Result<Done>, bool) {
        let proxy = Proxy::before(&self.installation.database).await;
        let node = self.node_behind(&proxy, IMPATIENT).await;
        let name = self.name();
        proxy.make_lasting_at(strike.0, strike.1);
        let answer = self.wish(wish, &node, &name).await.pop().unwrap();
        assert!(proxy.has_struck(), "{wish:?} {strike:?}");
        let again = self.wish(wish, self.market.admin.node(), &name).await.pop().unwrap();
        (answer, again.is_ok_and(|it| it.replayed))
    }
}

#[tokio::test]
async fn when_the_server_stays_away_the_answer_says_what_is_certain() {
    let stage = Stage::open().await;
    for wish in [Wish::Group, Wish::Nothing, Wish::Refused] {
        let (healthy, _) = stage.play(wish, []).await;
        let strikes = (0..healthy.len())
            .flat_map(|number| BEFORE_AND_AFTER.map(|trouble| (Moment::Exchange(number), trouble)));
        join_all(strikes.map(async |strike| {
            let (answer, is_stored) = stage.lose_the_server(wish, strike).await;
            let at_commit = strike.0 == Moment::Exchange(healthy.len() - 1);
            if at_commit && !wish.is_refused() {
                assert!(
                    matches!(answer, Err(Error::OutcomeUnknown)),
                    "{wish:?} {strike:?}: {answer:?}"
                );
                assert_eq!(is_stored, strike.1 == Trouble::LostAnswer, "{wish:?} {strike:?}");
            } else {
                assert!(
                    matches!(answer, Err(Error::Unavailable)),
                    "{wish:?} {strike:?}: {answer:?}"
                );
                assert!(!is_stored, "{wish:?} {strike:?}");
            }
        }))
        .await;
    }
    stage.agrees().await;
}
