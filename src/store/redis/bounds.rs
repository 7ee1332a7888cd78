//! The bounds of a calendar's periods, which a script is sent, as no server knows time zones.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use crate::clock::{Ticks, unix_now};
use crate::quota::Calendar;
use crate::store::fork::locked_now;

/// Where one period begins, its next one, the one after that, and where that ends.
type Instants = [Ticks; 4];

/// A calendar's periods around the server's time, as far as this process can tell that.
pub(super) struct Bounds {
    calendar: Calendar,
    /// How far the server's clock was ahead when it said that the bounds were wrong.
    ahead: AtomicI64,
    /// Those that were found last: they are good for the whole of a period.
    last: Mutex<Instants>,
}

impl Bounds {
    /// As far as anyone knows, the server's clock is this machine's.
    pub(super) fn new(calendar: Calendar) -> Self {
        Self {
            calendar,
            ahead: AtomicI64::new(0),
            last: Mutex::default(),
        }
    }

    /// The period at the server's time, with the one before it and the next one.
    pub(super) fn now(&self) -> Instants {
        let now = self.server_now();
        let mut last = locked_now(&self.last);
        if !(last[1]..last[2]).contains(&now) {
            *last = self.around(now);
        }
        *last
    }

    /// The same around a time of the server's.
    pub(super) fn around(&self, at: Ticks) -> Instants {
        let (start, end) = self.calendar.around(at);
        let before = self.calendar.around(start.saturating_sub(1)).0;
        let behind = self.calendar.around(end).1;
        [before, start, end, behind]
    }

    /// The server has told its time.
    pub(super) fn hear(&self, server: Ticks) {
        self.ahead
            .store(server.wrapping_sub(unix_now()).cast_signed(), Relaxed);
    }

    /// How long a unit counts that is spent now.
    pub(super) fn left(&self) -> Ticks {
        self.now()[2].saturating_sub(self.server_now())
    }

    fn server_now(&self) -> Ticks {
        unix_now().saturating_add_signed(self.ahead.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SECOND;
    use crate::quota::Period;

    const HOUR: Ticks = 3_600 * SECOND;

    fn days() -> Bounds {
        Bounds::new(Calendar::new(Period::Day, "Europe/Berlin").expect("a zone"))
    }

    #[test]
    fn three_days_around_the_time() {
        let noon = 1_774_778_400 * SECOND; // 2026-03-29T12:00+02:00, a day of 23 hours
        let [before, start, end, behind] = days().around(noon);
        assert_eq!(start, noon - 11 * HOUR);
        assert_eq!(
            [before, end, behind],
            [start - 24 * HOUR, start + 23 * HOUR, start + 47 * HOUR]
        );
        assert_eq!(days().around(start)[1], start);
        assert_eq!(days().around(start - 1)[2], start);
    }

    #[test]
    fn they_follow_the_clock_of_the_server_that_told_it() {
        let bounds = days();
        let here = bounds.now();
        assert!((here[1]..here[2]).contains(&unix_now()));
        let server = unix_now() + 400 * 24 * HOUR;
        bounds.hear(server);
        assert_eq!(bounds.now(), bounds.around(server));
        assert!((1..=bounds.around(server)[2] - server).contains(&bounds.left()));
        bounds.hear(server - 800 * 24 * HOUR);
        assert_eq!(bounds.now(), bounds.around(server - 800 * 24 * HOUR));
    }
}
