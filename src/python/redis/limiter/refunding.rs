//! Refunds, of units and by receipt.

use pyo3::prelude::*;

use super::PyRedisLimiter;
use crate::clock::unix_now;
use crate::decision::{Receipt, Source};
use crate::python::arguments::key_bytes;
use crate::python::arguments::refund::Refund;
use crate::python::decision::PyDecision;
use crate::python::limits_off::{limits_are_off, untouched};
use crate::python::patiently;
use crate::python::redis::{blocking, values};
use crate::store::redis::Request;

/// What is to be given back at the server: units of a spend of that key.
struct Redemption {
    key: Vec<u8>,
    receipt: Receipt,
    units: u32,
}

impl PyRedisLimiter {
    /// Give back what was admitted here and the server was never charged; how many units.
    pub(super) fn refunded_here(&self, py: Python<'_>, key: &[u8], units: u32) -> u32 {
        let here = self.limiter.take_uncharged(key, units);
        if here > 0 {
            // Whatever it answers: the units were taken.
            let _ = patiently(py, |patience| self.limiter.refund_here(key, here, patience));
        }
        here
    }

    /// A refund that is to be sent; or what is said of one that needs no server.
    pub(super) fn refund_prepared(
        &self,
        key: &Bound<'_, PyAny>,
        refund: &Refund<'_>,
        home: usize,
    ) -> PyResult<Result<Request, PyDecision>> {
        match refund {
            Refund::Units(cost) => self.prepared(key.py(), home, "refund", key, *cost, None, None),
            Refund::Spend(decision, units) => {
                let redemption = self.taken(key, decision.get(), *units)?;
                Ok(redemption
                    .and_then(|redemption| self.request(&redemption))
                    .ok_or_else(|| self.nothing()))
            }
        }
    }

    /// The same, sent; this thread waits for the answer.
    pub(super) fn refund_asked(
        &self,
        key: &Bound<'_, PyAny>,
        refund: &Refund<'_>,
    ) -> PyResult<PyDecision> {
        let (decision, units) = match refund {
            Refund::Units(cost) => return self.asked(key.py(), "refund", key, *cost, None, None),
            Refund::Spend(decision, units) => (decision.get(), *units),
        };
        let redemption = self.taken(key, decision, units)?;
        while let Some(request) = redemption.as_ref().and_then(|this| self.request(this)) {
            let answers = blocking::answers(key.py(), &self.route, vec![request])?;
            if let Some(answer) = answers.and_then(|answers| answers.into_iter().next()) {
                return values::decision(key.py(), answer);
            }
        }
        Ok(self.nothing())
    }

    /// Take units off a receipt. Those that the server was charged for are to be given back there.
    fn taken(
        &self,
        key: &Bound<'_, PyAny>,
        decision: &PyDecision,
        units: Option<u32>,
    ) -> PyResult<Option<Redemption>> {
        let py = key.py();
        let key = key_bytes(key)?;
        if limits_are_off() {
            return Ok(None);
        }
        let (limiter, receipt) = (&self.limiter, decision.0.receipt);
        let tag = limiter.tag(&key);
        let units = decision.take_back(limiter.is_mine(&decision.0, tag), tag, units)?;
        if decision.0.source == Source::Redis {
            return Ok(Some(Redemption {
                key,
                receipt,
                units,
            }));
        }
        limiter.take_uncharged(&key, units);
        patiently(py, |patience| {
            limiter.redeem_here(&key, &receipt, units, patience)
        })?;
        Ok(None)
    }

    fn request(&self, redemption: &Redemption) -> Option<Request> {
        let Redemption {
            key,
            receipt,
            units,
        } = redemption;
        self.limiter.redemption(key, receipt, *units)
    }

    /// What is said of a call that asks nobody.
    pub(super) fn nothing(&self) -> PyDecision {
        PyDecision::from(untouched(self.limiter.quota().limit(), unix_now()))
    }
}
