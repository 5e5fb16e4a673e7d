//! Whether the log and what lies beside it are as they have to be: what `pms doctor` asks the database.
//!
//! Each promise is one statement that returns one thing that breaks it; a sound system breaks
//! none. What it returns names things, positions and settings, and nothing personal. That read tables
//! are what the log says is [`crate::verify`]'s. Which names a holder took cannot be folded from its
//! events, for some are keyed hashes of personal data: here is what can be told of names.

use crate::Result;
use sqlx::PgConnection;

/// Something that has to be so.
#[derive(Debug, Clone, Copy)]
pub struct Promise {
    /// What it is about, in a word.
    pub part: &'static str,
    /// What has to be so.
    pub says: &'static str,
    /// What to do when it is not so.
    pub cure: &'static str,
    /// Whether the system can work without: then it is a warning.
    pub is_advice: bool,
    broken: &'static str,
}

impl Promise {
    /// What breaks it; `None` when it holds.
    pub async fn broken_by(&self, db: &mut PgConnection) -> Result<Option<String>> {
        Ok(sqlx::query_scalar(self.broken).fetch_optional(db).await?)
    }
}

const CHANGED: &str = "The log was changed past this program: keep this database as it is for those who \
     look into it, and go on with the last backup that is sound.";
const RESTORE: &str =
    "Put the whole database back from one backup: its tables are not of one moment.";

