//! When to fetch next. Pure: what is random is an argument.

use std::time::Duration;

/// How often files are looked at.
pub(super) const FILE_INTERVAL: Duration = Duration::from_secs(5);
/// Where nobody says how long something may be kept.
const DEFAULT_INTERVAL: Duration = Duration::from_mins(5);
/// A status list counts for 900 s unless a relying party says otherwise; half of that leaves time for another attempt.
const MAX_INTERVAL: Duration = Duration::from_secs(450);
/// Token Status List, section 11.5: `ttl` and `exp` must not make anybody fetch without end.
pub(super) const MIN_INTERVAL: Duration = Duration::from_secs(30);
/// Of sources that can't be read.
pub(super) const BACK_OFF: BackOff = BackOff { first: Duration::from_secs(1), longest: Duration::from_mins(5) };

/// How attempts are spread that follow failures.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BackOff {
    /// The first attempt after a failure comes within this time, each further one within twice the time before.
    pub(crate) first: Duration,
    /// Longest time between two attempts.
    pub(crate) longest: Duration,
}

/// How long to wait after a success. `ttl` comes before HTTP's `max-age` (Token Status List, section 8.2); `expires_in` is
/// the time until `exp`, of which a quarter is left for failures. All in seconds. `random`: any number, spreads hosts that
/// were started together over the last tenth.
pub(super) fn interval(ttl: Option<u64>, max_age: Option<u64>, expires_in: Option<u64>, random: u64) -> Duration {
    let asked = ttl.or(max_age).map_or(DEFAULT_INTERVAL, Duration::from_secs);
    let before_exp = expires_in.map_or(MAX_INTERVAL, |left| Duration::from_secs(left / 4 * 3));
    let interval = asked.min(before_exp).clamp(MIN_INTERVAL, MAX_INTERVAL);
    interval.saturating_sub(share(interval / 10, random))
}

impl BackOff {
    /// How long to wait after so many failures in a row: anything from nothing to a bound that doubles (full jitter).
    pub(crate) fn wait(self, failures: u32, random: u64) -> Duration {
        let doublings = failures.saturating_sub(1);
        let bound = self.first.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(self.longest);
        share(bound, random)
    }
}

/// As great a share of `whole` as `random` is of all numbers.
fn share(whole: Duration, random: u64) -> Duration {
    let millis = u64::try_from(whole.as_millis()).unwrap_or(u64::MAX);
    let share = (u128::from(millis) * u128::from(random)) >> 64;
    Duration::from_millis(u64::try_from(share).unwrap_or(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANDOM: [u64; 4] = [0, 1 << 62, 1 << 63, u64::MAX];

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn back_off_doubles_up_to_its_bound_and_uses_all_of_it() {
        for (failures, bound) in [(1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (33, 300), (u32::MAX, 300)] {
            assert_eq!(BACK_OFF.wait(failures, 0), Duration::ZERO);
            assert_eq!(BACK_OFF.wait(failures, 1 << 63), secs(bound) / 2);
            let most = BACK_OFF.wait(failures, u64::MAX);
            assert!(most <= secs(bound) && most > secs(bound) * 99 / 100, "{failures}");
        }
    }

    #[test]
    fn back_off_grows_with_its_random_number() {
        for failures in 0..40 {
            let waits = RANDOM.map(|random| BACK_OFF.wait(failures, random));
            assert!(waits.is_sorted() && waits[3] <= BACK_OFF.longest, "{failures}: {waits:?}");
        }
    }

    #[test]
    fn ttl_comes_before_max_age_and_exp_before_both() {
        for (ttl, max_age, expires_in, asked) in [
            (None, None, None, 300),
            (Some(120), None, None, 120),
            (Some(120), Some(60), None, 120),
            (None, Some(60), None, 60),
            (Some(43_200), None, None, 450),
            (Some(300), None, Some(200), 150),
            (Some(300), None, Some(0), 30),
            (Some(1), None, None, 30),
            (None, Some(0), Some(u64::MAX), 30),
        ] {
            for random in RANDOM {
                let found = interval(ttl, max_age, expires_in, random);
                assert!(found <= secs(asked) && found >= secs(asked) * 9 / 10, "{ttl:?} {max_age:?} {expires_in:?}");
            }
        }
    }
}
