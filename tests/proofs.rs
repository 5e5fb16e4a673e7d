//! What the write path promises (design.md, section 4), one file per promise.

mod decisions_stand_on_what_is_true;
mod names_have_one_holder;
mod one_batch_is_many_decisions;
mod positions_have_no_gaps;
