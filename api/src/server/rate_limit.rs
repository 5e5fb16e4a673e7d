//! How much one caller, or one address, may ask for in a time.

use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// What may come at once, in seconds of the rate.
const BURST: u32 = 10;
/// Below so many keys nothing is swept.
const FEW: usize = 1_000;

/// So many units in a second, for each key. A key that has been quiet for [`BURST`] seconds is
/// forgotten, so that there are never more than twice as many as were active lately.
#[derive(Debug)]
pub struct RateLimit<K: Hash + Eq + Clone> {
    limiter: RateLimiter<K, HashMapStateStore<K>, DefaultClock>,
    burst: NonZeroU32,
    sweep_at: AtomicUsize,
}

impl<K: Hash + Eq + Clone> RateLimit<K> {
    /// So many units in a second; `None`, which is no limit, for 0.
    pub fn per_second(units: u32) -> Option<Self> {
        let rate = NonZeroU32::new(units)?;
        let burst = rate.saturating_mul(NonZeroU32::new(BURST)?);
        let limiter = RateLimiter::hashmap(Quota::per_second(rate).allow_burst(burst));
        Some(Self { limiter, burst, sweep_at: AtomicUsize::new(FEW) })
    }

    /// Takes units from the key's allowance, or tells how long it has to wait for them. More than
    /// can ever come at once takes all of it.
    pub fn take(&self, key: &K, units: u32) -> Result<(), Duration> {
        self.sweep();
        let units = NonZeroU32::new(units).map_or(NonZeroU32::MIN, |it| it.min(self.burst));
        match self.limiter.check_key_n(key, units) {
            Ok(Err(not_until)) => Err(not_until.wait_time_from(DefaultClock::default().now())),
            Ok(Ok(())) | Err(_) => Ok(()), // it is never more than the burst
        }
    }

    fn sweep(&self) {
        if self.limiter.len() >= self.sweep_at.load(Ordering::Relaxed) {
            self.limiter.retain_recent();
            let next = self.limiter.len().saturating_mul(2).max(FEW);
            self.sweep_at.store(next, Ordering::Relaxed);
        }
    }
}

/// What counts as one address: of version 6 the network of a site, which has all addresses in it.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(it) => Ipv6Addr::from_bits(it.to_bits() & (u128::MAX << 64)).into(),
        it @ IpAddr::V4(_) => it,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_waits_when_its_allowance_is_used_up_and_others_do_not() {
        let limit = RateLimit::per_second(1).unwrap();
        assert!((0..BURST).all(|_| limit.take(&"a", 1).is_ok()));
        assert!(limit.take(&"a", 1).is_err_and(|wait| wait <= Duration::from_secs(1)));
        assert_eq!(limit.take(&"b", 1_000_000), Ok(()));
        assert!(limit.take(&"b", 1).is_err());
        assert!(RateLimit::<u8>::per_second(0).is_none());
    }

    #[test]
    fn what_was_quiet_is_forgotten() {
        let limit = RateLimit::per_second(1_000_000).unwrap();
        for key in 0..20 * FEW {
            assert_eq!(limit.take(&key, 1), Ok(()));
        }
        assert!(limit.limiter.len() <= 2 * FEW);
    }

    #[test]
    fn addresses_of_one_site_are_one() {
        let network = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(network("192.0.2.1"), "192.0.2.1");
    }
}
