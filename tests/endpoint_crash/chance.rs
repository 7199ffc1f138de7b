//! Random choices that can be made again, and how much of everything there is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A random source with a seed; threads share it.
pub struct Chance {
    pub seed: u64,
    state: AtomicU64,
}

impl Chance {
    /// The seed of FACTORY_CA_TEST_SEED, or the clock's.
    pub fn new() -> Chance {
        let given = std::env::var("FACTORY_CA_TEST_SEED");
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let seed = match given {
            Ok(text) => text.parse().unwrap(),
            Err(_) => clock.as_nanos() as u64,
        };
        println!("FACTORY_CA_TEST_SEED={seed}");
        Chance {
            seed,
            state: AtomicU64::new(seed),
        }
    }

    /// A number below another: splitmix64.
    pub fn below(&self, bound: u64) -> u64 {
        let step = 0x9e37_79b9_7f4a_7c15;
        let mut number = self.state.fetch_add(step, Ordering::Relaxed);
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (number ^ (number >> 31)) % bound
    }

    pub fn one_in(&self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    /// A time below another.
    pub fn within(&self, longest: Duration) -> Duration {
        Duration::from_micros(self.below(longest.as_micros().max(1) as u64))
    }
}

/// Small in CI, large where FACTORY_CA_TEST_SCALE is `full`.
pub fn scaled<T>(small: T, full: T) -> T {
    match std::env::var("FACTORY_CA_TEST_SCALE").as_deref() {
        Ok("full") => full,
        _ => small,
    }
}
