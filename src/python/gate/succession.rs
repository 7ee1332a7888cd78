//! How the limits of a gate in memory begin, and how others come after them.

use std::mem::discriminant;
use std::sync::Arc;

use pyo3::prelude::*;

use super::layout::Layout;
use super::limits::Limits;
use super::part::Part;
use crate::gate::{Limit, MemoryGate};
use crate::quota::Quota;
use crate::store::{JointStore, Options, in_memory};

/// How limits come after those that there are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Succession {
    /// In their place: what they share is decided by the new quotas, wherever it is asked.
    Instead,
    /// Beside them, which go on by their own quotas.
    Beside,
}

/// One limit's store, and by which quota it is asked, if its own is another.
struct Kept {
    store: Arc<dyn JointStore>,
    quota: Option<Arc<Quota>>,
}

impl Limits {
    /// Limits that nobody has spent from.
    pub(super) fn new(layout: Layout, options: &Options) -> PyResult<Self> {
        let kept = layout.parts.iter().map(|part| Kept::new(part, options));
        Self::with(kept.collect(), layout, Arc::default())
    }

    /// Limits that come after these: those of the same name, algorithm, window and unit keep what was
    /// spent. Also the names of those that there were, and which begin afresh.
    pub(super) fn succeeded(
        &self,
        layout: Layout,
        options: &Options,
        how: Succession,
    ) -> PyResult<(Self, Vec<String>)> {
        let (mut afresh, mut changed) = (Vec::new(), Vec::new());
        let mut all = Vec::with_capacity(layout.parts.len());
        for part in &layout.parts {
            let before = self.layout.place_of(&part.name);
            let same = before.filter(|&place| part.continues(&self.layout.parts[place]));
            let Some(place) = same else {
                afresh.extend(before.map(|_| part.name.to_string()));
                all.push(Kept::new(part, options));
                continue;
            };
            let mut kept = Kept {
                store: Arc::clone(&self.gate.limits()[place].store),
                quota: self.quotas[place].clone(),
            };
            if self.layout.parts[place].quota != part.quota {
                kept.quota = (how == Succession::Beside).then(|| Arc::new(part.quota.clone()));
                changed.push((Arc::clone(&kept.store), part.algorithm.clone()));
            }
            all.push(kept);
        }
        let limits = Self::with(all, layout, Arc::clone(&self.counts))?;
        if how == Succession::Instead {
            for (store, algorithm) in changed {
                let is_same = store.set_quota(algorithm);
                debug_assert!(is_same);
            }
        }
        Ok((limits, afresh))
    }

    fn with(kept: Vec<Kept>, layout: Layout, counts: Arc<super::limits::Counts>) -> PyResult<Self> {
        let (mut limits, mut quotas) = (Vec::new(), Vec::new());
        for (kept, part) in kept.into_iter().zip(&layout.parts) {
            limits.push(Limit {
                store: kept.store,
                is_shadow: part.is_shadow,
            });
            quotas.push(kept.quota);
        }
        Ok(Self {
            layout,
            gate: Arc::new(MemoryGate::new(limits)?),
            quotas: quotas.into(),
            counts,
        })
    }
}

impl Kept {
    /// What nobody has spent from.
    fn new(part: &Part, options: &Options) -> Self {
        Self {
            store: in_memory(part.algorithm.clone(), options.clone()),
            quota: None,
        }
    }
}

impl Part {
    /// Whether what was spent from `before` counts for it.
    fn continues(&self, before: &Self) -> bool {
        discriminant(&self.algorithm) == discriminant(&before.algorithm)
            && self.quota.unit == before.quota.unit
            && before.algorithm.under(&self.quota).is_ok()
    }
}
