//! The header fields that tell a client of a gate's limits: a list item for each, and the numbers of the
//! one that decides.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use super::decision::{PyGateDecision, Told};
use crate::clock::SECOND;
use crate::python::answer::quota_fields::{Digits, FIELDS, NAMES, are_beside, seconds_to_tell};

/// A limit as Python gives it: its name in the gate, its quoted name in the fields, its window in
/// seconds (permits have none), and the only limit for which the window is known to be this long.
type GivenPart = (String, Vec<u8>, Option<f64>, Option<u32>);

/// A limit's name in the gate, and its items of the two lists without its name there.
type Item<'py> = (String, Bound<'py, PyBytes>, Bound<'py, PyBytes>);

/// The fields for a gate's decisions, whatever the amounts of its limits are.
#[pyclass(frozen, name = "GateFields", module = "sluicegate._core")]
pub(in crate::python) struct PyGateFields {
    parts: Box<[PartFields]>,
    /// Whether each of the two sets is sent.
    has_numbers: bool,
    has_lists: bool,
    names: [Py<PyBytes>; FIELDS],
}

struct PartFields {
    limit_name: String,
    name: Vec<u8>,
    /// `;w=60`, or nothing for permits, which have no window.
    window: Vec<u8>,
    window_of: Option<u32>,
}

impl PyGateFields {
    /// The limits of a decision that clients are told of. `None`: one of them is not known here.
    fn told<'a>(&'a self, decision: &'a PyGateDecision) -> Option<Vec<(&'a PartFields, &'a Told)>> {
        let mut found = Vec::with_capacity(decision.parts.len());
        for told in decision.parts.iter().filter(|told| !told.is_shadow) {
            let name = decision.name_of(told);
            // Mostly it has the same place.
            let same = |part: &&PartFields| part.limit_name == **name;
            let part = self.parts.get(told.limit).filter(same);
            found.push((part.or_else(|| self.parts.iter().find(same))?, told));
        }
        Some(found)
    }

    fn add_to(&self, fields: &Bound<'_, PyList>, decision: &PyGateDecision) -> PyResult<bool> {
        let Some(told) = self.told(decision) else {
            return Ok(false);
        };
        let Some(decides) = decision.decides() else {
            return Ok(true); // nobody takes part
        };
        if self.has_numbers {
            let decision = &decides.decision;
            let reset_at = (decision.at + decision.reset_after).div_ceil(SECOND);
            let numbers = [decision.limit.into(), decision.remaining.into(), reset_at];
            for (index, number) in numbers.into_iter().enumerate() {
                self.add(fields, index, Digits::of(number).text())?;
            }
        }
        if self.has_lists {
            let (mut policy, mut left) = (Vec::with_capacity(128), Vec::with_capacity(128));
            for (part, told) in told {
                part.write(&told.decision, &mut policy, &mut left);
            }
            self.add(fields, 3, &policy)?;
            self.add(fields, 4, &left)?;
        }
        Ok(true)
    }

    fn add(&self, fields: &Bound<'_, PyList>, index: usize, value: &[u8]) -> PyResult<()> {
        fields.append((&self.names[index], PyBytes::new(fields.py(), value)))
    }

    /// An answer's `own` fields and those of a decision, where that is all there is to do: see
    /// [`are_beside`]. Else `None`.
    pub(in crate::python) fn beside<'py>(
        &self,
        decision: &PyGateDecision,
        own: &Bound<'py, PyAny>,
        asked: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyList>>> {
        let Some(own) = are_beside(own, asked) else {
            return Ok(None);
        };
        let fields = own.get_slice(0, own.len());
        Ok(self.add_to(&fields, decision)?.then_some(fields))
    }
}

impl PartFields {
    /// Its item of both lists.
    fn write(
        &self,
        decision: &crate::decision::Decision,
        policy: &mut Vec<u8>,
        left: &mut Vec<u8>,
    ) {
        for list in [&mut *policy, &mut *left] {
            if !list.is_empty() {
                list.extend_from_slice(b", ");
            }
            list.extend_from_slice(&self.name);
        }
        policy.extend_from_slice(b";q=");
        policy.extend_from_slice(Digits::of(decision.limit.into()).text());
        if self.window_of.is_none_or(|limit| limit == decision.limit) {
            policy.extend_from_slice(&self.window);
        }
        left.extend_from_slice(b";r=");
        left.extend_from_slice(Digits::of(decision.remaining.into()).text());
        // Nobody knows when permits come back.
        if !self.window.is_empty() || !decision.allowed {
            left.extend_from_slice(b";t=");
            left.extend_from_slice(Digits::of(seconds_to_tell(decision)).text());
        }
    }
}

#[pymethods]
impl PyGateFields {
    #[new]
    fn new(py: Python<'_>, parts: Vec<GivenPart>, numbers: bool, lists: bool) -> Self {
        let parts = parts
            .into_iter()
            .map(|(limit_name, name, window, window_of)| {
                let window = window.map(|seconds| format!(";w={:.0}", seconds.ceil().max(1.0)));
                let window = window.unwrap_or_default().into_bytes();
                PartFields {
                    limit_name,
                    name,
                    window,
                    window_of,
                }
            });
        Self {
            parts: parts.collect(),
            has_numbers: numbers,
            has_lists: lists,
            names: NAMES.map(|name| PyBytes::new(py, name).unbind()),
        }
    }

    /// The fields of a decision; ``None`` if one of its limits is not known here.
    fn of<'py>(
        &self,
        py: Python<'py>,
        decision: &PyGateDecision,
    ) -> PyResult<Option<Bound<'py, PyList>>> {
        let fields = PyList::empty(py);
        Ok(self.add_to(&fields, decision)?.then_some(fields))
    }

    /// Of each limit that clients are told of: its name in the gate, and its own items of the two lists
    /// without its name there. ``None`` if one is not known here.
    fn items<'py>(&self, py: Python<'py>, decision: &PyGateDecision) -> Option<Vec<Item<'py>>> {
        let items = self.told(decision)?.into_iter().map(|(part, told)| {
            let (mut policy, mut left) = (Vec::new(), Vec::new());
            part.write(&told.decision, &mut policy, &mut left);
            let own = |item: &[u8]| PyBytes::new(py, &item[part.name.len()..]);
            (part.limit_name.clone(), own(&policy), own(&left))
        });
        Some(items.collect())
    }
}
