//! What the system promises, one file per promise.

mod a_broken_read_stores_nothing;
mod a_cascade_is_one_submission;
mod a_dropped_wish_is_whole_or_not_at_all;
mod a_lost_commit_is_found_out;
mod a_standby_takes_over;
mod another_program_takes_over;
mod decisions_stand_on_what_is_true;
mod every_broken_line_has_its_outcome;
mod every_list_uses_indexes;
mod expiry_is_told_once;
mod history_is_append_only;
mod lists_cost_no_statement_per_row;
mod names_have_one_holder;
mod nothing_acknowledged_is_lost;
mod one_batch_is_many_decisions;
mod one_fault_harms_nobody_else;
mod personal_data_stays_out_of_the_log;
mod positions_have_no_gaps;
mod racing_commands;
mod rebuild_equals_live;
mod the_lock_is_given_back;
mod the_log_is_a_file_format;
mod time_never_runs_backwards;
mod wishes_are_granted_once;