/// Everything that has to be so, in the order in which it is told.
pub const PROMISES: &[Promise] = &[
    Promise {
        part: "log",
        says: "updates, deletions and truncation of events are refused, also to the owner",
        cure: "As the owner: alter table events enable always trigger NAME. Ask who switched it off, and \
               verify the log.",
        is_advice: false,
        broken: "select name from unnest(array['events_are_immutable', 'events_are_not_truncated']) name \
                 where not exists (select from pg_trigger where tgrelid = 'events'::regclass \
                   and tgname = name and tgenabled = 'A') limit 1",
    },
    Promise {
        part: "log",
        says: "positions are 1, 2, 3 and so on without a gap",
        cure: CHANGED,
        is_advice: false,
        broken: "select 'position ' || place from (select position, row_number() over (order by position) \
                   as place from events) as log where position <> place order by place limit 1",
    },
    Promise {
        part: "log",
        says: "the events of each thing are numbered 1, 2, 3 and so on, in the order of the log",
        cure: CHANGED,
        is_advice: false,
        broken: "select 'position ' || position from (select position, sequence, row_number() over \
                   (partition by aggregate_type, aggregate_id order by position) as place from events) \
                   as streams where sequence <> place order by position limit 1",
    },
    Promise {
        part: "log",
        says: "its time does not run backwards",
        cure: CHANGED,
        is_advice: false,
        broken: "select 'position ' || position from (select position, recorded_at, lag(recorded_at) over \
                   (order by position) as before from events) as log where recorded_at < before \
                 order by position limit 1",
    },
    Promise {
        part: "log",
        says: "no idempotency key tells of a position beyond it",
        cure: RESTORE,
        is_advice: false,
        broken: "select 'position ' || position from idempotency_keys \
                 where position > (select coalesce(max(position), 0) from events) limit 1",
    },
    Promise {
        part: "claims",
        says: "whoever holds a name is in the log",
        cure: RESTORE,
        is_advice: false,
        broken: "select kind || ' of ' || holder from claims where not exists (select from events \
                   where aggregate_type = split_part(holder, '/', 1) \
                   and aggregate_id = substr(holder, strpos(holder, '/') + 1)) limit 1",
    },
    Promise {
        part: "claims",
        says: "whatever lives holds its name",
        cure: "Where read tables are wrong too, run `pms rebuild` first, and ask again. Else put the whole \
               database back from one backup: its tables are not of one moment.",
        is_advice: false,
        broken: "select 'the ' || kind || ' of ' || noun || ' ' || id from ( \
                   select 'partner_id' as kind, 'partner' as noun, id from read.partner \
                   union all select 'policy_group_name', 'policy_group', id from read.policy_group \
                   union all select 'policy_name', 'policy', id from read.policy \
                     where status in ('PUBLISHED', 'DEACTIVATED') and supersedes is null \
                   union all select 'policy_request', 'policy_request', id from read.policy_request \
                     where status in ('DRAFT', 'PENDING', 'APPROVED') \
                   union all select 'extractor_name', 'extractor', id from read.extractor \
                     where status = 'ACTIVE' \
                   union all select 'jwk_thumbprint', 'oidc_client', id from read.oidc_client \
                   union all select 'trust_certificate', 'trust_certificate', id \
                     from read.trust_certificate \
                   union all select 'sbi_version', 'sbi', id from read.sbi where status <> 'REJECTED' \
                   union all select 'device', 'device', id from read.device \
                     where status in ('PENDING', 'APPROVED') \
                   union all select 'ftm_chip', 'ftm_chip', id from read.ftm_chip \
                     where status in ('PENDING_CERTIFICATE', 'PENDING', 'APPROVED') \
                 ) as alive where not exists (select from claims \
                   where claims.kind = alive.kind and holder = noun || '/' || id) limit 1",
    },
    Promise {
        part: "personal data",
        says: "every row has the key of its subject",
        cure: "Put subject_keys back. Where there is no copy, the data is lost: erase the subject, and have \
               it given anew.",
        is_advice: false,
        broken: "select 'of ' || subject from personal_data where not exists (select from subject_keys \
                   where subject_keys.subject = personal_data.subject) limit 1",
    },
    Promise {
        part: "followers",
        says: "none has stopped",
        cure: "The log of the node that had its lease tells why. Then replayParked.",
        is_advice: false,
        broken: "select name || ': ' || stopped from followers where stopped is not null limit 1",
    },
    Promise {
        part: "followers",
        says: "nodes work as each of them, and nothing is parked",
        cure: "Start a node; replayParked once the cause is mended (docs/operator.md).",
        is_advice: true,
        broken: "select name || ' was last seen ' || heartbeat_at from followers \
                   where heartbeat_at < clock_timestamp() - interval '1 minute' \
                 union all select follower || ' has parked ' || key from parked_keys limit 1",
    },
    Promise {
        part: "seal",
        says: "the log is sealed to its end, but for its last minute",
        cure: "Start a node. Where one runs, its log and `/readyz` tell why sealing waits or has stopped.",
        is_advice: true,
        broken: "select 'position ' || position || ' of ' || recorded_at from events \
                 where position = 1 + coalesce((select max(size) from log_checkpoints), 0) \
                 and recorded_at < clock_timestamp() - interval '1 minute'",
    },
    Promise {
        part: "roles",
        says: "the service can insert and read events, and nothing else",
        cure: "As the owner: revoke update, delete, truncate, references, trigger on events from pms_serve.",
        is_advice: false,
        broken: "select 'pms_serve may ' || lower(may) from unnest(array['UPDATE', 'DELETE', 'TRUNCATE', \
                   'TRIGGER']) may where has_table_privilege('pms_serve', 'events', may) limit 1",
    },
    Promise {
        part: "roles",
        says: "the service owns no table and is no superuser",
        cure: "Give what pms_serve owns to the owner of the database (alter table … owner to …); alter role \
               pms_serve nosuperuser nobypassrls.",
        is_advice: false,
        broken: "select coalesce((select 'pms_serve owns ' || relname from pg_class \
                   where relowner = 'pms_serve'::regrole limit 1), (select 'pms_serve is superuser' \
                   from pg_roles where rolname = 'pms_serve' and (rolsuper or rolbypassrls))) as what \
                 where exists (select from pg_class where relowner = 'pms_serve'::regrole) \
                    or exists (select from pg_roles where rolname = 'pms_serve' \
                         and (rolsuper or rolbypassrls))",
    },
    Promise {
        part: "roles",
        says: "whoever has DATABASE_URL cannot switch the protection of the log off",
        cure: "Give the service a login of its own (docs/operator.md, The two database URLs).",
        is_advice: true,
        broken: "select 'its login ' || session_user || ' owns the log' where pg_has_role(session_user, \
                   (select relowner from pg_class where oid = 'events'::regclass), 'MEMBER')",
    },
    Promise {
        part: "durability",
        says: "what is acknowledged survives a power cut",
        cure: "Switch it on in postgresql.conf and reload.",
        is_advice: false,
        broken: "select name || ' is off' from pg_settings \
                 where name in ('fsync', 'full_page_writes', 'synchronous_commit') and setting = 'off' \
                 limit 1",
    },
    Promise {
        part: "durability",
        says: "pages carry checksums, so that a failing disk is noticed",
        cure: "Stop PostgreSQL and run pg_checksums --enable.",
        is_advice: true,
        broken: "select 'data_checksums is off' where current_setting('data_checksums') = 'off'",
    },
    Promise {
        part: "durability",
        says: "texts are sorted as when their indexes were made",
        cure: "The system's collation has changed: reindex database; then alter database … refresh \
               collation version.",
        is_advice: false,
        broken: "select datcollversion || ' became ' || pg_database_collation_actual_version(oid) \
                 from pg_database where datname = current_database() \
                 and datcollversion <> pg_database_collation_actual_version(oid)",
    },
    Promise {
        part: "clock",
        says: "the log is not ahead of the database's clock",
        cure: "Set the clock of the database server (NTP). Until it has caught up, all new events have the \
               time of the last one.",
        is_advice: false,
        broken: "select recorded_at::text from events where position = (select max(position) from events) \
                 and recorded_at > clock_timestamp()",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_promise_that_can_break_says_what_to_do() {
        assert!(PROMISES.iter().all(|it| it.cure.ends_with('.') && !it.says.ends_with('.')));
    }
}
