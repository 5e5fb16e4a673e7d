//! No list reads a whole table, or sorts one: every filter, every sort key and every column of
//! distinct values has an index.
//!
//! Filters and sort keys are read off the schema, so a new one is tried as soon as there is one. Plans
//! are PostgreSQL's own, for the very statements of the lists, over 100,000 rows of each kind.

use crate::support::database::TestDatabase;
use async_graphql::{InputType, Value as GraphqlValue};
use chrono::{DateTime, TimeDelta, Utc};
use cqrs_es::Aggregate as _;
use domain::ids::PartnerId;
use projections::expiring::{self, ExpiringKind};
use projections::noun::Noun;
use projections::page::{Direction, Listed, Order, PageRequest, Question, Statement};
use projections::search::{self, Scope};
use projections::{Viewer, history, reading, refused_attempt};
use serde_json::{Value, json};
use sqlx::{Executor as _, PgConnection, PgPool};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use strum::VariantArray as _;

const ROWS: &str = include_str!("every_list_uses_indexes/large.sql");
/// A plan that means to sort more rows than this, a tenth of a table, sorts all of it.
const MANY: f64 = 10_000.0;
/// Up to so many rows are counted without looking at others.
const FEW: f64 = 2_000.0;

/// A large system, what its schema says, and what was found wrong.
struct Place {
    database: TestDatabase,
    db: PgPool,
    types: BTreeMap<String, Value>,
    now: DateTime<Utc>,
    tried: RefCell<BTreeSet<String>>,
    wrong: RefCell<Vec<String>>,
}

#[tokio::test]
async fn no_list_reads_or_sorts_a_whole_table() {
    let place = Place::large().await;
    place.tries_list::<projections::partner::Row>().await;
    place.tries_list::<projections::trust_certificate::Row>().await;
    place.tries_list::<projections::policy_group::Row>().await;
    place.tries_list::<projections::policy::Row>().await;
    place.tries_list::<projections::policy_request::Row>().await;
    place.tries_list::<projections::extractor::Row>().await;
    place.tries_list::<projections::api_key::Row>().await;
    place.tries_list::<projections::misp_license::Row>().await;
    place.tries_list::<projections::oidc_client::Row>().await;
    place.tries_list::<projections::sbi::Row>().await;
    place.tries_list::<projections::device::Row>().await;
    place.tries_list::<projections::ftm_chip::Row>().await;
    place.tries_list::<projections::proposal::Row>().await;
    place.tries_what_ends().await;
    place.tries_history().await;
    place.tries_search().await;
    place.tries_refused_attempts().await;
    let place = place.with_the_log_of_the_past().await;
    place.tries_history().await;
    assert_eq!(place.filters_of_the_schema(), *place.tried.borrow());
    let wrong = place.wrong.borrow();
    assert!(wrong.is_empty(), "{} plans:\n{}", wrong.len(), wrong.join("\n"));
}

