//! Counts what a node asks of its server: every statement that it runs, on whatever connection.

use super::database::TestDatabase;
use super::proxy::Proxy;
use super::wire::Said;
use sqlx::postgres::PgConnectOptions;

/// With this the client asks what a type is that it has not met on this connection: it depends on
/// which connection of the pool is taken, not on the question.
const TYPE_LOOKUP: &str = "pg_catalog.pg_type";

/// A counter between a node and its server.
pub struct Statements(Proxy);

impl Statements {
    /// Stands before the server of `database`.
    pub async fn before(database: &TestDatabase) -> Self {
        Self(Proxy::before(database).await)
    }

    /// The same connection, past the counter.
    pub fn way(&self, options: &PgConnectOptions) -> PgConnectOptions {
        self.0.way(options)
    }

    /// The statements that are asked while something is done.
    pub async fn of<T>(&self, work: impl Future<Output = T>) -> (T, Vec<String>) {
        self.0.writes_down();
        let done = work.await;
        let statement = |said| match said {
            Said::Run(statement) if !statement.contains(TYPE_LOOKUP) => Some(statement),
            _ => None,
        };
        (done, self.0.was_asked().into_iter().flatten().filter_map(statement).collect())
    }
}

#[tokio::test]
async fn every_statement_is_counted_once() {
    let database = TestDatabase::new().await;
    let statements = Statements::before(&database).await;
    let pool = sqlx::PgPool::connect_lazy_with(statements.way(&database.owner()));
    for _ in 0..3 {
        let ((), asked) = statements
            .of(async {
                let mut transaction = pool.begin().await.unwrap();
                sqlx::query("select $1").bind(1).execute(&mut *transaction).await.unwrap();
                sqlx::query("select $1").bind(2).execute(&mut *transaction).await.unwrap();
                transaction.commit().await.unwrap();
            })
            .await;
        assert_eq!(asked, ["BEGIN", "select $1", "select $1", "COMMIT"]);
    }
    assert!(statements.of(async {}).await.1.is_empty());
}
