//! The header fields that tell a client of its quota: what every answer of the middleware has.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use crate::clock::{SECOND, seconds};
use crate::decision::Decision;
use crate::python::decision::PyDecision;
use crate::python::limiter::PyLimiter;

pub(in crate::python) const NAMES: [&[u8]; FIELDS] = [
    b"x-ratelimit-limit",
    b"x-ratelimit-remaining",
    b"x-ratelimit-reset",
    b"ratelimit-policy",
    b"ratelimit",
];
pub(in crate::python) const FIELDS: usize = 5;

/// The fields for one limiter's decisions, as long as its limit and its window stay.
#[pyclass(frozen, name = "QuotaFields", module = "sluicegate._core")]
pub(in crate::python) struct PyQuotaFields {
    limiter: Py<PyAny>,
    limit: u32,
    window: f64,
    /// Which of the five are sent.
    first: usize,
    last: usize,
    name: Vec<u8>,
    names: [Py<PyBytes>; FIELDS],
    limit_field: Py<PyTuple>,
    policy_field: Py<PyTuple>,
}

impl PyQuotaFields {
    fn is_of(&self, py: Python<'_>, decision: &Decision) -> PyResult<bool> {
        let limiter = self.limiter.bind(py);
        let window: f64 = match limiter.cast::<PyLimiter>() {
            Ok(limiter) => seconds(limiter.get().store.window()),
            Err(_) => limiter.getattr(intern!(py, "window_seconds"))?.extract()?,
        };
        Ok(decision.limit == self.limit && window.to_bits() == self.window.to_bits())
    }

    /// Add them to a list.
    fn add_to(&self, fields: &Bound<'_, PyList>, decision: &Decision) -> PyResult<()> {
        let remaining = Digits::of(decision.remaining.into());
        if self.first == 0 {
            let reset_at = Digits::of((decision.at + decision.reset_after).div_ceil(SECOND));
            fields.append(&self.limit_field)?;
            self.add(fields, 1, &[remaining.text()])?;
            self.add(fields, 2, &[reset_at.text()])?;
        }
        if self.last == FIELDS {
            let wait = seconds_to_tell(decision);
            fields.append(&self.policy_field)?;
            let wait = Digits::of(wait);
            self.add(
                fields,
                4,
                &[&self.name, b";r=", remaining.text(), b";t=", wait.text()],
            )?;
        }
        Ok(())
    }

    /// An answer's ``own`` fields and those of a decision, where that is all there is to do: the quota
    /// is still the same, and see [`are_beside`]. Else ``None``.
    pub(in crate::python) fn beside<'py>(
        &self,
        py: Python<'py>,
        decision: &Decision,
        own: &Bound<'py, PyAny>,
        asked: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyList>>> {
        let Some(own) = are_beside(own, asked) else {
            return Ok(None);
        };
        if !self.is_of(py, decision)? {
            return Ok(None);
        }
        let fields = own.get_slice(0, own.len());
        self.add_to(&fields, decision)?;
        Ok(Some(fields))
    }

    fn add(&self, fields: &Bound<'_, PyList>, index: usize, parts: &[&[u8]]) -> PyResult<()> {
        let py = fields.py();
        let length = parts.iter().map(|part| part.len()).sum();
        let value = PyBytes::new_with(py, length, |mut value| {
            for part in parts {
                let (now, rest) = value.split_at_mut(part.len());
                now.copy_from_slice(part);
                value = rest;
            }
            Ok(())
        })?;
        fields.append((&self.names[index], value))
    }
}

/// The seconds `t`: after a refusal they name the same instant as `Retry-After`.
pub(in crate::python) fn seconds_to_tell(decision: &Decision) -> u64 {
    if decision.allowed {
        decision.reset_after.div_ceil(SECOND)
    } else {
        decision.retry_after.div_ceil(SECOND).max(1)
    }
}

/// An answer's ``own`` fields, if ours can simply follow them: the answer has none of these fields
/// itself, and what was ``asked`` for has no origin.
pub(in crate::python) fn are_beside<'a, 'py>(
    own: &'a Bound<'py, PyAny>,
    asked: &Bound<'py, PyAny>,
) -> Option<&'a Bound<'py, PyList>> {
    let (Ok(own), Ok(asked)) = (own.cast::<PyList>(), asked.cast::<PyList>()) else {
        return None;
    };
    let is_plain = has_none(own, is_ours) && has_none(asked, |name| name == b"origin");
    is_plain.then_some(own)
}

/// A number's digits.
pub(in crate::python) struct Digits {
    text: [u8; 20],
    start: usize,
}

impl Digits {
    pub(in crate::python) fn of(mut number: u64) -> Self {
        let (mut text, mut start) = ([b'0'; 20], 20);
        loop {
            start -= 1;
            text[start] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                return Self { text, start };
            }
        }
    }

    pub(in crate::python) fn text(&self) -> &[u8] {
        &self.text[self.start..]
    }
}

#[pymethods]
impl PyQuotaFields {
    #[new]
    fn new(
        py: Python<'_>,
        limiter: Py<PyAny>,
        limit: u32,
        name: Vec<u8>,
        first: usize,
        last: usize,
    ) -> PyResult<Self> {
        let window: f64 = limiter.getattr(py, "window_seconds")?.extract(py)?;
        let names = NAMES.map(|name| PyBytes::new(py, name).unbind());
        let policy = format!(";q={limit};w={:.0}", window.ceil().max(1.0)).into_bytes();
        let field = |index: usize, value: &[u8]| {
            let field = (&names[index], PyBytes::new(py, value)).into_pyobject(py)?;
            Ok::<_, PyErr>(field.unbind())
        };
        Ok(Self {
            limiter,
            limit,
            window,
            first,
            last: last.min(FIELDS),
            limit_field: field(0, limit.to_string().as_bytes())?,
            policy_field: field(3, &[&name[..], &policy].concat())?,
            name,
            names,
        })
    }

    /// The fields of a decision; ``None`` if the limiter's quota is another one by now.
    fn of<'py>(
        &self,
        py: Python<'py>,
        decision: &PyDecision,
    ) -> PyResult<Option<Bound<'py, PyList>>> {
        if !self.is_of(py, &decision.0)? {
            return Ok(None);
        }
        let fields = PyList::empty(py);
        self.add_to(&fields, &decision.0)?;
        Ok(Some(fields))
    }
}

fn is_ours(name: &[u8]) -> bool {
    NAMES.iter().any(|ours| name.eq_ignore_ascii_case(ours))
}

/// Whether these are pairs of bytes, of which no name is such a one.
fn has_none(fields: &Bound<'_, PyList>, is_one: impl Fn(&[u8]) -> bool) -> bool {
    fields.iter().all(|field| {
        let name = field
            .cast::<PyTuple>()
            .ok()
            .and_then(|field| field.get_item(0).ok());
        name.as_ref()
            .and_then(|name| name.cast::<PyBytes>().ok())
            .is_some_and(|name| !is_one(name.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_the_number() {
        for number in [0, 7, 10, 999, 4_294_967_295, u64::MAX] {
            assert_eq!(Digits::of(number).text(), number.to_string().as_bytes());
        }
    }
}
