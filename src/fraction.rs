//! Floats as fractions: exact integer arithmetic needs a rate that is one.

/// A positive fraction in lowest terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fraction {
    pub(crate) numerator: u128,
    pub(crate) denominator: u128,
}

impl Fraction {
    fn new(numerator: u128, denominator: u128) -> Self {
        let common = gcd(numerator, denominator);
        Self {
            numerator: numerator / common,
            denominator: denominator / common,
        }
    }

    /// The simplest fraction that reads back as `value`: 0.1 is 1/10, 1/3 is 1/3.
    ///
    /// `value` must lie between 1e-9 and 1e12, which keeps every term within 128 bits.
    pub(crate) fn simplest(value: f64) -> Self {
        let bits = value.to_bits();
        let mantissa = u128::from(bits & ((1 << 52) - 1) | (1 << 52));
        let shift = 1075 - i64::try_from(bits >> 52).unwrap_or(0);
        // Half a unit in the last place on both sides, over a common denominator of 2^(shift + 1).
        let (low, high, scale) = (2 * mantissa - 1, 2 * mantissa + 1, shift + 1);
        let denominator = 1_u128 << scale;
        simplest_between((low, denominator), (high, denominator))
    }

    /// Divide by an integer.
    pub(crate) fn over(self, divisor: u128) -> Self {
        Self::new(self.numerator, self.denominator * divisor)
    }

    /// The largest fraction not above this one whose terms fit the two bounds.
    ///
    /// Walks down the Stern-Brocot tree, whole runs of turns at a time.
    pub(crate) fn at_most(self, numerator: u128, denominator: u128) -> Self {
        if self.numerator <= numerator && self.denominator <= denominator {
            return self;
        }
        let (mut below, mut above) = ((0, 1), (1, 0));
        loop {
            // Raise `below` towards `above` as often as it stays below and within the bounds.
            let gap = self.numerator * below.1 - self.denominator * below.0;
            let step = self.denominator * above.0 - self.numerator * above.1;
            let room =
                times(numerator - below.0, above.0).min(times(denominator - below.1, above.1));
            let turns = times(gap, step).min(room);
            below = (below.0 + turns * above.0, below.1 + turns * above.1);
            let gap = self.numerator * below.1 - self.denominator * below.0;
            if gap == 0 || turns == room {
                return Self::new(below.0, below.1);
            }
            // Lower `above` towards `below` as often as it stays strictly above.
            let step = self.denominator * above.0 - self.numerator * above.1;
            let turns = (step - 1) / gap;
            above = (above.0 + turns * below.0, above.1 + turns * below.1);
        }
    }
}

/// How often `part` goes into `whole`; without end if it is nothing.
fn times(whole: u128, part: u128) -> u128 {
    whole.checked_div(part).unwrap_or(u128::MAX)
}

fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The fraction with the smallest terms in a closed interval, by continued fractions.
fn simplest_between(low: (u128, u128), high: (u128, u128)) -> Fraction {
    let whole = low.0 / low.1;
    if whole * low.1 == low.0 {
        return Fraction::new(whole, 1);
    }
    if whole < high.0 / high.1 {
        return Fraction::new(whole + 1, 1);
    }
    let rest = simplest_between(
        (high.1, high.0 - whole * high.1),
        (low.1, low.0 - whole * low.1),
    );
    Fraction::new(whole * rest.numerator + rest.denominator, rest.numerator)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(fraction: Fraction) -> (u128, u128) {
        (fraction.numerator, fraction.denominator)
    }

    #[test]
    fn everyday_rates_are_what_was_written() {
        assert_eq!(parts(Fraction::simplest(0.1)), (1, 10));
        assert_eq!(parts(Fraction::simplest(1.0 / 3.0)), (1, 3));
        assert_eq!(parts(Fraction::simplest(100.0 / 60.0)), (5, 3));
        assert_eq!(parts(Fraction::simplest(10.0)), (10, 1));
        assert_eq!(parts(Fraction::simplest(1e12)), (1_000_000_000_000, 1));
        assert_eq!(parts(Fraction::simplest(1e-9)), (1, 1_000_000_000));
    }

    proptest! {
        #[test]
        #[expect(clippy::cast_precision_loss, reason = "terms this small are exact")]
        fn the_simplest_fraction_reads_back(value in 1e-9..1e12_f64) {
            let fraction = Fraction::simplest(value);
            let back = fraction.numerator as f64 / fraction.denominator as f64;
            prop_assert!((back - value).abs() <= value * f64::EPSILON);
        }

        #[test]
        fn at_most_is_the_best_below(n in 1_u128..500, d in 1_u128..500, most_n in 1_u128..60, most_d in 1_u128..60) {
            let best = (1..=most_d)
                .map(|q| ((n * q / d).min(most_n), q))
                .reduce(|a, b| if b.0 * a.1 > a.0 * b.1 { b } else { a })
                .unwrap_or((0, 1));
            let found = Fraction::new(n, d).at_most(most_n, most_d);
            prop_assert_eq!(found.numerator * best.1, best.0 * found.denominator);
        }
    }
}