impl Place {
    async fn large() -> Self {
        let database = TestDatabase::new().await;
        let db = database.owner_pool();
        fill(&mut db.acquire().await.unwrap()).await;
        let introspection = "{ __schema { types { name fields { args { name type { name } } }
            enumValues { name } inputFields { name type { kind name ofType { kind name
            ofType { kind name ofType { name } } } } } } } }";
        let schema = api::schema::schema().execute(introspection).await;
        let schema = schema.data.into_json().unwrap();
        let types = schema["__schema"]["types"].as_array().unwrap().iter();
        let types = types.map(|it| (it["name"].as_str().unwrap().to_owned(), it.clone()));
        let now = "2026-07-01T00:00:00Z".parse().unwrap();
        let (tried, wrong) = <(RefCell<_>, RefCell<_>)>::default();
        Self { database, db, types: types.collect(), now, tried, wrong }
    }

    /// The types of all arguments that are called `filter`.
    fn filters_of_the_schema(&self) -> BTreeSet<String> {
        let fields = self.types["Query"]["fields"].as_array().unwrap().iter();
        let args = fields.flat_map(|field| field["args"].as_array().unwrap());
        let filters = args.filter(|arg| arg["name"] == "filter");
        filters.map(|arg| arg["type"]["name"].as_str().unwrap().to_owned()).collect()
    }

    /// The values of an enum.
    fn words(&self, name: &str) -> Vec<String> {
        let words = self.types[name]["enumValues"].as_array().unwrap().iter();
        words.map(|it| it["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Filters with one field each, in every way in which it can be used.
    async fn filters(&self, name: &str, table: &str) -> Vec<Value> {
        self.tried.borrow_mut().insert(name.to_owned());
        let mut filters = Vec::new();
        for field in self.types[name]["inputFields"].as_array().unwrap() {
            let path = field["name"].as_str().unwrap();
            for value in self.values(path, &field["type"], table).await {
                filters.push(json!({path: value}));
            }
        }
        filters
    }

    async fn values(&self, field: &str, of: &Value, table: &str) -> Vec<Value> {
        if of["kind"] == "LIST" {
            let item = of["ofType"]["ofType"]["name"].as_str().unwrap();
            return match item {
                "ID" | "String" => vec![json!([self.sample(field, table).await])],
                item => self.words(item).iter().map(|word| json!([word])).collect(),
            };
        }
        match of["name"].as_str().unwrap() {
            "TextFilter" | "IdFilter" => self.texts(field, of, table).await,
            "TimeFilter" => {
                let (from, to) = (self.now, self.now + TimeDelta::hours(1));
                vec![json!({"from": from}), json!({"to": to}), json!({"from": from, "to": to})]
            }
            "Boolean" => vec![json!(true), json!(false)],
            "Int" => vec![json!(30)],
            "DateTime" => vec![json!(self.now)],
            "String" => vec![json!(self.sample(field, table).await)],
            other => panic!("{field}: how is a {other} tried?"),
        }
    }

    async fn texts(&self, field: &str, of: &Value, table: &str) -> Vec<Value> {
        let sample = self.sample(field, table).await;
        let part = |from, to| sample.chars().skip(from).take(to - from).collect::<String>();
        let (length, name) = (sample.chars().count(), of["name"].as_str().unwrap());
        let mut texts = vec![json!({"equals": sample}), json!({"startsWith": part(0, length - 1)})];
        if name == "TextFilter" {
            texts.push(json!({"contains": part(1, length)}));
        }
        texts
    }

    /// A text that some row has.
    async fn sample(&self, field: &str, table: &str) -> String {
        let (table, column) = match (table, field) {
            ("partner", "partnerId")
            | ("policy", "policyId")
            | ("policy_group", "policyGroupId") => (table, "id".to_owned()),
            (_, "partnerId") => ("partner", "id".to_owned()),
            (_, "organizationName") => ("partner", "organization_name".to_owned()),
            (_, "policyId") => ("policy", "id".to_owned()),
            (_, "policyName") => ("policy", "name".to_owned()),
            (_, "policyGroupId") => ("policy_group", "id".to_owned()),
            (_, "policyGroupName") => ("policy_group", "name".to_owned()),
            (_, "sbiId") => ("sbi", "id".to_owned()),
            (_, "sbiVersion") => ("sbi", "sw_version".to_owned()),
            (_, "extractorId" | "certificateId") => (table, "id".to_owned()),
            (_, "emailId") => return "office@bank.example".to_owned(), // found through its claim
            (_, field) => (table, snake_case(field)),
        };
        let sql = format!(
            "select {column} from read.{table} where {column} is not null \
             order by created_at offset 4242 limit 1"
        );
        sqlx::query_scalar(&sql).fetch_one(&self.db).await.unwrap()
    }

    /// Every filter with every order, on the first page and on another one.
    async fn tries_list<R: Listed>(&self) {
        let table = R::Noun::TYPE;
        let mut filters = self.filters(&R::Filter::type_name(), table).await;
        filters.push(json!({}));
        let orders = self.orders::<R>().await;
        let own = Viewer::Partners(vec![PartnerId::from("partner-7")]);
        for filter in &filters {
            let question = self.question::<R>(Viewer::All, filter);
            for (order, pages) in &orders {
                for page in pages {
                    let statement = question.page_statement(*order, page).unwrap();
                    let told = || format!("{table} {filter} {order:?} {page:?}");
                    self.explain(statement, told).await;
                }
            }
            if filter["orphan"].is_null() {
                // Which devices are orphans depends on the instant: all have to be asked.
                let count = question.count_statement().unwrap();
                self.counts(count, || format!("count {table} {filter}")).await;
            }
            let own = self.question::<R>(own.clone(), filter);
            let statement = own.page_statement(Order::default(), &PageRequest::default()).unwrap();
            self.explain(statement, || format!("own {table} {filter}")).await;
        }
        for word in self.words(&R::Distinct::type_name()) {
            let question = self.question::<R>(own.clone(), &json!({}));
            let statement = question.distinct_statement(parse(&json!(word)), 50).unwrap();
            self.counts(statement, || format!("distinct {table} {word}")).await;
        }
    }

    fn question<R: Listed>(&self, viewer: Viewer, filter: &Value) -> Question<R> {
        Question { viewer, filter: parse(filter), now: self.now }
    }

    /// Every order, with the first page and one after it.
    async fn orders<R: Listed>(&self) -> Vec<(Order<R::Sort>, [PageRequest; 2])> {
        let question = self.question::<R>(Viewer::All, &json!({}));
        let mut orders = Vec::new();
        for word in self.words(&R::Sort::type_name()) {
            for direction in [Direction::Asc, Direction::Desc] {
                let order = Order { field: parse(&json!(word)), direction };
                let first = PageRequest { first: Some(200), ..PageRequest::default() };
                let page = question.page(&self.db, Some(order), &first).await.unwrap();
                let after = page.rows.last().map(|(cursor, _)| cursor.clone());
                let after = PageRequest { after, ..PageRequest::default() };
                orders.push((order, [PageRequest::default(), after]));
            }
        }
        orders
    }

    /// Who counts has to look at every row that is counted; where they are few, at no others.
    async fn counts(&self, statement: Statement, told: impl Fn() -> String) {
        let plan = self.plan(statement).await;
        let counted = nodes(&plan).filter(|node| node["Node Type"] == "Aggregate").last().unwrap();
        if counted["Plans"][0]["Plan Rows"].as_f64().unwrap() < FEW {
            self.judge(&plan, told);
        }
    }

    async fn tries_what_ends(&self) {
        let viewers = |viewer: &Viewer| {
            ExpiringKind::VARIANTS.iter().map(|kind| (*kind, viewer.clone())).collect()
        };
        let viewers: BTreeMap<ExpiringKind, Viewer> = viewers(&Viewer::All);
        for filter in self.filters("ExpiringItemFilter", "partner").await {
            let parsed = parse(&filter);
            let page = PageRequest::default();
            let statement = expiring::statement(&viewers, &parsed, self.now, &page).unwrap();
            self.explain(statement, || format!("expiring {filter}")).await;
        }
    }

    async fn tries_history(&self) {
        self.tried.borrow_mut().insert("HistoryFilter".to_owned());
        let filters = [
            json!({}),
            json!({"noun": "api_key"}),
            json!({"id": "partner-7"}),
            json!({"noun": "partner", "id": "partner-7"}),
            json!({"partnerId": "partner-7"}),
            json!({"partnerId": "partner-4241"}),
            json!({"actor": "subject-4241"}),
            json!({"event": ["rejected"]}),
            json!({"event": ["rejected", "approved"]}),
            json!({"correlationId": "no such wish"}),
            json!({"text": "bank"}),
            json!({"text": "bank", "noun": "api_key"}),
            json!({"text": "bank", "partnerId": "partner-7"}),
            json!({"text": "bank", "event": ["rejected", "approved"]}),
            json!({"text": "bank", "from": self.now}),
            json!({"from": self.now}),
            json!({"to": self.now}),
            json!({"from": self.now, "to": self.now + TimeDelta::hours(1)}),
        ];
        let fields = self.types["HistoryFilter"]["inputFields"].as_array().unwrap().iter();
        let fields: Vec<&str> = fields.map(|it| it["name"].as_str().unwrap()).collect();
        let unknown = fields.iter().find(|field| filters.iter().all(|it| it[**field].is_null()));
        assert_eq!(unknown, None, "how is it tried?");
        let own = Viewer::Partners(vec![PartnerId::from("partner-7")]);
        for filter in &filters {
            for (direction, after) in [(Direction::Asc, "50000"), (Direction::Desc, "50000")] {
                for after in [None, Some(after.to_owned())] {
                    for (viewer, without_drafts) in [(&Viewer::All, true), (&own, false)] {
                        let parsed = history::HistoryFilter { without_drafts, ..parse(filter) };
                        let page = PageRequest { after: after.clone(), ..PageRequest::default() };
                        let told = || format!("history {viewer:?} {filter} {direction:?} {page:?}");
                        let mut bound: Option<(i64,)> = None;
                        if parsed.text.is_some() {
                            let found = history::bound_statement(viewer, &parsed, direction, &page);
                            let found = found.unwrap();
                            bound = found.rows().fetch_optional(&self.db).await.unwrap();
                            self.explain(found, told).await;
                        }
                        let bound = bound.map(|(position,)| position);
                        let statement =
                            history::statement(viewer, &parsed, direction, &page, bound);
                        self.explain(statement.unwrap(), told).await;
                    }
                }
            }
        }
    }

    async fn tries_refused_attempts(&self) {
        self.tried.borrow_mut().insert("RefusedAttemptFilter".to_owned());
        let filters = [
            json!({}),
            json!({"actor": "subject-7"}),
            json!({"operation": ["suspendPartner"]}),
            json!({"operation": ["suspendPartner", "generateApiKey"]}),
            json!({"code": ["FORBIDDEN"]}),
            json!({"code": ["LABEL_TAKEN"]}),
            json!({"code": ["LABEL_TAKEN", "FORBIDDEN"]}),
            json!({"noun": "partner"}),
            json!({"noun": "partner", "id": "partner-4242"}),
            json!({"id": "partner-4242"}),
            json!({"correlationId": "no such wish"}),
            json!({"from": self.now}),
            json!({"to": self.now}),
        ];
        let fields = self.types["RefusedAttemptFilter"]["inputFields"].as_array().unwrap().iter();
        let fields: Vec<&str> = fields.map(|it| it["name"].as_str().unwrap()).collect();
        let unknown = fields.iter().find(|field| filters.iter().all(|it| it[**field].is_null()));
        assert_eq!(unknown, None, "how is it tried?");
        let all = refused_attempt::RefusedAttemptFilter::default();
        let first = PageRequest { first: Some(200), ..PageRequest::default() };
        let page = refused_attempt::list(&self.db, &all, &first).await.unwrap();
        let after = page.rows.last().map(|(cursor, _)| cursor.clone());
        for filter in &filters {
            for after in [None, after.clone()] {
                let page = PageRequest { after, ..PageRequest::default() };
                let statement = refused_attempt::statement(&parse(filter), &page).unwrap();
                self.explain(statement, || format!("refused attempts {filter} {page:?}")).await;
            }
        }
    }

    /// The log, as it is seen where the past is served: through a view.
    async fn with_the_log_of_the_past(self) -> Self {
        let view = "create schema past; create view past.events as \
                    select * from public.events where position <= 90000";
        self.db.execute(view).await.unwrap();
        let options = reading(self.database.owner(), "past,read");
        Self { db: PgPool::connect_lazy_with(options), ..self }
    }

    async fn tries_search(&self) {
        let own = Viewer::Partners(vec![PartnerId::from("partner-7")]);
        for viewer in [Viewer::All, own] {
            let scope = Scope { viewer: viewer.clone(), without_drafts: true };
            let nouns = Noun::VARIANTS.iter();
            let scopes = nouns.map(|noun| (*noun, scope.clone())).collect();
            for text in ["zq", "bank", "partner-4242", "no such thing"] {
                let statement = search::statement(&scopes, text, Some(20)).unwrap();
                self.explain(statement, || format!("search {text} {viewer:?}")).await;
            }
        }
    }

    async fn explain(&self, statement: Statement, told: impl Fn() -> String) {
        let plan = self.plan(statement).await;
        self.judge(&plan, told);
    }

    async fn plan(&self, mut statement: Statement) -> Value {
        statement.sql = format!("explain (format json) {}", statement.sql);
        let (plan,): (Value,) = statement.rows().fetch_one(&self.db).await.unwrap();
        plan[0]["Plan"].clone()
    }

    fn judge(&self, plan: &Value, told: impl Fn() -> String) {
        for node in nodes(plan) {
            let rows = node["Plans"][0]["Plan Rows"].as_f64().unwrap_or_default();
            let wrong = match node["Node Type"].as_str().unwrap() {
                "Seq Scan" => format!("reads all of {}", node["Relation Name"]),
                "Sort" if rows > MANY => format!("sorts {rows} rows by {}", node["Sort Key"]),
                _ => continue,
            };
            self.wrong.borrow_mut().push(format!("{}: {wrong}", told()));
        }
    }
}

/// All nodes of a plan.
fn nodes(plan: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    let below = plan["Plans"].as_array().into_iter().flatten().flat_map(nodes);
    Box::new(std::iter::once(plan).chain(below))
}

fn parse<T: InputType>(value: &Value) -> T {
    let value = GraphqlValue::from_json(value.clone()).unwrap();
    T::parse(Some(value)).map_err(|_| "does not fit its type").unwrap()
}

fn snake_case(text: &str) -> String {
    let mut snake = String::new();
    for c in text.chars() {
        if c.is_uppercase() {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}

/// Indexes are made after the rows, which takes a third of the time.
async fn fill(db: &mut PgConnection) {
    let indexes = "select schemaname || '.' || indexname, indexdef from pg_indexes \
                   where (schemaname = 'read' or tablename in ('events', 'refused_attempts')) and indexdef !~ 'UNIQUE'";
    let indexes: Vec<(String, String)> = sqlx::query_as(indexes).fetch_all(&mut *db).await.unwrap();
    let (names, made): (Vec<_>, Vec<_>) = indexes.into_iter().unzip();
    db.execute(&*format!("drop index {}", names.join(", "))).await.unwrap();
    db.execute(ROWS).await.unwrap();
    db.execute(&*made.join(";")).await.unwrap();
    // Plans must not depend on which rows ANALYZE happens to draw.
    db.execute("set default_statistics_target = 1000").await.unwrap();
    db.execute("vacuum analyze").await.unwrap();
}
