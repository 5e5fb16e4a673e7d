//! That a later checkpoint continues an earlier one: RFC 6962, 2.1.2.

use super::Report;
use crate::log_folder::{LogFolder, about, read_text};
use domain::audit::Fault;
use domain::audit::note::Note;
use domain::audit::policy::Policy;
use domain::audit::proof::{Plan, read_hashes, verify_consistency};
use domain::audit::tile::Tiles;
use domain::audit::tree::Hash;
use std::path::Path;

/// Verifies with the tiles of a folder, or with a file that has the hashes in base64.
pub fn consistency(from: &Note, to: &Note, proof: &Path, policy: &Policy) -> Result<Report, Fault> {
    let from = policy.check(from).map_err(|fault| about("the earlier checkpoint", fault))?;
    let to = policy.check(to).map_err(|fault| about("the later checkpoint", fault))?;
    let ((old, new), differ) = ((&from.checkpoint, &to.checkpoint), |what: String| {
        Err(Fault::NotProved(format!(
            "the later checkpoint does not continue the earlier one: {what}"
        )))
    });
    let Some(plan) = Plan::consistency(old.size, new.size) else {
        return differ(format!("it has {} entries of {}", new.size, old.size));
    };
    let hashes = if proof.is_dir() {
        of_tiles(&plan, &LogFolder::at(proof))?
    } else {
        read_hashes(&read_text(proof)?)?
    };
    if !verify_consistency((old.size, &old.root), (new.size, &new.root), &hashes) {
        return differ("the proof does not lead from one root to the other".to_owned());
    }
    let proved =
        format!("all {} entries of the earlier log are the first of the later one", old.size);
    let proved = vec![format!("earlier: {from}"), format!("later: {to}"), proved];
    Ok(Report { proved, ..Report::default() })
}

fn of_tiles(plan: &Plan, folder: &LogFolder) -> Result<Vec<Hash>, Fault> {
    let mut tiles = Tiles::default();
    for tile in plan.tiles() {
        for file in folder.tiles(tile.level, tile.index).into_iter().take(1) {
            tiles.insert(file, folder.tile(file)?);
        }
    }
    plan.hashes(&tiles)
}
