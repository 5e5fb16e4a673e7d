//! What witnesses have signed is kept with the head that they have seen.

use crate::{Commands, Result};
use domain::audit::note::Note;
use projections::audit::Sealed;

impl Commands {
    /// Keeps a head under further signatures; whether enough witnesses have seen it. Nothing is kept
    /// where somebody else has kept some meanwhile.
    pub async fn keep_cosignatures(
        &self,
        head: &Sealed,
        note: &Note,
        is_witnessed: bool,
    ) -> Result<()> {
        let sql = "update log_checkpoints set note = $3, witnessed_at = coalesce(witnessed_at, \
                     case when $4 then clock_timestamp() end) where size = $1 and note = $2";
        let query = sqlx::query(sql).bind(head.size).bind(&head.note).bind(note.to_string());
        query.bind(is_witnessed).execute(self.store().pool()).await?;
        Ok(())
    }
}
