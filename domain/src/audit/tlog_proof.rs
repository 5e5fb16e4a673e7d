//! One entry's proof in one file, which needs nobody to be verified: C2SP tlog-proof.

use super::note::Note;
use super::policy::{Believed, Policy};
use super::proof::verify_inclusion;
use super::tree::{Hash, leaf_hash};
use super::{Fault, base64, decimal, from_base64, hash_from_base64, not_proved, unreadable};
use std::fmt;
use std::str::FromStr;

const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// The height of the highest tree.
const MAX_HASHES: usize = 64;

/// That an entry is in the log, for whoever has the entry and a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// Something beside it that nothing proves.
    pub extra: Option<Vec<u8>>,
    /// Which leaf the entry is, from 0: its position less one.
    pub index: u64,
    /// The inclusion proof ([`super::proof::Plan::inclusion`]).
    pub hashes: Vec<Hash>,
    /// The checkpoint with all its signatures.
    pub checkpoint: Note,
}

/// What a [`TlogProof`] has proved. Prints as a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proved {
    /// Which leaf the entry is, from 0.
    pub index: u64,
    /// The checkpoint that covers it.
    pub believed: Believed,
}

impl TlogProof {
    /// What this proves about the entry to whoever follows the policy.
    pub fn verify(&self, entry: &[u8], policy: &Policy) -> Result<Proved, Fault> {
        let believed = policy.check(&self.checkpoint)?;
        let (index, size, root) = (self.index, believed.checkpoint.size, &believed.checkpoint.root);
        if index >= size {
            return Err(not_proved(format!(
                "leaf {index} is not covered: the log had {size} entries"
            )));
        }
        if !verify_inclusion(&leaf_hash(entry), index, size, &self.hashes, root) {
            return Err(not_proved(format!("the entry is not leaf {index} of the log")));
        }
        Ok(Proved { index, believed })
    }
}

impl fmt::Display for Proved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, believed } = self;
        write!(f, "the entry is leaf {index}, position {}: {believed}", index + 1)
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", base64(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.hashes.iter().try_for_each(|hash| writeln!(f, "{}", base64(hash)))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for TlogProof {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let form = |what| unreadable(format!("a proof has {what}"));
        let (head, checkpoint) =
            text.split_once("\n\n").ok_or_else(|| form("an empty line before its checkpoint"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(unreadable(format!("a proof begins with {HEADER}")));
        }
        let extra = lines.next_if(|line| line.starts_with("extra "));
        let extra = extra.map(|line| from_base64(&line["extra ".len()..]));
        let index = lines.next().and_then(|line| decimal(line.strip_prefix("index ")?));
        let hashes: Option<Vec<Hash>> =
            lines.by_ref().take(MAX_HASHES).map(hash_from_base64).collect();
        let hashes = hashes.filter(|_| lines.next().is_none());
        Ok(Self {
            extra: extra
                .map(|extra| extra.ok_or_else(|| form("base64 after extra")))
                .transpose()?,
            index: index.ok_or_else(|| form("a line with its index"))?,
            hashes: hashes.ok_or_else(|| form("up to 64 lines of base64 hashes"))?,
            checkpoint: checkpoint.parse()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::proof::Plan;
    use super::super::sample::{at, checkpoint, entry, leaves, log_key, witness_key};
    use super::super::tree::Edge;
    use super::*;

    const SIZE: usize = 300;
    const INDEX: usize = 271;

    fn proof() -> TlogProof {
        let tiles = Edge::default().append(leaves(SIZE)).into_iter().collect();
        let plan = Plan::inclusion(INDEX as u64, SIZE as u64).unwrap();
        let checkpoint = checkpoint(SIZE).sign(&[&log_key(), &witness_key(1)], at());
        let hashes = plan.hashes(&tiles).unwrap();
        TlogProof { extra: None, index: INDEX as u64, hashes, checkpoint }
    }

    fn policy() -> Policy {
        let (log, witness) = (log_key(), witness_key(1));
        let text = format!("log {}\nwitness w {}\nquorum w", log.verifier(), witness.verifier());
        text.parse().unwrap()
    }

    #[test]
    fn a_file_says_what_it_proves() {
        let read: TlogProof = proof().to_string().parse().unwrap();
        assert_eq!(read, proof());
        let proved = read.verify(&entry(INDEX), &policy()).unwrap().to_string();
        assert!(
            proved.starts_with("the entry is leaf 271, position 272: log audit.example"),
            "{proved}"
        );
        assert!(proved.ends_with("confirmed by w at 2026-11-18T11:06:40Z"), "{proved}");
    }

    #[test]
    fn the_extra_line_proves_nothing_and_is_kept() {
        for extra in [Some(vec![]), Some(vec![0, 1, 2]), None] {
            let proof = TlogProof { extra, ..proof() };
            assert_eq!(proof.to_string().parse(), Ok(proof.clone()));
            assert!(proof.verify(&entry(INDEX), &policy()).is_ok());
        }
    }

    #[test]
    fn another_entry_or_index_is_not_proved() {
        let told = |proof: TlogProof, entry: &[u8]| {
            proof.verify(entry, &policy()).unwrap_err().to_string()
        };
        assert_eq!(told(proof(), &entry(270)), "the entry is not leaf 271 of the log");
        let other = TlogProof { index: 270, ..proof() };
        assert_eq!(told(other, &entry(INDEX)), "the entry is not leaf 270 of the log");
        let beyond = TlogProof { index: 300, ..proof() };
        assert_eq!(told(beyond, &entry(INDEX)), "leaf 300 is not covered: the log had 300 entries");
        let empty = TlogProof { hashes: Vec::new(), ..proof() };
        assert_eq!(told(empty, &entry(INDEX)), "the entry is not leaf 271 of the log");
    }

    #[test]
    fn no_flipped_bit_of_the_file_goes_unnoticed() {
        let bytes = proof().to_string().into_bytes();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let read =
                String::from_utf8(flipped).ok().and_then(|text| text.parse::<TlogProof>().ok());
            let verified = read.is_some_and(|read| read.verify(&entry(INDEX), &policy()).is_ok());
            assert!(!verified, "bit {bit}");
        }
    }

    #[test]
    fn no_flipped_bit_of_the_entry_goes_unnoticed() {
        let (proof, policy, entry) = (proof(), policy(), entry(INDEX));
        for bit in 0..entry.len() * 8 {
            let mut flipped = entry.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(proof.verify(&flipped, &policy).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn what_is_no_proof_is_refused() {
        let whole = proof().to_string();
        let hash = base64(&proof().hashes[0]);
        for (text, fault) in [
            (whole.replace("@v1", "@v2"), "a proof begins with c2sp.org/tlog-proof@v1"),
            (whole.replace("index 271", "index 0271"), "a proof has a line with its index"),
            (whole.replace("index 271\n", ""), "a proof has a line with its index"),
            (whole.replace("index", "extra =\nindex"), "a proof has base64 after extra"),
            (whole.replace(&hash, &hash[1..]), "a proof has up to 64 lines of base64 hashes"),
            (
                whole.replace(&hash, &vec![hash.as_str(); 65].join("\n")),
                "a proof has up to 64 lines of base64 hashes",
            ),
            (whole.replace("\n\n", "\n"), "a proof has an empty line before its checkpoint"),
            (whole.replace('—', "-"), "a signature line has the form — name base64"),
        ] {
            assert_eq!(text.parse::<TlogProof>().unwrap_err(), unreadable(fault), "{text}");
        }
    }
}
