//! Which limits of a gate take part in a call: all of them, or some that its caller chooses.

use std::sync::Arc;

use crate::python::gate::part::Part;
use crate::quota::Quota;

/// Some limits of a gate, in its order. What a call costs does not grow with the others.
pub(in crate::python) struct Choice {
    pub(in crate::python) members: Box<[Member]>,
    /// What they count by.
    pub(in crate::python::gate) bys: Box<[ChosenBy]>,
    /// In which units, by their places in the gate.
    pub(in crate::python::gate) units: Box<[usize]>,
    /// The first of them that counts permits.
    pub(in crate::python::gate) permits: Option<usize>,
}

/// One of the limits.
pub(in crate::python) struct Member {
    /// By its place in the gate, and its name there.
    pub(in crate::python) limit: usize,
    name: Arc<str>,
    /// By their places in the choice.
    pub(in crate::python::gate) by: usize,
    pub(in crate::python::gate) unit: usize,
    /// By which quota, if not by its own.
    pub(in crate::python) quota: Option<Arc<Quota>>,
}

/// What some of the limits count by.
pub(in crate::python::gate) struct ChosenBy {
    /// Its place in the gate.
    pub(in crate::python::gate) by: usize,
    /// The first of the limits that needs a key, if one does.
    pub(in crate::python::gate) required_for: Option<usize>,
}

impl Choice {
    /// These limits of all `parts`, in their order, each with its quota.
    pub(in crate::python::gate) fn of(
        parts: &[Part],
        limits: impl Iterator<Item = (usize, Option<Arc<Quota>>)>,
    ) -> Self {
        let (mut bys, mut units) = (Vec::<ChosenBy>::new(), Vec::new());
        // Where each of the gate's is in the choice.
        let mut places = Places::default();
        let mut permits = None;
        let members = limits.map(|(limit, quota)| {
            let part = &parts[limit];
            let by = places.bys.of(part.by, || {
                bys.push(ChosenBy {
                    by: part.by,
                    required_for: None,
                });
            });
            let unit = places.units.of(part.unit, || units.push(part.unit));
            let required_for = &mut bys[by].required_for;
            if required_for.is_none() && !part.is_optional {
                *required_for = Some(limit);
            }
            if permits.is_none() && part.are_permits() {
                permits = Some(limit);
            }
            Member {
                limit,
                name: Arc::clone(&part.name),
                by,
                unit,
                quota,
            }
        });
        Self {
            members: members.collect(),
            bys: bys.into(),
            units: units.into(),
            permits,
        }
    }

    /// Whether it is of these limits: of the ones that it was made for, or with others behind them.
    pub(in crate::python::gate) fn is_of(&self, parts: &[Part]) -> bool {
        self.members.iter().all(|member| {
            parts.get(member.limit).is_some_and(|part| {
                (Arc::ptr_eq(&part.name, &member.name) || part.name == member.name)
                    && part.by == self.bys[member.by].by
                    && part.unit == self.units[member.unit]
            })
        })
    }
}

#[derive(Default)]
struct Places {
    bys: Numbers,
    units: Numbers,
}

/// Numbers for what comes, by the order in which it came.
#[derive(Default)]
struct Numbers(std::collections::HashMap<usize, usize>);

impl Numbers {
    fn of(&mut self, thing: usize, is_new: impl FnOnce()) -> usize {
        let next = self.0.len();
        *self.0.entry(thing).or_insert_with(|| {
            is_new();
            next
        })
    }
}
