//! Amounts of money: thousandths of a unit, so that sums are exact. Which currency is for the operator to know.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// An amount in thousandths, at most 10^12 units either way: within these bounds a JSON number keeps it exactly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Money(i64);

const THOUSANDTHS: f64 = 1_000.0;
const UNITS_MAX: f64 = 1e12;

impl Money {
    pub const ZERO: Money = Money(0);

    /// The amount of a number with at most three decimals; `field` is named where it is not one.
    pub fn from_f64(field: &'static str, units: f64) -> Result<Money> {
        if !units.is_finite() || units.abs() > UNITS_MAX {
            return Err(Error::invalid(
                field,
                "out_of_range",
                "An amount must be a number of at most 1,000,000,000,000.",
            ));
        }
        let rounded = (units * THOUSANDTHS).round();
        // One part in 2^50 is what a decimal fraction may lose on its way through binary.
        if (rounded / THOUSANDTHS - units).abs() > units.abs() * f64::EPSILON * 4.0 {
            return Err(Error::invalid(
                field,
                "too_precise",
                "An amount must not have more than three decimals.",
            ));
        }
        Ok(Money(rounded as i64))
    }

    pub fn from_thousandths(thousandths: i64) -> Money {
        Money(thousandths)
    }

    pub fn thousandths(self) -> i64 {
        self.0
    }

    pub fn to_f64(self) -> f64 {
        self.0 as f64 / THOUSANDTHS
    }

    pub fn is_negative(self) -> bool {
        self.0 < 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_keep_three_decimals_exactly() {
        for (units, thousandths) in [
            (0.0, 0),
            (123.0, 123_000),
            (0.001, 1),
            (-2.5, -2_500),
            (999_999_999_999.999, 999_999_999_999_999),
            (1e12, 1_000_000_000_000_000),
        ] {
            let money = Money::from_f64("budget", units).expect("is an amount");
            assert_eq!(money.thousandths(), thousandths, "{units}");
            assert_eq!(money.to_f64(), units);
        }
    }

    #[test]
    fn what_cannot_be_kept_exactly_is_refused() {
        for units in [0.0001, 1.2345, 1.1e12, f64::NAN, f64::INFINITY, -1.1e12] {
            assert!(Money::from_f64("budget", units).is_err(), "{units}");
        }
    }
}
