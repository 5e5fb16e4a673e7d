//! How many sockets are open, in all and for each caller.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Who has how many.
#[derive(Debug, Clone, Default)]
pub struct Seats(Arc<Mutex<HashMap<String, usize>>>);

/// One of them; given back when it is dropped.
#[derive(Debug)]
pub struct Seat {
    seats: Seats,
    of: String,
}

impl Seats {
    /// One more for somebody, if he has fewer than `limit`.
    pub fn take(&self, of: &str, limit: usize) -> Option<Seat> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(of.to_owned()).or_default();
        (*count < limit).then(|| {
            *count += 1;
            Seat { seats: self.clone(), of: of.to_owned() }
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.of) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.of);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_that_is_given_back_can_be_taken_again() {
        let seats = Seats::default();
        let (first, second) = (seats.take("alice", 2), seats.take("alice", 2));
        assert!(first.is_some() && second.is_some() && seats.take("alice", 2).is_none());
        assert!(seats.take("bob", 2).is_some());
        drop(first);
        assert!(seats.take("alice", 2).is_some());
    }
}
