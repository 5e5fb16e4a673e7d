//! The whole system in memory: every row of every read table, folded from the log up to a position.
//! What it takes grows with the rows that there are, not with the events that led to them.

use crate::fold::{ReadTable, Rows};
use crate::log::{LogRow, after};
use crate::{Error, Result, TABLES};
use sqlx::PgConnection;

/// How many events are read at once.
pub(crate) const PAGE: i64 = 1_000;

/// How far a long piece of work has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub step: Step,
    /// How much of it is done.
    pub done: i64,
    /// How much there is to do.
    pub all: i64,
}

/// What is being done, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Events of the log are folded.
    Fold,
    /// Rows are written, or compared.
    Rows,
    /// Tables get their indexes.
    Index,
}

/// Every read table in memory.
pub(crate) struct Folded {
    /// The last event that is folded in.
    pub position: i64,
    /// The rows of each table.
    pub tables: Vec<(ReadTable, Box<dyn Rows>)>,
}

impl Folded {
    /// Folds the log up to a position that it has.
    pub async fn up_to(
        db: &mut PgConnection,
        until: i64,
        progress: &mut impl FnMut(Progress),
    ) -> Result<Self> {
        let tables = TABLES.iter().map(|table| (*table, table.empty())).collect();
        let mut folded = Self { position: 0, tables };
        while folded.position < until {
            let page = after(&mut *db, folded.position, PAGE.min(until - folded.position)).await?;
            if page.is_empty() {
                let missing = folded.position + 1;
                return Err(Error::Unreadable(format!("the log has no position {missing}")));
            }
            page.iter().try_for_each(|event| folded.fold(event))?;
            progress(Progress { step: Step::Fold, done: folded.position, all: until });
        }
        Ok(folded)
    }

    fn fold(&mut self, event: &LogRow) -> Result<()> {
        let table = self.tables.iter_mut().find(|(table, _)| table.name == event.aggregate_type);
        if let Some((_, rows)) = table {
            rows.fold(event)?;
        }
        self.position = event.position;
        Ok(())
    }

    /// How many rows there are.
    pub fn count(&self) -> i64 {
        let rows: usize = self.tables.iter().map(|(_, rows)| rows.count()).sum();
        i64::try_from(rows).unwrap_or(i64::MAX)
    }
}
